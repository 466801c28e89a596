package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

var openAIChat = dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Chat}

// TestOpenAIBodies: a body is edited in place, everything else stays byte for
// byte.
func TestOpenAIBodies(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"model first", `{"model":"e","messages":[1]}`, `{"model":"gpt-x","messages":[1]}`},
		{"model last, white space and numbers as they were", "{ \"messages\" : [ 1.0e3 ,\n\t12345678901234567890.10 ] , \"model\" : \"e\" }",
			"{ \"messages\" : [ 1.0e3 ,\n\t12345678901234567890.10 ] , \"model\" : \"gpt-x\" }"},
		{"unknown fields", `{"x":{"b":1,"a":[null]},"model":"e","messages":[1],"y":"\u00e9\ud800é"}`,
			`{"x":{"b":1,"a":[null]},"model":"gpt-x","messages":[1],"y":"\u00e9\ud800é"}`},
		{"escaped key", `{"mod\u0065l":"e","messages":[1]}`, `{"mod\u0065l":"gpt-x","messages":[1]}`},
		{"model inside others is not the model", `{"messages":[{"model":"a"}],"metadata":{"model":"b"},"model":"e"}`,
			`{"messages":[{"model":"a"}],"metadata":{"model":"b"},"model":"gpt-x"}`},
		{"stream", `{"model":"e","messages":[1],"stream":true}`,
			`{"model":"gpt-x","messages":[1],"stream":true,"stream_options":{"include_usage":true}}`},
		{"stream false", `{"model":"e","messages":[1],"stream":false}`, `{"model":"gpt-x","messages":[1],"stream":false}`},
		{"options null", `{"model":"e","stream_options":null,"messages":[1],"stream":true}`,
			`{"model":"gpt-x","stream_options":{"include_usage":true},"messages":[1],"stream":true}`},
		{"options empty", `{"stream_options":{},"model":"e","messages":[1],"stream":true}`,
			`{"stream_options":{"include_usage":true},"model":"gpt-x","messages":[1],"stream":true}`},
		{"options say no", `{"stream_options":{"include_usage":false,"a":1},"model":"e","messages":[1],"stream":true}`,
			`{"stream_options":{"include_usage":true,"a":1},"model":"gpt-x","messages":[1],"stream":true}`},
		{"options say other things", `{"stream_options":{"include_obfuscation":false},"model":"e","messages":[1],"stream":true}`,
			`{"stream_options":{"include_obfuscation":false,"include_usage":true},"model":"gpt-x","messages":[1],"stream":true}`},
		{"options say it twice", `{"stream_options":{"include_usage":1,"include_usage":false},"model":"e","messages":[1],"stream":true}`,
			`{"stream_options":{"include_usage":true,"include_usage":true},"model":"gpt-x","messages":[1],"stream":true}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.in
			call := openCall(t, openAIChat, dialect.Chat, c.in)
			assert.Equal(t, c.want, string(call.Upstream().Body))
			assert.Equal(t, before, c.in)
		})
	}
}

func TestMLflowBodies(t *testing.T) {
	route := dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}
	for _, c := range []struct{ name, in, want string }{
		{"bare string stop", `{"messages":[{"role":"user","content":"x"}],"stop":"E"}`,
			`{"model":"gpt-x","n":1,"stop":["E"],"messages":[{"role":"user","content":"x"}]}`},
		{"usage is asked for though the client says no", `{"messages":[{"role":"u","content":"x"}],"stream":true,"stream_options":{"include_usage":false}}`,
			`{"model":"gpt-x","n":1,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"u","content":"x"}]}`},
		{"a model that must be quoted", `{"messages":[{"role":"u","content":"x"}]}`,
			`{"model":"gpt-x","n":1,"messages":[{"role":"u","content":"x"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(openCall(t, route, dialect.Chat, c.in).Upstream().Body))
		})
	}
	req, e := dialect.Parse(route, dialect.Embeddings, "application/json", []byte(`{"input":"x","model":"m"}`))
	require.Nil(t, e)
	_, e = provider.Open(testTarget, req, testEnv)
	require.NotNil(t, e)
	assert.Equal(t, 422, e.Status)
	assert.Equal(t, dialect.CodeModelNotPermitted, e.Code)
}

// event and chunks of streams.
const (
	chunkA     = `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a \"finish_reason\":\"no\""},"finish_reason":null}],"usage":null}`
	chunkABare = `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a \"finish_reason\":\"no\""},"finish_reason":null}]}`
	chunkStop  = `{"id":"1","choices":[{"index":0,"delta":{},"finish_reason": "stop"}]}`
	chunkUsage = `{"id":"1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}`
)

func sseOf(data ...string) string { return "data: " + strings.Join(data, "\n\ndata: ") + "\n\n" }

// truncated is how an OpenAI client is told that its stream broke.
const truncated = `{"error":{"message":"The provider ended the stream before the reply was complete. What came so far may be cut off.","type":"server_error","param":null,"code":"stream_truncated","exchange_id":"ex-1"}}`

func TestOpenAIStreams(t *testing.T) {
	counted := dialect.Usage{Input: 7, Output: 9, Cached: 3, Reasoning: 2, CacheWrite: -1}
	for _, c := range []struct {
		name, in   string
		usage      bool // asked for
		want, code string
		count      dialect.Usage
	}{
		{"usage hidden", sseOf(chunkA, chunkStop, chunkUsage, "[DONE]"), false, sseOf(chunkABare, chunkStop, "[DONE]"), "", counted},
		{"usage asked for", sseOf(chunkA, chunkStop, chunkUsage, "[DONE]"), true, sseOf(chunkA, chunkStop, chunkUsage, "[DONE]"), "", counted},
		{"null usage first and alone", sseOf(`{"usage":null,"choices":[1]}`, `{"usage":null}`, chunkStop, "[DONE]"), false,
			sseOf(`{"choices":[1]}`, `{}`, chunkStop, "[DONE]"), "", dialect.NoUsage},
		{"usage beside content stays", sseOf(`{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`, "[DONE]"), false,
			sseOf(`{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`, "[DONE]"), "",
			dialect.Usage{Input: 1, Output: -1, Cached: -1, Reasoning: -1, CacheWrite: -1}},
		{"comments, fields and line ends pass", ": OPENROUTER PROCESSING\r\n\r\nid: 4\r\nevent: x\r\ndata: " + chunkStop + "\r\n\r\ndata:[DONE]\r\n\r\n", false,
			": OPENROUTER PROCESSING\r\n\r\nid: 4\r\nevent: x\r\ndata: " + chunkStop + "\r\n\r\ndata:[DONE]\r\n\r\n", "", dialect.NoUsage},
		{"data over two lines", "data: {\"usage\":null,\ndata: \"choices\":[]}\n\n" + sseOf("[DONE]"), false,
			sseOf(`{"choices":[]}`, "[DONE]"), "", dialect.NoUsage},
		{"nothing after the end", sseOf(chunkStop, "[DONE]", chunkA), false, sseOf(chunkStop, "[DONE]"), "", dialect.NoUsage},
		{"the end without a blank line", sseOf(chunkStop) + "data: [DONE]", false, sseOf(chunkStop, "[DONE]"), "", dialect.NoUsage},
		{"no end but a finish", sseOf(chunkStop), false, sseOf(chunkStop, "[DONE]"), "", dialect.NoUsage},
		{"no end", sseOf(chunkABare), false, sseOf(chunkABare, truncated), "stream_truncated", dialect.NoUsage},
		{"cut inside an event", sseOf(chunkABare) + `data: {"choices":[{"del`, false, sseOf(chunkABare, truncated), "stream_truncated", dialect.NoUsage},
		{"nothing", "", false, sseOf(truncated), "stream_truncated", dialect.NoUsage},
		{"error inside", sseOf(chunkABare, `{"error":{"message":"bad `+testKey+`","type":"server_error","code":"x_y","param":null}}`, "[DONE]"), false,
			sseOf(chunkABare, `{"error":{"message":"bad [redacted]","type":"server_error","param":null,"code":"x_y","exchange_id":"ex-1"}}`), "provider_error", dialect.NoUsage},
		{"not JSON inside", sseOf(chunkABare, `<html>`), false,
			sseOf(chunkABare, `{"error":{"message":"The provider sent an event that is not JSON. Try again; if it lasts, tell an administrator.","type":"server_error","param":null,"code":"provider_invalid_reply","exchange_id":"ex-1"}}`),
			"provider_invalid_reply", dialect.NoUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"model":"e","messages":[1],"stream":true,"stream_options":{"include_usage":%v}}`, c.usage)
			for size := 1; size <= len(c.in)+1; size += 1 + size/8 {
				call := openCall(t, openAIChat, dialect.Chat, body)
				require.Equal(t, c.want, feed(call, c.in, size), "in pieces of %d", size)
				require.Equal(t, c.count, call.Usage())
				if c.code == "" {
					require.Nil(t, call.Err())
				} else {
					require.Equal(t, c.code, call.Err().Code)
				}
			}
		})
	}
}

// feed gives a stream to a call in pieces and returns what came of it.
func feed(call provider.Call, stream string, size int) string {
	var out strings.Builder
	for done := false; !done; {
		piece := stream[:min(size, len(stream))]
		stream = stream[len(piece):]
		var b []byte
		b, done = call.Chunk([]byte(piece), stream == "")
		out.Write(b)
		done = done || stream == ""
	}
	return out.String()
}

// TestStreamEndsAtOnce: the end is told with the bytes that hold it, not with
// the connection's end.
func TestStreamEndsAtOnce(t *testing.T) {
	call := openCall(t, openAIChat, dialect.Chat, `{"model":"e","messages":[1],"stream":true}`)
	out, done := call.Chunk([]byte(sseOf(chunkStop)), false)
	assert.Equal(t, sseOf(chunkStop), string(out))
	assert.False(t, done)
	out, done = call.Chunk([]byte(sseOf(chunkUsage, "[DONE]")), false)
	assert.Equal(t, sseOf("[DONE]"), string(out))
	assert.True(t, done)
}

func TestMLflowStreams(t *testing.T) {
	call := openMLflow(t, dialect.Completions, true)
	in := sseOf(`{"id":"c","object":"text_completion","created":5,"model":"m","choices":[{"text":"hi","index":0,"logprobs":null,"finish_reason":null}],"usage":null}`,
		`{"id":"c","object":"text_completion","created":5,"model":"m","choices":[{"text":"","index":0,"finish_reason":"stop"}]}`,
		`{"id":"c","object":"text_completion","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`, "[DONE]")
	want := sseOf(`{"id":"c","object":"text_completion_chunk","created":5,"model":"m","choices":[{"index":0,"finish_reason":null,"text":"hi"}],"usage":null}`,
		`{"id":"c","object":"text_completion_chunk","created":5,"model":"m","choices":[{"index":0,"finish_reason":"stop","text":""}],"usage":null}`,
		`{"id":"c","object":"text_completion_chunk","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
	assert.Equal(t, want, feed(call, in, 7))
	assert.Equal(t, dialect.Usage{Input: 1, Output: 2, Cached: -1, Reasoning: -1, CacheWrite: -1}, call.Usage())

	call = openMLflow(t, dialect.Chat, true)
	assert.Equal(t, sseOf(truncated), feed(call, "", 1))
	require.NotNil(t, call.Err())
}

// TestOpenAIRepliesPass: a whole reply reaches OpenAI's client byte for byte.
func TestOpenAIRepliesPass(t *testing.T) {
	body := "{ \"id\":\"1\", \"choices\" : [ {\"x\": 1.50} ], \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n"
	call := openCall(t, openAIChat, dialect.Chat, `{"model":"e","messages":[1]}`)
	reply := call.Complete(200, jsonHead, []byte(body))
	assert.Equal(t, body, string(reply.Body))
	assert.True(t, reply.Unchanged)
	assert.Nil(t, reply.Error)
	assert.Equal(t, dialect.Usage{Input: 3, Output: 4, Cached: -1, Reasoning: -1, CacheWrite: -1}, call.Usage())

	call = openCall(t, dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Embeddings}, dialect.Embeddings, `{"model":"e","input":"x"}`)
	reply = call.Complete(200, jsonHead, []byte(`{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}`))
	assert.Nil(t, reply.Error)
	assert.Equal(t, dialect.Usage{Input: 5, Output: 0, Cached: -1, Reasoning: -1, CacheWrite: -1}, call.Usage())
}
