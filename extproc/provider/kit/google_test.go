package kit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// TestFaultsOfGoogle is how failures of Google's APIs are told: by their status
// name, in an object or a list, with what the details say of keys and of time.
func TestFaultsOfGoogle(t *testing.T) {
	p := &kit.Provider{ID: "gemini", Title: "Gemini", Fields: []kit.Field{{Name: "key", Secret: true}}}
	target := kit.Target{Model: "m", Config: map[string]string{"key": "canary-0123456789"}}
	const ours = "The provider refused the credential of this endpoint. Tell an administrator."
	const invalid = `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"`
	const quota = `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}`
	for _, c := range []struct {
		name, after, body string
		status            int
		dialect           dialect.Dialect
		want              dialect.Error
	}{
		{"quota", "", quota, 429, dialect.OpenAI, dialect.Error{Status: 429, Code: dialect.CodeProviderRateLimited,
			ProviderCode: "RESOURCE_EXHAUSTED", Message: "Quota exceeded", Headers: [][2]string{{"retry-after", "35"}}}},
		{"quota with header", "7", quota, 429, dialect.OpenAI, dialect.Error{Status: 429, Code: dialect.CodeProviderRateLimited,
			ProviderCode: "RESOURCE_EXHAUSTED", Message: "Quota exceeded", Headers: [][2]string{{"retry-after", "7"}}}},
		{"in a list", "", "[" + `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}` + "\n]", 503, dialect.Gemini,
			dialect.Error{Status: 503, Code: dialect.CodeProviderError, ProviderCode: "UNAVAILABLE", Message: "The model is overloaded."}},
		{"in a list for MLflow", "", `[{"error":{"code":404,"message":"models/canary-0123456789 is not found","status":"NOT_FOUND"}}]`, 404, dialect.MLflow,
			dialect.Error{Status: 404, Code: dialect.CodeProviderRejected, ProviderCode: "NOT_FOUND", Message: "models/[redacted] is not found"}},
		{"key", "", invalid + `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`, 400, dialect.OpenAI,
			dialect.Error{Status: 502, Code: dialect.CodeProviderCredentialRejected, Message: ours, NoRetry: true}},
		{"key without details", "", invalid + "}}", 400, dialect.Gemini,
			dialect.Error{Status: 502, Code: dialect.CodeProviderCredentialRejected, Message: ours, NoRetry: true}},
		{"key for MLflow", "", invalid + "}}", 400, dialect.MLflow, dialect.Error{Status: 400, Code: dialect.CodeProviderCredentialRejected,
			Message: "API key not valid. Please pass a valid API key.", NoRetry: true}},
		{"argument", "", `{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, 400, dialect.Anthropic,
			dialect.Error{Status: 400, Code: dialect.CodeProviderRejected, ProviderCode: "INVALID_ARGUMENT", Message: "bad"}},
		{"odd details", "", `{"error":{"code":500,"message":"m","status":"INTERNAL","details":{"a":[1]}}}`, 500, dialect.OpenAI,
			dialect.Error{Status: 500, Code: dialect.CodeProviderError, ProviderCode: "INTERNAL", Message: "m"}},
		{"another's status", "", `{"error":{"message":"m","status":"nope"}}`, 400, dialect.OpenAI,
			dialect.Error{Status: 400, Code: dialect.CodeProviderRejected, Message: "m"}},
		{"a list of something else", "", `[1,2]`, 400, dialect.OpenAI,
			dialect.Error{Status: 400, Code: dialect.CodeProviderRejected, Message: "Bad Request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := kit.NewFaults(p, target, c.dialect, "ex-1")
			header := func(name string) string {
				return map[string]string{"content-type": "application/json; charset=UTF-8", "retry-after": c.after}[name]
			}
			require.Equal(t, &c.want, f.Read(c.status, header, []byte(c.body)))
		})
	}
}

// scripted is a call whose stream is what came.
type scripted struct {
	kit.Call
	err *dialect.Error
}

func (s *scripted) StreamContentType() string               { return sse.ContentType }
func (s *scripted) Err() *dialect.Error                     { return s.err }
func (s *scripted) Chunk(b []byte, end bool) ([]byte, bool) { return b, end }

// TestReframe: a Gemini client gets a JSON array unless it asks for events.
func TestReframe(t *testing.T) {
	const stream = "data: {\"a\":1}\n\n: wait\n\ndata: {\"b\":2}\n\ndata: {\"error\":{}}\n\n"
	gemini := func(query string) *dialect.Request {
		return &dialect.Request{Route: dialect.Route{Dialect: dialect.Gemini, Stream: true}, Stream: true, Query: query}
	}
	for _, query := range []string{"alt=sse", "key=x&alt=sse"} {
		call := kit.Reframe(gemini(query), &scripted{})
		require.Equal(t, sse.ContentType, call.StreamContentType())
		out, _ := call.Chunk([]byte(stream), true)
		require.Equal(t, stream, string(out))
	}
	other := gemini("")
	other.Dialect = dialect.OpenAI
	require.Equal(t, sse.ContentType, kit.Reframe(other, &scripted{}).StreamContentType())
	for _, query := range []string{"", "alt=json", "alt=sse2"} {
		require.Equal(t, dialect.ContentTypeJSON, kit.Reframe(gemini(query), &scripted{}).StreamContentType())
		for cut := range len(stream) + 1 {
			call := kit.Reframe(gemini(query), &scripted{})
			out, done := call.Chunk([]byte(stream[:cut]), false)
			require.False(t, done)
			rest, done := call.Chunk([]byte(stream[cut:]), true)
			require.True(t, done)
			require.JSONEq(t, `[{"a":1},{"b":2},{"error":{}}]`, string(out)+string(rest))
			again, done := call.Chunk(nil, true)
			require.True(t, done)
			require.Empty(t, again)
		}
	}
	empty, _ := kit.Reframe(gemini(""), &scripted{}).Chunk(nil, true)
	require.JSONEq(t, "[]", string(empty))
}
