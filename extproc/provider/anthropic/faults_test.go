package anthropic_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
)

// dialects are those that have a way of their own to Anthropic.
var dialects = []dialect.Dialect{dialect.MLflow, dialect.OpenAI, dialect.Anthropic}

const canary = "sk-ant-canary-0123456789"

// callOf opens a chat call in a dialect, with the canary as its key.
func callOf(t testing.TB, d dialect.Dialect, stream bool) kit.Call {
	t.Helper()
	switch d {
	case dialect.OpenAI:
		return openAICall(t, dialect.Chat, stream, false)
	case dialect.Anthropic:
		req := messagesRequest(t, dialect.Chat, `{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
		req.Stream = stream
		call, e := open(targetOf(nil), req, frozen)
		require.Nil(t, e)
		return call
	}
	call, e := open(targetOf(nil),
		mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}]}`), stream), frozen)
	require.Nil(t, e)
	return call
}

func errorBody(kind, message string) string {
	return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":"req_1"}`
}

// TestFaults: each failure of the provider has one reply per dialect,
// and none shows the key, although the provider repeats it.
func TestFaults(t *testing.T) {
	const asJSON = "application/json"
	for name, c := range map[string]struct {
		status         int
		ctype, body    string
		mlflow, openAI int // statuses
		code           string
		says           string // in MLflow's reply
		retry          bool   // the Retry-After that is always sent arrives
	}{
		"bad request": {400, asJSON, errorBody("invalid_request_error", "max_tokens: too high "+canary), 400, 400,
			dialect.CodeProviderRejected, "max_tokens: too high [redacted]", true},
		"bad key": {401, asJSON, errorBody("authentication_error", "invalid x-api-key "+canary), 401, 502,
			dialect.CodeProviderCredentialRejected, "invalid x-api-key [redacted]", false},
		"no permission": {403, asJSON, errorBody("permission_error", "not yours"), 403, 502,
			dialect.CodeProviderCredentialRejected, "not yours", false},
		"no model": {404, asJSON, errorBody("not_found_error", "model: claude-x"), 404, 404,
			dialect.CodeProviderRejected, "model: claude-x", true},
		"too large": {413, asJSON, errorBody("request_too_large", "Request exceeds the maximum size"), 413, 413,
			dialect.CodeProviderRejected, "Request exceeds the maximum size", true},
		"rate": {429, asJSON, errorBody("rate_limit_error", "slow down"), 429, 429,
			dialect.CodeProviderRateLimited, "slow down", true},
		"failure": {500, asJSON, errorBody("api_error", "Internal server error"), 500, 500,
			dialect.CodeProviderError, "Internal server error", true},
		"overloaded": {529, asJSON, errorBody("overloaded_error", "Overloaded"), 529, 503,
			dialect.CodeProviderOverloaded, "Overloaded", true},
		"error in a success": {200, asJSON, errorBody("overloaded_error", "Overloaded"), 529, 503, dialect.CodeProviderOverloaded, "Overloaded", false},
		"html":               {200, "text/html", "<html>" + canary, 502, 502, dialect.CodeProviderContentType, "text/html", true},
		"stream not asked":   {200, "text/event-stream", "data: {}\n\n", 502, 502, dialect.CodeProviderContentType, "text/event-stream", true},
		"gzip":               {200, asJSON, "\x1f\x8b", 502, 502, dialect.CodeProviderReply, "API promises", false},
		"not json":           {200, asJSON, `{"type":"message",` + canary, 502, 502, dialect.CodeProviderReply, "API promises", false},
		"not utf-8":          {200, asJSON, "{\"type\":\"message\",\"content\":[\"\xff\"]}", 502, 502, dialect.CodeProviderReply, "API promises", false},
		"not a message":      {200, asJSON, `{"id":"x"}`, 502, 502, dialect.CodeProviderReply, "API promises", false},
		"no content":         {200, asJSON, `{"type":"message","content":"x"}`, 502, 502, dialect.CodeProviderReply, "API promises", false},
		"empty":              {200, asJSON, ``, 502, 502, dialect.CodeProviderReply, "API promises", false},
		"deep":               {200, asJSON, `{"type":"message","content":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + "}", 502, 502, dialect.CodeProviderReply, "API promises", false},
		"redirect":           {302, "text/html", "", 502, 502, dialect.CodeProviderRedirect, "redirect", false},
		"broken error":       {500, asJSON, "oops", 500, 500, dialect.CodeProviderError, "Internal Server Error", true},
		"text error":         {503, "text/plain", "busy " + canary, 503, 503, dialect.CodeProviderError, "busy [redacted]", true},
	} {
		t.Run(name, func(t *testing.T) {
			head := headers("content-type", c.ctype, "retry-after", "7")
			for _, d := range dialects {
				call := callOf(t, d, false)
				r := call.Complete(c.status, head, []byte(c.body))
				require.NotNil(t, r.Error, d)
				require.Equal(t, c.code, r.Error.Code, d)
				status := map[dialect.Dialect]int{dialect.MLflow: c.mlflow, dialect.OpenAI: c.openAI, dialect.Anthropic: c.openAI}[d]
				if d == dialect.Anthropic && c.code == dialect.CodeProviderOverloaded {
					status = 529 // its own
				}
				require.Equal(t, status, r.Status, d)
				require.True(t, json.Valid(r.Body), "%s", r.Body)
				require.NotContains(t, string(r.Body), canary[:12])
				require.Equal(t, c.retry, contains(r.Headers, "retry-after", "7"), d)
				if d == dialect.MLflow {
					require.Contains(t, string(r.Body), c.says)
				}
				if c.code == dialect.CodeProviderCredentialRejected && d != dialect.MLflow {
					require.NotContains(t, string(r.Body), c.says)
					require.True(t, contains(r.Headers, "x-should-retry", "false"))
				}
				require.Equal(t, dialect.NoUsage, call.Usage())
			}
		})
	}
}

func contains(headers [][2]string, name, value string) bool {
	for _, h := range headers {
		if h == [2]string{name, value} {
			return true
		}
	}
	return false
}

const (
	startEvent = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"model\":\"claude-y\"," +
		"\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
	textEvents = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n" +
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
	deltaEvent = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n"
	stopEvent  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
)

// TestStreamFaults: a stream that fails ends with one error event,
// after all that came before it.
func TestStreamFaults(t *testing.T) {
	for name, c := range map[string]struct {
		in, code string
		hello    bool // the text came through
	}{
		"truncated at once":    {"", dialect.CodeStreamTruncated, false},
		"truncated":            {startEvent + textEvents, dialect.CodeStreamTruncated, true},
		"truncated in a line":  {startEvent + textEvents + "event: message_st", dialect.CodeStreamTruncated, true},
		"truncated in data":    {startEvent + textEvents + "data: {\"type\":\"message_stop\"", dialect.CodeStreamTruncated, true},
		"truncated at the end": {startEvent + textEvents + deltaEvent, dialect.CodeStreamTruncated, true},
		"error event": {startEvent + textEvents + "event: error\ndata: " + errorBody("overloaded_error", "Overloaded "+canary) + "\n\n",
			dialect.CodeProviderOverloaded, true},
		"error first":        {"event: error\ndata: " + errorBody("rate_limit_error", "slow down") + "\n\n", dialect.CodeProviderRateLimited, false},
		"unknown error":      {startEvent + "event: error\ndata: " + errorBody("new_error", "what") + "\n\n", dialect.CodeProviderError, false},
		"credential error":   {"event: error\ndata: " + errorBody("authentication_error", canary) + "\n\n", dialect.CodeProviderCredentialRejected, false},
		"not json":           {startEvent + textEvents + "data: <html>" + canary + "\n\n", dialect.CodeProviderReply, true},
		"not utf-8":          {startEvent + textEvents + "data: {\"type\":\"\xff\"}\n\n", dialect.CodeProviderReply, true},
		"no start":           {textEvents, dialect.CodeProviderReply, false},
		"stop without start": {stopEvent, dialect.CodeProviderReply, false},
		"too large an event": {startEvent + textEvents + "data: " + strings.Repeat("x", 9<<20), dialect.CodeProviderReply, true},
		"too deep an event":  {startEvent + textEvents + "data: " + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + "\n\n", dialect.CodeProviderReply, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range dialects {
				call := callOf(t, d, true)
				out, done := call.Chunk([]byte(c.in), false)
				if !done {
					more, last := call.Chunk(nil, true)
					out, done = append(out, more...), last
				}
				require.True(t, done)
				require.NotNil(t, call.Err(), d)
				require.Equal(t, c.code, call.Err().Code, d)
				list := allEvents(t, out)
				require.NotEmpty(t, list)
				require.Equal(t, c.hello, strings.Contains(string(out), "Hello"), d)
				require.NotContains(t, string(out), "[DONE]")
				require.NotContains(t, string(out), canary[:12])
				for i, e := range list {
					var v struct {
						Error *struct{ Message, Code string }
					}
					require.NoError(t, json.Unmarshal([]byte(e), &v))
					require.Equal(t, i == len(list)-1, v.Error != nil, "%s", out)
				}
				again, done := call.Chunk([]byte(startEvent+textEvents+stopEvent), true)
				require.True(t, done)
				require.Empty(t, again, "nothing comes after the end")
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	whole := startEvent + textEvents + deltaEvent + stopEvent
	for _, d := range dialects {
		call := callOf(t, d, true)
		out, done := call.Chunk([]byte(startEvent+textEvents+deltaEvent), false)
		require.False(t, done)
		require.Nil(t, call.Err())
		// MLflow's streams end with the last chunk: it must not leave before
		// the stream is known to be whole.
		require.Equal(t, d == dialect.OpenAI, bytes.Contains(out, []byte(`"finish_reason":"stop"`)))
		last, done := call.Chunk([]byte(stopEvent+"data: junk after the end\n\n"), false)
		require.True(t, done)
		require.NotEmpty(t, last)
		require.Nil(t, call.Err())
		require.Equal(t, dialect.Usage{Input: 3, Output: 9, Cached: -1, Reasoning: -1, CacheWrite: -1}, call.Usage())

		// Only the last blank line is missing.
		call = callOf(t, d, true)
		all, done := call.Chunk([]byte(strings.TrimSuffix(whole, "\n")), true)
		require.True(t, done)
		require.Nil(t, call.Err())
		require.Equal(t, string(out)+string(last), string(all))
	}
}

func TestTarget(t *testing.T) {
	call, e := open(targetOf(map[string]string{
		"anthropic_api_base": "https://proxy.example:8443/a/v1/", "anthropic_version": "2024-01-01",
	}), openAIRequest(t, dialect.Chat, []byte(`{"model":"e","messages":[{"role":"user","content":"hi"}],"stream":true}`)), frozen)
	require.Nil(t, e)
	up := call.Upstream()
	require.Equal(t, "POST", up.Method)
	require.Equal(t, "/a/v1/messages", up.Path)
	require.ElementsMatch(t, [][2]string{
		{"x-api-key", canary}, {"anthropic-version", "2024-01-01"},
		{"content-type", "application/json"}, {"accept", "text/event-stream"},
	}, up.Headers)
	require.NotContains(t, string(up.Body), canary)

	address, err := anthropic.Provider.Address(targetOf(map[string]string{"anthropic_api_base": "https://proxy.example:8443/a/v1/"}))
	require.NoError(t, err)
	require.Equal(t, kit.Address{TLS: true, Host: "proxy.example", Port: 8443, BasePath: "/a/v1"}, address)
	require.Empty(t, anthropic.Provider.CheckTarget(targetOf(nil), kit.TypeChat))
	require.NotEmpty(t, anthropic.Provider.CheckTarget(kit.Target{Provider: "anthropic", Model: "m"}, kit.TypeChat))
}

// TestNotImplemented: MLflow's words for what it has not.
func TestNotImplemented(t *testing.T) {
	for _, c := range []struct {
		op     dialect.Operation
		stream bool
		want   string
	}{
		{dialect.Embeddings, false, "The embeddings route is not implemented for Anthropic models."},
		{dialect.Completions, true, "The completions streaming route is not implemented for Anthropic models."},
	} {
		_, e := open(targetOf(nil), mlflowRequest(c.op, []byte(`{"prompt":"hi","input":"hi"}`), c.stream), frozen)
		require.NotNil(t, e)
		require.Equal(t, 501, e.Status)
		require.Equal(t, c.want, e.Message)
	}
}

// TestDeepArguments: what a client nests inside a string is bounded too.
func TestDeepArguments(t *testing.T) {
	deep := strings.Repeat("[", 5e6) + strings.Repeat("]", 5e6)
	body := `{"model":"e","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":` + deep + `}"}}]}]}`
	_, e := open(targetOf(nil), openAIRequest(t, dialect.Chat, []byte(body)), frozen)
	require.NotNil(t, e)
	require.Equal(t, "messages[1].tool_calls[0].function.arguments", e.Param)
	_, e = open(targetOf(nil), mlflowRequest(dialect.Chat, []byte(strings.Replace(body, `"model":"e",`, "", 1)), false), frozen)
	require.NotNil(t, e)
	require.Equal(t, 422, e.Status)
	require.Contains(t, e.Message, "messages[1].tool_calls[0].function.arguments")
}
