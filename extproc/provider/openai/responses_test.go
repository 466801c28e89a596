package openai_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

func openResponses(t testing.TB, body string) provider.Call {
	t.Helper()
	call, e := openDialect(t, testTarget, dialect.Responses, dialect.Chat, body)
	require.Nil(t, e, "%+v", e)
	return call
}

// TestResponsesBodies: all but the model stays byte for byte.
func TestResponsesBodies(t *testing.T) {
	in := `{ "model":"e", "previous_response_id":"resp_1","tools":[{"type":"web_search"}], "x":1.50,"stream":true,"stream_options":{"include_obfuscation":false}}`
	call := openResponses(t, in)
	assert.Equal(t, strings.Replace(in, `"e"`, `"gpt-x"`, 1), string(call.Upstream().Body))
	assert.True(t, call.IsStream("text/event-stream"))
}

const wholeResponse = `{ "id":"resp_1","object":"response","status":"completed","error":null,"output":[{"x": 1.50}],"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}`

var responseCounts = dialect.Usage{Input: 7, Output: 9, Cached: 3, Reasoning: 2, CacheWrite: -1}

func TestResponsesReplies(t *testing.T) {
	call := openResponses(t, `{"model":"e","input":"hi"}`)
	reply := call.Complete(200, jsonHead, []byte(wholeResponse))
	assert.Nil(t, reply.Error)
	assert.True(t, reply.Unchanged)
	assert.Equal(t, wholeResponse, string(reply.Body))
	assert.Equal(t, responseCounts, call.Usage())
	for body, want := range map[string][2]any{ // status, code
		`{"status":"failed","output":[],"error":{"code":"server_error","message":"bad ` + testKey + `"}}`: {500, "server_error"},
		`{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"slow"}}`:         {429, "rate_limit_exceeded"},
		`{"error":{"message":"m","type":"invalid_request_error","code":"c"}}`:                             {400, "c"},
		`{}`: {502, "provider_invalid_reply"},
		`x`:  {502, "provider_invalid_reply"},
	} {
		reply := openResponses(t, `{"model":"e","input":"hi"}`).Complete(200, jsonHead, []byte(body))
		require.NotNil(t, reply.Error, body)
		assert.Equal(t, want[0], reply.Status, body)
		assert.Equal(t, want[1], gjson.GetBytes(reply.Body, "error.code").Str, body)
		assert.NotContains(t, string(reply.Body), testKey)
	}
	reply = openResponses(t, `{"model":"e","input":"hi"}`).Complete(401, jsonHead, []byte(`{"error":{"message":"bad `+testKey+`"}}`))
	assert.Equal(t, 502, reply.Status)
	assert.NotContains(t, string(reply.Body), testKey)
}

func TestResponsesStreams(t *testing.T) {
	ev := func(kind, rest string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"," + rest + "}\n\n"
	}
	created := ev("response.created", `"sequence_number":0,"response":{"id":"resp_1"}`)
	delta := ev("response.output_text.delta", `"sequence_number":1,"delta":"a"`)
	completed := ev("response.completed", `"sequence_number":2,"response":`+wholeResponse)
	incomplete := ev("response.incomplete", `"sequence_number":2,"response":`+wholeResponse)
	for _, c := range []struct {
		name, in, passed string // passed: what comes as it came
		code             string // of the record; "" where nothing failed
		told             string // code of the client's event
		sequence         int64  // of the failure
		count            dialect.Usage
	}{
		{"whole", created + ": ping\n\n" + delta + completed, created + ": ping\n\n" + delta + completed, "", "", 0, responseCounts},
		{"incomplete", created + incomplete, created + incomplete, "", "", 0, responseCounts},
		{"nothing after the end", created + completed + delta, created + completed, "", "", 0, responseCounts},
		{"the end without a blank line", created + strings.TrimSuffix(completed, "\n"), created + completed, "", "", 0, responseCounts},
		{"truncated", created + delta, created + delta, "stream_truncated", "server_error", 2, dialect.NoUsage},
		{"cut inside an event", created + delta[:20], created, "stream_truncated", "server_error", 1, dialect.NoUsage},
		{"nothing", "", "", "stream_truncated", "server_error", 0, dialect.NoUsage},
		{"not JSON", created + "data: <html>\n\n", created, "provider_invalid_reply", "server_error", 1, dialect.NoUsage},
		{"failed", created + ev("response.failed", `"sequence_number":1,"response":{"error":{"code":"rate_limit_exceeded","message":"bad `+testKey+`"}}`), created,
			"provider_rate_limited", "rate_limit_exceeded", 1, dialect.NoUsage},
		{"error event", created + ev("error", `"code":"context_length_exceeded","message":"bad `+testKey+`","param":null,"sequence_number":1`), created,
			"provider_rejected_request", "context_length_exceeded", 1, dialect.NoUsage},
		{"error object", created + ev("error", `"error":{"code":null,"message":"bad `+testKey+`","type":"x"},"sequence_number":1`), created,
			"provider_error", "server_error", 1, dialect.NoUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.in)+1; size += 1 + size/8 {
				call := openResponses(t, `{"model":"e","input":"hi","stream":true}`)
				out := feed(call, c.in, size)
				require.Equal(t, c.count, call.Usage())
				if c.code == "" {
					require.Equal(t, c.passed, out)
					require.Nil(t, call.Err())
					continue
				}
				require.NotNil(t, call.Err())
				require.Equal(t, c.code, call.Err().Code)
				require.True(t, strings.HasPrefix(out, c.passed), out)
				last := strings.TrimPrefix(out[len(c.passed):], "event: response.failed\ndata: ")
				require.Equal(t, c.told, gjson.Get(last, "response.error.code").Str, last)
				require.Equal(t, c.sequence, gjson.Get(last, "sequence_number").Int(), last)
				require.Equal(t, "ex-1", gjson.Get(last, "response.error.exchange_id").Str)
				require.NotContains(t, out, testKey)
				if c.passed != "" {
					require.Equal(t, "resp_1", gjson.Get(last, "response.id").Str)
				}
			}
		})
	}
}

// FuzzResponsesStream: a stream cut anywhere gives what it gives whole.
func FuzzResponsesStream(f *testing.F) {
	f.Add([]byte("event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\ndata: {\"type\":\"response.completed\",\"response\":"+wholeResponse+"}\n\n"), uint16(3))
	f.Add([]byte("data: {\"type\":\"error\",\"error\":{\"code\":5}}\r\n\r\n"), uint16(1))
	f.Add([]byte(": x\n\ndata: {\"type\":\"response.failed\",\"sequence_number\":1e300,\"response\":[]}\n\n"), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		whole, cut := openResponses(t, `{"model":"e","input":"x","stream":true}`), openResponses(t, `{"model":"e","input":"x","stream":true}`)
		require.Equal(t, feed(whole, string(stream), len(stream)+1), feed(cut, string(stream), int(size)+1))
		require.Equal(t, whole.Usage(), cut.Usage())
		require.Equal(t, whole.Err(), cut.Err())
	})
}
