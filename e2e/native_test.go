package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// TestNative: the provider's own API passes untouched, with the endpoint's
// credential and without the client's, recorded.
func TestNative(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	body := `{ "model": "gpt-4o-mini",  "messages": [{"role":"user","content":"hello"}], "unknown_to_us": [1, 2.50] }`
	g.OpenAI.Always(&simulate.Act{})
	r := g.Call("POST", "/native/chat-openai/v1/chat/completions?a=b%2Fc", "", body,
		"Api-Key", g.UserToken, "OpenAI-Beta", "x=1", "Cookie", "c=1", "X-Mlflow-Client-Version", "3")
	require.Contains(t, []int{200, 400}, r.Status, string(r.Body)) // the stand-in refuses what is not published
	got := g.OpenAI.Requests()[0]
	require.Equal(t, body, string(got.Body), "byte for byte")
	require.Equal(t, "/v1/chat/completions", got.Path)
	require.Equal(t, "a=b%2Fc", got.Query)
	require.Equal(t, "Bearer "+rig.OpenAIKey, got.Header.Get("Authorization"))
	require.Equal(t, "x=1", got.Header.Get("Openai-Beta"))
	for _, name := range []string{"Api-Key", "Cookie", "X-Mlflow-Client-Version", "X-Forwarded-For", "X-Request-Id"} {
		require.Empty(t, got.Header.Get(name), name)
	}
	rec := record(t, g, r.Header.Get("X-Request-Id"))
	require.Equal(t, "native", rec["exchange"].(map[string]any)["operation"])
	require.Equal(t, body, rec["requestBody"])
	require.Equal(t, string(r.Body), rec["responseBody"])

	g.OpenAI.Forget()
	stream := strings.Replace(body, `"unknown_to_us": [1, 2.50]`, `"stream": true, "stream_options": {"include_usage": true}`, 1)
	r = g.Call("POST", "/gateway/proxy/chat-openai/v1/chat/completions", g.UserToken, stream)
	require.Equal(t, 200, r.Status, string(r.Body))
	require.Contains(t, string(r.Body), "data: [DONE]\n\n")
	rec = record(t, g, r.Header.Get("X-Request-Id"))
	require.Contains(t, rec["responseBody"], `"content":"gpt-4o-mini at the OpenAI stand-in heard: hello"`, "the message, put together")
	require.Equal(t, "message", outcome(t, rec)["bodyForm"])
	require.Greater(t, outcome(t, rec)["inputTokens"], 0.0)

	for _, method := range []string{"GET", "DELETE", "HEAD", "PUT", "PATCH"} {
		g.OpenAI.Forget()
		r = g.Call(method, "/native/chat-openai/v1/models", g.UserToken, "")
		require.NotEmpty(t, g.OpenAI.Requests(), method)
		require.Equal(t, method, g.OpenAI.Requests()[0].Method)
		require.Equal(t, "native", record(t, g, r.Header.Get("X-Request-Id"))["exchange"].(map[string]any)["operation"])
	}
}

// TestNativeRefusals: what is not allowed is told so that every SDK finds it.
func TestNativeRefusals(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	for name, c := range map[string]struct {
		method, path, token, body string
		status                    int
		code                      string
	}{
		"no credential":      {"POST", "/native/chat-openai/v1/x", "", "{}", http.StatusUnauthorized, "no_credential"},
		"no such endpoint":   {"GET", "/native/nowhere/v1/x", g.UserToken, "", http.StatusNotFound, "endpoint_not_found"},
		"another model":      {"POST", "/native/chat-openai/v1/chat/completions", g.UserToken, `{"model":"gpt-99"}`, http.StatusForbidden, "native_model"},
		"a model in a path":  {"POST", "/native/chat-openai/model/other%3A1%2Fx/converse", g.UserToken, "{}", http.StatusForbidden, "native_model"},
		"a model twice":      {"POST", "/native/chat-openai/v1/chat/completions", g.UserToken, `{"model":"gpt-4o-mini","model":"gpt-99"}`, http.StatusForbidden, "native_model"},
		"in another case":    {"POST", "/native/chat-openai/v1/chat/completions", g.UserToken, `{"model":"gpt-4o-mini","Model":"gpt-99"}`, http.StatusForbidden, "native_model"},
		"an escaped word":    {"POST", "/native/chat-openai/v1/%6dodels/gpt-99:x", g.UserToken, "{}", http.StatusForbidden, "native_model"},
		"escaped slashes":    {"POST", "/native/chat-openai/v1%2Fmodels%2Fgpt-99:x", g.UserToken, "{}", http.StatusForbidden, "native_model"},
		"not JSON for all":   {"POST", "/native/chat-openai/v1/chat/completions", g.UserToken, `{"model":"gpt-99","x":NaN}`, http.StatusForbidden, "native_unnamed"},
		"no model":           {"POST", "/native/chat-openai/v1/moderations", g.UserToken, `{"input":"x"}`, http.StatusForbidden, "native_unnamed"},
		"a batch":            {"POST", "/native/chat-openai/v1/batches", g.UserToken, `{"model":"gpt-4o-mini","input_file_id":"f"}`, http.StatusForbidden, "native_unnamed"},
		"escaped twice":      {"GET", "/native/chat-openai/v1/%252e%252e/admin", g.UserToken, "", http.StatusNotFound, "route_not_found"},
		"a way back up":      {"GET", "/native/chat-openai/v1/..%2F..%2Fadmin", g.UserToken, "", http.StatusNotFound, "route_not_found"},
		"slash in the name":  {"GET", "/native/chat%2Fopenai/v1", g.UserToken, "", http.StatusNotFound, "route_not_found"},
		"the practice model": {"GET", "/native/practice/v1/models", g.UserToken, "", http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := g.Call(c.method, c.path, c.token, c.body)
			if c.code == "" {
				require.NotEqual(t, http.StatusUnauthorized, r.Status)
				return
			}
			require.Equal(t, c.status, r.Status, string(r.Body))
			v := r.JSON(t)
			require.Equal(t, c.code, v["code"])
			require.Equal(t, c.code, v["error"].(map[string]any)["code"])
			require.Equal(t, v["message"], v["error"].(map[string]any)["message"])
		})
	}
	r := g.Call("POST", "/native/chat-openai/v1/chat/completions", g.UserToken, "\x1f\x8b", "Content-Encoding", "gzip")
	require.Equal(t, http.StatusUnsupportedMediaType, r.Status, string(r.Body))
	require.Empty(t, g.OpenAI.Requests())

	// What tells of another call than the policy saw, or of the client, stays here.
	r = g.Call("GET", "/native/chat-openai/v1/models?key="+g.UserToken+"&limit=1&X-Amz-Signature=s", g.UserToken, "",
		"X-HTTP-Method-Override", "DELETE", "X-Original-Url", "/v1/files", "X-Portkey-Custom-Host", "https://elsewhere.example.com",
		"OpenAI-Organization", "another", "Connection", "keep-alive, X-Hop", "X-Hop", "1")
	require.Len(t, g.OpenAI.Requests(), 1)
	got := g.OpenAI.Requests()[0]
	require.Equal(t, "limit=1", got.Query)
	for _, name := range []string{"X-Http-Method-Override", "X-Original-Url", "X-Portkey-Custom-Host", "Openai-Organization", "Connection"} {
		require.Empty(t, got.Header.Get(name), name)
	}
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "sandbox")
}
