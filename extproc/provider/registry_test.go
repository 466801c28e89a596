package provider_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

var (
	openAIChat = dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Chat}
	testEnv    = provider.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}
)

// secretName matches the names of parameters that are secret.
var secretName = regexp.MustCompile(`(_key|_key_id|secret|credentials|token|portkey_config)$`)

func TestLookup(t *testing.T) {
	for id, want := range map[string]string{
		"openai": "openai", "OPENAI": "openai", "OpenAI": "openai", "azure": "azure", "Anthropic": "anthropic",
		"practice": "practice", "groq": "groq", "": "", "open-ai": "", "openai ": "",
	} {
		p, ok := provider.Lookup(id)
		assert.Equal(t, want != "", ok, id)
		if ok {
			assert.Equal(t, want, p.ID)
		}
	}
}

// TestTable holds every row to what the rest of the program relies on.
func TestTable(t *testing.T) {
	last := ""
	for _, p := range provider.All() {
		assert.Greater(t, p.ID, last, "sorted")
		last = p.ID
		assert.NotEmpty(t, p.Title, p.ID)
		assert.Equal(t, p.NativeOnly, len(p.Types) == 0, p.ID)
		for kind := range p.Models {
			assert.True(t, p.Answers(kind), "%s %s", p.ID, kind)
		}
		seen := map[string]bool{}
		for _, f := range p.Fields {
			assert.False(t, seen[f.Name], f.Name)
			seen[f.Name] = true
			assert.NotEmpty(t, f.Title, f.Name)
			assert.NotEmpty(t, f.Description, f.Name)
			assert.Equal(t, secretName.MatchString(f.Name), f.Secret, f.Name)
			assert.Equal(t, f.Secret, p.IsSecret(f.Name))
			assert.False(t, f.Secret && f.Default != "" && p.ID != "ollama" && p.ID != "hosted_vllm", "a secret has no default")
		}
		assert.False(t, p.IsSecret("no_such_field"))
	}
}

func TestCheck(t *testing.T) {
	azure := map[string]string{
		"openai_api_key": "k", "openai_api_type": "Azure", "openai_api_base": "https://x.openai.azure.com/",
		"openai_deployment_name": "d", "openai_api_version": "2024-10-21",
	}
	with := func(m map[string]string, pairs ...string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	plain := map[string]string{"openai_api_key": "k"}
	for _, c := range []struct {
		name, provider, kind, model string
		config                      map[string]string
		want                        []string // field: message
	}{
		{"right", "openai", provider.TypeChat, "m", plain, nil},
		{"right azure", "openai", provider.TypeChat, "m", azure, nil},
		{"azure row", "azure", provider.TypeChat, "m", with(azure, "openai_api_type", ""), nil},
		{"practice", "practice", provider.TypeEmbeddings, "m", nil, nil},
		{"practice set", "practice", provider.TypeChat, "m", map[string]string{"practice_delay_ms": "20", "practice_fail": "reset"}, nil},
		{"ollama", "ollama", provider.TypeChat, "m", nil, nil},
		{"unknown provider", "nope", provider.TypeChat, "m", plain, []string{"provider: The provider 'nope' is not known."}},
		{"no model", "openai", provider.TypeChat, "", plain, []string{"model: The model's name is missing."}},
		{"model with line break", "openai", provider.TypeChat, "a\nb", plain,
			[]string{"model: The model's name must not hold line breaks or other control characters."}},
		{"wrong type", "anthropic", provider.TypeEmbeddings, "m", map[string]string{"anthropic_api_key": "k"},
			[]string{"endpoint_type: The provider 'anthropic' does not answer 'llm/v1/embeddings': it answers llm/v1/chat, llm/v1/completions."}},
		{"no key", "openai", provider.TypeChat, "m", nil, []string{"openai_api_key: The parameter 'openai_api_key' is missing."}},
		{"unknown keys", "openai", provider.TypeChat, "m", with(plain, "z", "1", "a", "2"),
			[]string{"a: The provider 'openai' has no parameter 'a'.", "z: The provider 'openai' has no parameter 'z'."}},
		{"bad type", "openai", provider.TypeChat, "m", with(plain, "openai_api_type", "x"),
			[]string{"openai_api_type: The parameter 'openai_api_type' must be one of openai, azure, azuread."}},
		{"line break", "openai", provider.TypeChat, "m", map[string]string{"openai_api_key": "k\r\nx: y"},
			[]string{"openai_api_key: The parameter 'openai_api_key' must not hold line breaks or other control characters."}},
		{"not a URL", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "api.openai.com"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must be a URL like https://host/path."}},
		{"ftp", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "ftp://h/"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must be a URL like https://host/path."}},
		{"user", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "https://u:p@h/v1"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must not hold a user name or password."}},
		{"fragment", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "https://h/v1#x"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must not hold a fragment (#)."}},
		{"port", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "https://h:99999/v1"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must have a port from 1 to 65535."}},
		{"host", "openai", provider.TypeChat, "m", with(plain, "openai_api_base", "https://a b/"),
			[]string{"openai_api_base: The parameter 'openai_api_base' must be a URL like https://host/path."}},
		{"number", "practice", provider.TypeChat, "m", map[string]string{"practice_delay_ms": "soon"},
			[]string{"practice_delay_ms: The parameter 'practice_delay_ms' must be a whole number from 0 to 100000."}},
		{"fault", "practice", provider.TypeChat, "m", map[string]string{"practice_fail": "399"},
			[]string{"practice_fail: The parameter 'practice_fail' must be a status from 400 to 599, or one of reset-head, reset, " +
				"truncate, stall, stall-head, html, garbage, gzip, error-event."}},
		{"deployment without azure", "openai", provider.TypeChat, "m", with(plain, "openai_deployment_name", "d"),
			[]string{"openai_deployment_name: OpenAI route configuration can only specify a value for 'openai_deployment_name' if " +
				"'openai_api_type' is 'azure' or 'azuread'. Found type: 'openai'"}},
		{"azure with organization", "openai", provider.TypeChat, "m", with(azure, "openai_organization", "o"),
			[]string{"openai_organization: OpenAI route configuration can only specify a value for 'openai_organization' if 'openai_api_type' is 'openai'"}},
		{"azure without version", "openai", provider.TypeChat, "m", with(azure, "openai_api_version", ""),
			[]string{"openai_api_version: OpenAI route configuration must specify 'openai_api_base', 'openai_deployment_name', and " +
				"'openai_api_version' if 'openai_api_type' is 'azure' or 'azuread'."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range provider.Check(provider.Target{Provider: c.provider, Model: c.model, Config: c.config}, c.kind) {
				got = append(got, e.Field+": "+e.Message)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAddressOf(t *testing.T) {
	for base, want := range map[string]provider.Address{
		"":                                  {TLS: true, Host: "api.openai.com", Port: 443, BasePath: "/v1"},
		"https://Proxy.Example.com":         {TLS: true, Host: "proxy.example.com", Port: 443},
		"http://10.0.0.1:8000/a/b/":         {Host: "10.0.0.1", Port: 8000, BasePath: "/a/b"},
		"http://[::1]:8000/v1":              {Host: "::1", Port: 8000, BasePath: "/v1"},
		"http://vllm:80/v1?tenant=a%20b":    {Host: "vllm", Port: 80, BasePath: "/v1"},
		"https://h/p%2Fq":                   {TLS: true, Host: "h", Port: 443, BasePath: "/p%2Fq"},
		"http://model_server.ns.svc:1/v1//": {Host: "model_server.ns.svc", Port: 1, BasePath: "/v1"},
	} {
		target := provider.Target{Provider: "openai", Model: "m", Config: map[string]string{"openai_api_key": "k", "openai_api_base": base}}
		require.Empty(t, provider.Check(target, provider.TypeChat), base)
		got, err := provider.AddressOf(target)
		require.NoError(t, err)
		assert.Equal(t, want, got, base)
	}
	got, err := provider.AddressOf(provider.Target{Provider: "practice"})
	require.NoError(t, err)
	assert.Equal(t, provider.Address{Local: "practice", BasePath: "/v1"}, got)
	_, err = provider.AddressOf(provider.Target{Provider: "x"})
	assert.EqualError(t, err, `provider "x" is not known`)
	_, err = provider.AddressOf(provider.Target{Provider: "groq", Config: map[string]string{"api_base": "x"}})
	assert.EqualError(t, err, "the parameter 'api_base' must be a URL like https://host/path")
}

// TestUpstreamHeads: path, query and headers of each kind of target.
func TestUpstreamHeads(t *testing.T) {
	for _, c := range []struct {
		name, provider, path string
		config               map[string]string
		headers              [][2]string
	}{
		{"openai", "openai", "/v1/chat/completions", map[string]string{"openai_api_key": "k", "openai_organization": "o"},
			[][2]string{{"authorization", "Bearer k"}, {"openai-organization", "o"}}},
		{"base with query and version", "openai", "/x/chat/completions?a=b&api-version=v+1",
			map[string]string{"openai_api_key": "k", "openai_api_base": "http://h/x?a=b", "openai_api_version": "v 1"},
			[][2]string{{"authorization", "Bearer k"}}},
		{"azuread", "openai", "/openai/deployments/d%2F1/chat/completions?api-version=v",
			map[string]string{"openai_api_key": "k", "openai_api_type": "AZUREAD", "openai_api_base": "https://h", "openai_deployment_name": "d/1", "openai_api_version": "v"},
			[][2]string{{"authorization", "Bearer k"}}},
		{"azure", "azure", "/openai/deployments/d/chat/completions?api-version=v",
			map[string]string{"openai_api_key": "k", "openai_api_base": "https://h", "openai_deployment_name": "d", "openai_api_version": "v"},
			[][2]string{{"api-key", "k"}}},
		{"ollama without a key", "ollama", "/v1/chat/completions", nil, nil},
		{"ollama with a key", "ollama", "/v1/chat/completions", map[string]string{"api_key": "k"}, [][2]string{{"authorization", "Bearer k"}}},
		{"practice", "practice", "/v1/chat/completions",
			map[string]string{"practice_delay_ms": "5", "practice_fail": "429", "practice_words": "3", "practice_chunk_delay_ms": "1"},
			[][2]string{{"x-practice-delay-ms", "5"}, {"x-practice-chunk-delay-ms", "1"}, {"x-practice-words", "3"}, {"x-practice-fail", "429"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, e := dialect.Parse(openAIChat, dialect.Chat, "", []byte(`{"model":"e","messages":[1]}`))
			require.Nil(t, e)
			call, e := provider.Open(provider.Target{Provider: c.provider, Model: "m", Config: c.config}, req, testEnv)
			require.Nil(t, e)
			up := call.Upstream()
			assert.Equal(t, "POST", up.Method)
			assert.Equal(t, c.path, up.Path)
			assert.Equal(t, append([][2]string{{"content-type", "application/json"}, {"accept", "application/json"}}, c.headers...), up.Headers)
			assert.Equal(t, `{"model":"m","messages":[1]}`, string(up.Body))
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}, dialect.Completions, "application/json", []byte(`{"prompt":"x","stream":true}`))
	require.Nil(t, e)
	_, e = provider.Open(provider.Target{Provider: "groq", Model: "m", Config: map[string]string{"api_key": "k"}}, req, testEnv)
	require.NotNil(t, e)
	assert.Equal(t, 501, e.Status)
	assert.Equal(t, "The completions streaming route is not implemented for Groq models.", e.Message)
	_, e = provider.Open(provider.Target{Provider: "gone"}, req, testEnv)
	require.NotNil(t, e)
	assert.Equal(t, dialect.CodeInternal, e.Code)
}
