package openai_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// azureConfig is a target at Azure; pairs change it.
func azureConfig(pairs ...string) map[string]string {
	m := map[string]string{
		"openai_api_type": "azure", "openai_api_key": testKey, "openai_api_base": "https://x.openai.azure.com",
		"openai_deployment_name": "dep/1", "openai_api_version": "2024-10-21",
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

var entraPairs = []string{
	"openai_api_type", "azuread", "openai_api_key", "", "openai_azure_tenant_id", "t",
	"openai_azure_client_id", "c", "openai_azure_client_secret", "s-canary-0123456789",
}

// clientCalls are chat calls of every client dialect but MLflow's and OpenAI's.
var clientCalls = map[dialect.Dialect]string{
	dialect.Responses: `{"model":"e","input":"hi","max_output_tokens":16}`,
	dialect.Anthropic: `{"model":"e","messages":[{"role":"user","content":"hi"}],"max_tokens":16}`,
	dialect.Gemini:    `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":16}}`,
}

func openDialect(t testing.TB, target provider.Target, d dialect.Dialect, op dialect.Operation, body string) (provider.Call, *dialect.Error) {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: op, Endpoint: "e"}, op, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return provider.Open(target, req, testEnv)
}

// TestDialects: what each client dialect becomes at each kind of target.
func TestDialects(t *testing.T) {
	const carried, limited = `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":16}`,
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":16}`
	for _, c := range []struct {
		provider string
		config   map[string]string
		dialect  dialect.Dialect
		op       dialect.Operation
		body     string
		path     string
		want     string
	}{
		{"openai", map[string]string{"openai_api_key": "k"}, dialect.Responses, dialect.Chat, "", "/v1/responses",
			`{"model":"m","input":"hi","max_output_tokens":16}`},
		{"openai", azureConfig(), dialect.Responses, dialect.Chat, "", "/openai/v1/responses",
			`{"model":"dep/1","input":"hi","max_output_tokens":16}`},
		{"groq", map[string]string{"api_key": "k"}, dialect.Responses, dialect.Chat, "", "/openai/v1/chat/completions", carried},
		{"practice", nil, dialect.Responses, dialect.Chat, "", "/v1/chat/completions", carried},
		{"openai", map[string]string{"openai_api_key": "k"}, dialect.Anthropic, dialect.Chat, "", "/v1/chat/completions", limited},
		{"openai", azureConfig(), dialect.Anthropic, dialect.Chat, "", "/openai/deployments/dep%2F1/chat/completions?api-version=2024-10-21", limited},
		{"ollama", nil, dialect.Anthropic, dialect.Chat, "", "/v1/chat/completions", carried},
		{"openai", map[string]string{"openai_api_key": "k"}, dialect.Gemini, dialect.Chat, "", "/v1/chat/completions", limited},
		{"deepseek", map[string]string{"api_key": "k"}, dialect.Gemini, dialect.Chat, "", "/v1/chat/completions", carried},
		{"groq", map[string]string{"api_key": "k"}, dialect.OpenAI, dialect.Completions, `{"model":"e","prompt":"hi","max_tokens":16}`,
			"/openai/v1/chat/completions", carried},
		{"openrouter", map[string]string{"api_key": "k"}, dialect.OpenAI, dialect.Completions, `{"model":"e","prompt":"hi","max_tokens":16}`,
			"/api/v1/completions", `{"model":"m","prompt":"hi","max_tokens":16}`},
		{"perplexity", map[string]string{"api_key": "k"}, dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[1],"stream":true}`,
			"/chat/completions", `{"model":"m","messages":[1],"stream":true}`},
		{"hosted_vllm", map[string]string{"api_base": "http://h:8000/v1"}, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":["a"],"dimensions":3}`,
			"/v1/embeddings", `{"model":"m","input":["a"],"dimensions":3}`},
	} {
		body := c.body
		if body == "" {
			body = clientCalls[c.dialect]
		}
		call, e := openDialect(t, provider.Target{Provider: c.provider, Model: "m", Config: c.config}, c.dialect, c.op, body)
		require.Nil(t, e, "%+v", e)
		up := call.Upstream()
		assert.Equal(t, c.path, up.Path, "%s %s", c.provider, c.dialect)
		assert.Equal(t, c.want, string(up.Body), "%s %s", c.provider, c.dialect)
	}
}

// TestCarriedReplies: every dialect's client reads a chat completion in its
// own shape, whole and streamed, and is told failures in it.
func TestCarriedReplies(t *testing.T) {
	const whole = `{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"hey"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`
	stream := sseOf(`{"id":"1","choices":[{"index":0,"delta":{"content":"hey"},"finish_reason":null}]}`,
		`{"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, "[DONE]")
	counted := dialect.Usage{Input: 3, Output: 4, Cached: -1, Reasoning: -1, CacheWrite: -1}
	target := provider.Target{Provider: "groq", Model: "m", Config: map[string]string{"api_key": testKey}}
	for d, at := range map[dialect.Dialect]string{
		dialect.Responses: "output.0.content.0.text", dialect.Anthropic: "content.0.text", dialect.Gemini: "candidates.0.content.parts.0.text",
	} {
		call, e := openDialect(t, target, d, dialect.Chat, clientCalls[d])
		require.Nil(t, e)
		reply := call.Complete(200, jsonHead, []byte(whole))
		require.Nil(t, reply.Error)
		assert.Equal(t, "hey", gjson.GetBytes(reply.Body, at).Str, "%s: %s", d, reply.Body)
		assert.Equal(t, counted, call.Usage())

		for _, body := range []string{whole, `{"error":{"message":"bad ` + testKey + `","type":"x"}}`, `{}`, `[`} {
			for _, status := range []int{200, 401, 429, 500} {
				call, _ := openDialect(t, target, d, dialect.Chat, clientCalls[d])
				reply := call.Complete(status, jsonHead, []byte(body))
				require.True(t, json.Valid(reply.Body), "%s", reply.Body)
				require.NotContains(t, string(reply.Body), testKey)
				require.Equal(t, status != 200 || body != whole, reply.Error != nil)
			}
		}

		streaming := func() provider.Call {
			req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: dialect.Chat, Endpoint: "e"}, dialect.Chat, "application/json", []byte(clientCalls[d]))
			require.Nil(t, e)
			req.Stream = true
			call, e := provider.Open(target, req, testEnv)
			require.Nil(t, e)
			require.Equal(t, true, gjson.GetBytes(call.Upstream().Body, "stream").Bool())
			return call
		}
		call = streaming()
		require.Contains(t, feed(call, stream, 5), "hey")
		require.Nil(t, call.Err())
		assert.Equal(t, counted, call.Usage())
		call = streaming()
		out := feed(call, sseOf(`{"id":"1","choices":[{"index":0,"delta":{"content":"hey"}}]}`, `{"error":{"message":"bad `+testKey+`","code":429}}`), 5)
		require.NotNil(t, call.Err())
		require.Equal(t, dialect.CodeProviderRateLimited, call.Err().Code)
		require.NotContains(t, out, testKey)
		require.Contains(t, out, "bad [redacted]")
		call = streaming()
		feed(call, sseOf(`{"id":"1","choices":[{"index":0,"delta":{"content":"hey"}}]}`), 5)
		require.Equal(t, dialect.CodeStreamTruncated, call.Err().Code)
	}
}

// TestNotImplemented: what no translation exists for is 501.
func TestNotImplemented(t *testing.T) {
	target := provider.Target{Provider: "groq", Model: "m", Config: map[string]string{"api_key": "k"}}
	for _, c := range []struct {
		dialect dialect.Dialect
		op      dialect.Operation
		body    string
	}{
		{dialect.MLflow, dialect.Completions, `{"prompt":"x"}`},
		{dialect.Anthropic, dialect.CountTokens, clientCalls[dialect.Anthropic]},
	} {
		req, e := dialect.Parse(dialect.Route{Dialect: c.dialect, Operation: c.op, Endpoint: "e"}, c.op, "application/json", []byte(c.body))
		if c.op == dialect.CountTokens {
			req, e = dialect.Parse(dialect.Route{Dialect: c.dialect, Operation: c.op}, dialect.Chat, "application/json", []byte(c.body))
		}
		require.Nil(t, e, "%+v", e)
		p, _ := provider.Lookup("groq")
		_, e = p.Open(p, target, req, testEnv)
		require.NotNil(t, e)
		assert.Equal(t, 501, e.Status)
	}
}

// TestEntra: client credentials in place of a key.
func TestEntra(t *testing.T) {
	p, _ := provider.Lookup("openai")
	target := provider.Target{Provider: "openai", Model: "m", Config: azureConfig(entraPairs...)}
	require.Empty(t, provider.Check(target, provider.TypeChat))
	credential, ok := p.Credential(target)
	require.True(t, ok)
	assert.Equal(t, kit.Credential{Kind: kit.EntraID, Params: map[string]string{
		"tenant_id": "t", "client_id": "c", "client_secret": "s-canary-0123456789", "scope": "https://cognitiveservices.azure.com/.default",
	}}, credential)
	call, e := openDialect(t, target, dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[1]}`)
	require.Nil(t, e)
	for _, h := range call.Upstream().Headers {
		assert.NotContains(t, []string{"authorization", "api-key"}, h[0])
	}
	reply := call.Complete(400, jsonHead, []byte(`{"error":{"message":"no s-canary-0123456789"}}`))
	assert.NotContains(t, string(reply.Body), "s-canary")

	for name, c := range map[string]struct {
		config []string
		want   string
	}{
		"no key":      {[]string{"openai_api_key", ""}, "openai_api_key"},
		"half":        {append(slices.Clone(entraPairs), "openai_azure_client_id", ""), "openai_azure_client_id"},
		"not azuread": {append(slices.Clone(entraPairs), "openai_api_type", "azure"), "openai_azure_tenant_id"},
		"both":        {append(slices.Clone(entraPairs), "openai_api_key", "k"), "openai_api_key"},
	} {
		errs := provider.Check(provider.Target{Provider: "openai", Model: "m", Config: azureConfig(c.config...)}, provider.TypeChat)
		require.Len(t, errs, 1, name)
		assert.Equal(t, c.want, errs[0].Field, name)
	}
	_, ok = p.Credential(testTarget)
	assert.False(t, ok)
}

// TestNative: the root below which clients name the version themselves.
func TestNative(t *testing.T) {
	for _, c := range []struct {
		provider string
		config   map[string]string
		want     kit.Native
	}{
		{"openai", map[string]string{"openai_api_key": "k", "openai_organization": "o"},
			kit.Native{Headers: [][2]string{{"authorization", "Bearer k"}, {"openai-organization", "o"}}}},
		{"openai", map[string]string{"openai_api_key": "k", "openai_api_base": "https://h/proxy?a=b"},
			kit.Native{Root: "/proxy", Query: "a=b", Headers: [][2]string{{"authorization", "Bearer k"}}}},
		{"azure", azureConfig(), kit.Native{Query: "api-version=2024-10-21", Headers: [][2]string{{"api-key", testKey}}}},
		{"azure", azureConfig(entraPairs...), kit.Native{Query: "api-version=2024-10-21"}},
		{"groq", map[string]string{"api_key": "k"}, kit.Native{Root: "/openai", Headers: [][2]string{{"authorization", "Bearer k"}}}},
		{"zai", map[string]string{"api_key": "k"}, kit.Native{Root: "/api/paas", Headers: [][2]string{{"authorization", "Bearer k"}}}},
		{"perplexity", map[string]string{"api_key": "k"}, kit.Native{Headers: [][2]string{{"authorization", "Bearer k"}}}},
		{"ollama", nil, kit.Native{}},
		{"hosted_vllm", map[string]string{"api_base": "http://h/v1", "api_key": "none"}, kit.Native{}},
	} {
		p, _ := provider.Lookup(c.provider)
		got, err := p.Native(p, provider.Target{Provider: c.provider, Model: "m", Config: c.config})
		require.NoError(t, err)
		c.want.Dialect = dialect.OpenAI
		assert.Equal(t, c.want, got, c.provider)
	}
}

// TestFeatures holds what the rows say of streams against what they do.
func TestFeatures(t *testing.T) {
	for _, p := range provider.All() {
		base, hasBase := p.Field("api_base")
		if _, compatible := p.Field("api_key"); !compatible || !hasBase || p.ID == "portkey" || p.ID == "litellm" {
			continue
		}
		config := map[string]string{"api_key": "k"}
		if base.Default == "" {
			config["api_base"] = "http://h/v1"
		}
		target := provider.Target{Provider: p.ID, Model: "m", Config: config}
		require.Empty(t, provider.Check(target, provider.TypeChat), p.ID)
		for kind, body := range map[string]string{
			provider.TypeChat:        `{"model":"e","messages":[{"role":"user","content":"x"}],"stream":true}`,
			provider.TypeCompletions: `{"model":"e","prompt":"x","stream":true}`,
		} {
			op := provider.OperationOf(kind)
			call, e := openDialect(t, target, dialect.OpenAI, op, body)
			require.Nil(t, e, "%s %s", p.ID, kind)
			assert.Equal(t, slices.Contains(p.Features.Streams, kind), call.IsStream("text/event-stream"), "%s %s", p.ID, kind)
			assert.True(t, strings.HasPrefix(call.Upstream().Path, "/"))
		}
	}
}
