package litellm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

func row(t *testing.T) *kit.Provider {
	p, ok := provider.Lookup("litellm")
	require.True(t, ok)
	return p
}

// full gives every parameter of litellm_auth_config that a provider may use.
func full(name string) map[string]string {
	all := map[string]map[string]string{
		"azure":      {"api_key": "k", "api_base": "https://x.openai.azure.com", "api_version": "v"},
		"bedrock":    {"aws_region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "s"},
		"vertex_ai":  {"vertex_project": "p", "vertex_location": "us-central1"},
		"databricks": {"api_key": "t", "api_base": "https://w.cloud.databricks.com/serving-endpoints"},
		"ollama":     {"api_base": "http://localhost:11434"}, "ollama_chat": {},
		"hosted_vllm": {"api_base": "http://vllm:8000/v1"}, "litellm_proxy": {"api_base": "http://x/v1", "api_key": "k"}, "lm_studio": {"api_base": "http://x/v1"},
	}
	config, ok := all[name]
	if !ok {
		config = map[string]string{"api_key": "k"}
	}
	config["litellm_provider"], config["auth_mode"] = name, "api_key"
	return config
}

// TestEveryProvider: each name has a row, a place, and a call.
func TestEveryProvider(t *testing.T) {
	p := row(t)
	field, _ := p.Field("litellm_provider")
	assert.Greater(t, len(field.Enum), 25)
	for _, name := range field.Enum {
		target := kit.Target{Provider: "litellm", Model: "m", Config: full(name)}
		require.Empty(t, p.CheckTarget(target, kit.TypeChat), name)
		address, err := p.Address(target)
		require.NoError(t, err, name)
		assert.NotEmpty(t, address.Host, name)
		call, e := providertest.Open(t, p, target, dialect.OpenAI, dialect.Chat, `{"model":"e","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`)
		require.Nil(t, e, name)
		assert.NotEmpty(t, call.Upstream().Path, name)
		if name != "bedrock" && name != "vertex_ai" {
			_, needs := p.Credential(target)
			assert.False(t, needs, name)
		}
		native, err := p.Native(p, target)
		require.NoError(t, err, name)
		assert.False(t, strings.HasSuffix(native.Root, "/v1"), name)
	}
}

func TestCheck(t *testing.T) {
	p := row(t)
	for name, c := range map[string]struct {
		config map[string]string
		kind   string
		want   string
	}{
		"unknown":      {map[string]string{"litellm_provider": "huggingface", "api_key": "k"}, kit.TypeChat, "litellm_provider: The parameter 'litellm_provider' must be one of anthropic, "},
		"none":         {map[string]string{"api_key": "k"}, kit.TypeChat, "litellm_provider: The parameter 'litellm_provider' is missing."},
		"no key":       {map[string]string{"litellm_provider": "anthropic"}, kit.TypeChat, "api_key: The parameter 'api_key' is missing."},
		"useless":      {map[string]string{"litellm_provider": "groq", "api_key": "k", "aws_region_name": "x"}, kit.TypeChat, "aws_region_name: The provider 'groq' has no use for the parameter 'aws_region_name'."},
		"wrong type":   {map[string]string{"litellm_provider": "anthropic", "api_key": "k"}, kit.TypeEmbeddings, "endpoint_type: The provider 'anthropic' does not answer 'llm/v1/embeddings'"},
		"bad base":     {map[string]string{"litellm_provider": "openai", "api_key": "k", "api_base": "nowhere"}, kit.TypeChat, "api_base: The parameter 'api_base' must be a URL like https://host/path."},
		"any case":     {map[string]string{"litellm_provider": "OpenAI", "api_key": "k"}, kit.TypeChat, ""},
		"vllm nowhere": {map[string]string{"litellm_provider": "hosted_vllm"}, kit.TypeChat, "api_base: The parameter 'api_base' is missing."},
	} {
		errs := p.CheckTarget(kit.Target{Provider: "litellm", Model: "m", Config: c.config}, c.kind)
		if c.want == "" {
			assert.Empty(t, errs, name)
			continue
		}
		require.NotEmpty(t, errs, name)
		assert.True(t, strings.HasPrefix(errs[0].Field+": "+errs[0].Message, c.want), "%s: %v", name, errs)
	}
}

// TestCall: the row behind gets its own parameters, MLflow's client is told
// litellm, and no secret is in an error.
func TestCall(t *testing.T) {
	p := row(t)
	target := kit.Target{Provider: "litellm", Model: "claude-x", Config: map[string]string{
		"litellm_provider": "anthropic", "api_key": "sk-ant-Zq8vT3mLx0Yc5RbN7dKw", "api_base": "https://api.anthropic.com/"}}
	call, e := providertest.Open(t, p, target, dialect.MLflow, dialect.Chat, `{"messages":[{"role":"user","content":"hi"}]}`)
	require.Nil(t, e)
	up := call.Upstream()
	assert.Equal(t, "/v1/messages", up.Path)
	assert.Contains(t, up.Headers, [2]string{"x-api-key", "sk-ant-Zq8vT3mLx0Yc5RbN7dKw"})
	reply := call.Complete(200, providertest.Head("application/json"), []byte(`{"id":"1","type":"message","role":"assistant","model":"c",
		"content":[{"type":"text","text":"A"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}`))
	assert.Contains(t, string(reply.Body), `"provider":"litellm"`)
	call, e = providertest.Open(t, p, target, dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[{"role":"user","content":"hi"}]}`)
	require.Nil(t, e)
	reply = call.Complete(400, providertest.Head("application/json"), []byte(`{"error":{"message":"no sk-ant-Zq8vT3mLx0Yc5RbN7dKw here"}}`))
	assert.NotContains(t, string(reply.Body), "Zq8v")
	_, e = providertest.Open(t, p, target, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":"x"}`)
	require.NotNil(t, e)
	assert.Equal(t, 501, e.Status)
}
