package bedrock_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider/kit"
)

// converseStream is an answer with reasoning, text and two tool calls.
const converseStream = `[{"messageStart":{"role":"assistant"}},
	{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}},
	{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}},{"contentBlockStop":{"contentBlockIndex":0}},
	{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"Let me look."}}},{"contentBlockStop":{"contentBlockIndex":1}},
	{"contentBlockStart":{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"f"}}}},
	{"contentBlockDelta":{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":\"x\"}"}}}},{"contentBlockStop":{"contentBlockIndex":2}},
	{"contentBlockStart":{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"tooluse_2","name":"g"}}}},
	{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{}"}}}},{"contentBlockStop":{"contentBlockIndex":3}},
	{"messageStop":{"stopReason":"tool_use"}},
	{"metadata":{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":4,"cacheWriteInputTokens":3},"metrics":{"latencyMs":4}}}]`

const converseReply = `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
	{"text":"Let me look."},{"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"a":"x"}}},{"toolUse":{"toolUseId":"tooluse_2","name":"g","input":{}}}]}},
	"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":4,"cacheWriteInputTokens":3},"metrics":{"latencyMs":4}}`

var wantUsage = dialect.Usage{Input: 17, Output: 5, Cached: 4, CacheWrite: 3, Reasoning: -1}

// client is a dialect in which chat can be called, with a call of two tools and
// their results, and what the upstream body must then hold.
type client struct {
	dialect dialect.Dialect
	op      dialect.Operation
	body    string
	model   string
}

const tools = `[{"toolUse":{"toolUseId":"c1","name":"f","input":{"a":"x"}}},{"toolUse":{"toolUseId":"c2","name":"g","input":{}}}]`
const results = `[{"toolResult":{"toolUseId":"c1","content":[{"text":"r1"}]}},{"toolResult":{"toolUseId":"c2","content":[{"text":"r2"}]}},{"text":"go on"}]`

var clientsOfChat = map[string]client{
	"openai": {dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi"},
		{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":\"x\"}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"r1"},{"role":"tool","tool_call_id":"c2","content":"r2"},{"role":"user","content":"go on"}],
		"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}],
		"max_completion_tokens":50,"stop":"x"}`, claude},
	"anthropic": {dialect.Anthropic, dialect.Chat, `{"model":"e","max_tokens":50,"stop_sequences":["x"],"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"hi"},
		{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]},
		{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{"a":"x"}},{"type":"tool_use","id":"c2","name":"g","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"r1"},{"type":"tool_result","tool_use_id":"c2","content":"r2"},{"type":"text","text":"go on"}]}],
		"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"name":"g","input_schema":{"type":"object","properties":{}}}]}`, "us.amazon.nova-pro-v1:0"},
	"responses": {dialect.Responses, dialect.Chat, `{"model":"e","instructions":"s","max_output_tokens":50,"store":false,"reasoning":{"summary":"auto"},"input":[
		{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
		{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":\"x\"}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
		{"type":"function_call_output","call_id":"c1","output":"r1"},{"type":"function_call_output","call_id":"c2","output":"r2"},{"role":"user","content":"go on"}],
		"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}},{"type":"function","name":"g","parameters":{"type":"object","properties":{}}}]}`, claude},
	"gemini": {dialect.Gemini, dialect.Chat, `{"systemInstruction":{"parts":[{"text":"s"}]},"generationConfig":{"maxOutputTokens":50,"stopSequences":["x"]},"contents":[
		{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},
		{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"a":"x"}}},{"functionCall":{"id":"c2","name":"g","args":{}}}]},
		{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"result":"r1"}}},{"functionResponse":{"id":"c2","name":"g","response":{"result":"r2"}}},{"text":"go on"}]}],
		"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{}}},{"name":"g","parametersJsonSchema":{"type":"object","properties":{}}}]}]}`, claude},
}

// TestClients carries a conversation with tools between each client dialect
// and Converse.
func TestClients(t *testing.T) {
	for name, c := range clientsOfChat {
		t.Run(name, func(t *testing.T) {
			call, e := open(target(c.model), parsed(t, c.dialect, c.op, c.body))
			require.Nil(t, e)
			up := call.Upstream()
			require.True(t, strings.HasSuffix(up.Path, "/converse"))
			require.Equal(t, "application/json", headerOf(up, "accept"))
			var sent struct {
				System   json.RawMessage
				Messages []struct {
					Role    string
					Content json.RawMessage
				}
				InferenceConfig struct{ MaxTokens int }
				ToolConfig      struct{ Tools []json.RawMessage }
			}
			require.NoError(t, json.Unmarshal(up.Body, &sent))
			require.JSONEq(t, `[{"text":"s"}]`, string(sent.System))
			require.Len(t, sent.Messages, 3)
			require.JSONEq(t, `[{"text":"hi"},{"image":{"format":"png","source":{"bytes":"AA=="}}}]`, string(sent.Messages[0].Content))
			require.JSONEq(t, tools, string(sent.Messages[1].Content))
			require.JSONEq(t, results, string(sent.Messages[2].Content))
			require.Equal(t, 50, sent.InferenceConfig.MaxTokens)
			require.Len(t, sent.ToolConfig.Tools, 2)

			r := call.Complete(200, jsonHeaders, []byte(converseReply))
			require.Nil(t, r.Error)
			for _, part := range []string{"Let me look.", "tooluse_1", "tooluse_2", "hm"} {
				require.Contains(t, string(r.Body), part)
			}
			require.Equal(t, wantUsage, call.Usage())
			c.checkStream(t)
		})
	}
}

// checkStream reads a stream at every cut, with the same outcome.
func (c client) checkStream(t *testing.T) {
	begin := func() kit.Call {
		body := strings.Replace(c.body, "{", `{"stream":true,`, 1)
		if c.dialect == dialect.Gemini { // its path asks for the stream
			body = c.body
		}
		route := dialect.Route{Dialect: c.dialect, Operation: c.op, Stream: c.dialect == dialect.Gemini}
		req, e := dialect.Parse(route, c.op, "application/json", []byte(body))
		require.Nil(t, e)
		call, e := open(target(c.model), req)
		require.Nil(t, e)
		return call
	}
	call := begin()
	require.True(t, strings.HasSuffix(call.Upstream().Path, "/converse-stream"))
	require.Equal(t, eventstream.ContentType, headerOf(call.Upstream(), "accept"))
	require.True(t, call.IsStream(eventstream.ContentType))
	require.False(t, call.IsStream("application/json"))
	stream := framed(t, []byte(converseStream))
	want, done := feed(call, stream, len(stream))
	require.True(t, done)
	require.Nil(t, call.Err())
	for _, part := range []string{"Let me look.", "tooluse_1", "tooluse_2", "hm"} {
		require.Contains(t, string(want), part)
	}
	require.Equal(t, wantUsage, call.Usage())
	for _, size := range []int{1, 2, 3, 7, 64, 500} {
		call := begin()
		got, done := feed(call, stream, size)
		require.True(t, done)
		require.Equal(t, string(want), string(got), "by %d", size)
	}
	call = begin()
	out, done := feed(call, stream[:len(stream)/2], 100)
	require.True(t, done)
	require.Equal(t, dialect.CodeStreamTruncated, call.Err().Code)
	require.Contains(t, string(out), "error")
}

func TestOpenAICompletions(t *testing.T) {
	call, e := open(target(claude), parsed(t, dialect.OpenAI, dialect.Completions, `{"model":"e","prompt":"hi","max_tokens":5}`))
	require.Nil(t, e)
	require.JSONEq(t, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":5}}`, string(call.Upstream().Body))
	r := call.Complete(200, jsonHeaders, []byte(`{"output":{"message":{"content":[{"text":"yo"}]}},"stopReason":"max_tokens","usage":{"inputTokens":1,"outputTokens":2}}`))
	require.Nil(t, r.Error)
	require.Contains(t, string(r.Body), `"text":"yo"`)
	require.Contains(t, string(r.Body), `"finish_reason":"length"`)
}

// TestMessages: a client of the Messages API reaches Anthropic's models with
// its own body.
func TestMessages(t *testing.T) {
	const body = `{"model":"e", "stream":true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","budget_tokens":1024},"news":[1, 2]}`
	req := parsed(t, dialect.Anthropic, dialect.Chat, body)
	req.ClientHeader = headers("anthropic-beta", "context-1m-2025-08-07,unheard-of-2020-01-01")
	for name, tgt := range map[string]kit.Target{"signed": target(claude), "keyed": keyed(claude)} {
		t.Run(name, func(t *testing.T) {
			call, e := open(tgt, req)
			require.Nil(t, e)
			up := call.Upstream()
			require.Regexp(t, "/invoke-with-response-stream$", up.Path)
			require.JSONEq(t, `{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"],"max_tokens":5,
				"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","budget_tokens":1024},"news":[1,2]}`, string(up.Body))
			require.Equal(t, name == "keyed", headerOf(up, "authorization") != "")
			require.Empty(t, headerOf(up, "anthropic-beta"))
			require.True(t, call.IsStream(eventstream.ContentType))
		})
	}
	call, e := open(target(claude), parsed(t, dialect.Anthropic, dialect.Chat, `{"model":"e","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`))
	require.Nil(t, e)
	require.Regexp(t, "/invoke$", call.Upstream().Path)
	const reply = `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"yo"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":2}}`
	r := call.Complete(200, jsonHeaders, []byte(reply))
	require.Nil(t, r.Error)
	require.JSONEq(t, reply, string(r.Body))
	require.Equal(t, int64(5), call.Usage().Input)
}

// messageEvents is a stream of the Messages API.
var messageEvents = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"yo \u00e9"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}`,
	`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}`,
}

func chunks(events ...string) (b []byte) {
	for _, e := range events {
		b = eventstream.Append(b, eventstream.Event, "chunk", []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(e))+`","p":"abc"}`))
	}
	return b
}

func TestMessagesStream(t *testing.T) {
	begin := func() kit.Call {
		call, e := open(target(claude), parsed(t, dialect.Anthropic, dialect.Chat, `{"model":"e","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`))
		require.Nil(t, e)
		return call
	}
	stream := chunks(messageEvents...)
	var want string
	for _, e := range messageEvents {
		kind, _, _ := strings.Cut(strings.TrimPrefix(e, `{"type":"`), `"`)
		want += "event: " + kind + "\ndata: " + e + "\n\n"
	}
	for _, size := range []int{1, 2, 5, 33, 1000, len(stream)} {
		call := begin()
		got, done := feed(call, stream, size)
		require.True(t, done)
		require.Nil(t, call.Err())
		require.Equal(t, want, string(got), "by %d", size)
		require.Equal(t, dialect.Usage{Input: 3, Output: 4, Cached: -1, CacheWrite: -1, Reasoning: -1}, call.Usage())
	}
	for name, c := range map[string]struct {
		stream []byte
		code   string
	}{
		"cut":         {chunks(messageEvents[:3]...), dialect.CodeStreamTruncated},
		"cut a frame": {stream[:len(stream)-4], dialect.CodeStreamTruncated},
		"throttled":   {eventstream.Append(chunks(messageEvents[:3]...), eventstream.Exception, "throttlingException", []byte(`{"message":"slow"}`)), dialect.CodeProviderRateLimited},
		"corrupt":     {append(chunks(messageEvents[0]), strings.Repeat("x", 40)...), dialect.CodeProviderReply},
		"not base64":  {eventstream.Append(nil, eventstream.Event, "chunk", []byte(`{"bytes":"*"}`)), dialect.CodeProviderReply},
		"not JSON":    {chunks("{"), dialect.CodeProviderReply},
		"told":        {chunks(messageEvents[0], `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`), dialect.CodeProviderOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			call := begin()
			out, done := feed(call, c.stream, 30)
			require.True(t, done)
			require.NotNil(t, call.Err(), "%s", out)
			require.Equal(t, c.code, call.Err().Code)
			require.Contains(t, string(out), "event: error\n")
		})
	}
}

func TestCountTokens(t *testing.T) {
	count := func(model, more string) (kit.Call, *dialect.Error) {
		return open(target(model), parsed(t, dialect.Anthropic, dialect.CountTokens, `{"model":"e","messages":[{"role":"user","content":"hi"}]`+more+`}`))
	}
	call, e := count(claude, `,"system":"s"`)
	require.Nil(t, e)
	require.Regexp(t, "^/model/[^/]*/count-tokens$", call.Upstream().Path)
	var sent struct {
		Input struct{ InvokeModel struct{ Body []byte } }
	}
	require.NoError(t, json.Unmarshal(call.Upstream().Body, &sent))
	require.JSONEq(t, `{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"hi"}],"system":"s","max_tokens":1}`, string(sent.Input.InvokeModel.Body))
	r := call.Complete(200, jsonHeaders, []byte(`{"inputTokens":12}`))
	require.Nil(t, r.Error)
	require.Equal(t, `{"input_tokens":12}`, string(r.Body))
	require.NotNil(t, call.Complete(200, jsonHeaders, []byte(`{}`)).Error)

	call, e = count("us.amazon.nova-pro-v1:0", `,"system":"s"`)
	require.Nil(t, e)
	require.JSONEq(t, `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"s"}]}}}`, string(call.Upstream().Body))
	call, e = open(target(claude), parsed(t, dialect.Gemini, dialect.CountTokens, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
	require.Nil(t, e)
	require.JSONEq(t, `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hi"}]}]}}}`, string(call.Upstream().Body))
	require.Equal(t, `{"totalTokens":12}`, string(call.Complete(200, jsonHeaders, []byte(`{"inputTokens":12}`)).Body))

	_, e = open(target(claude), &dialect.Request{Route: dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.CountTokens}})
	require.Equal(t, 501, e.Status)
}

// TestFaults: Bedrock's failures in a client's dialect. kit's tests hold the
// whole table.
func TestFaults(t *testing.T) {
	call, e := open(target(claude), parsed(t, dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[{"role":"user","content":"hi"}]}`))
	require.Nil(t, e)
	r := call.Complete(400, headers("content-type", "application/json", "x-amzn-errortype", "ValidationException:http://internal/"),
		[]byte(`{"message":"The model canary/secret/0123456789 is not known"}`))
	require.Equal(t, 400, r.Status)
	require.Contains(t, string(r.Body), `"code":"ValidationException"`)
	require.Contains(t, string(r.Body), `The model [redacted] is not known`)
	r = call.Complete(403, headers("content-type", "application/json", "x-amzn-errortype", "AccessDeniedException"), []byte(`{"Message":"arn:aws:iam::1:user/x"}`))
	require.Equal(t, 502, r.Status)
	require.NotContains(t, string(r.Body), "arn:")
}
