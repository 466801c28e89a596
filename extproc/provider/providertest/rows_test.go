package providertest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

type config = map[string]string

// rows are targets of every provider that is a folder of its own for the sake
// of few lines, each with what is to come of it.
var rows = []struct {
	provider, model, kind string
	config                config
	wrong                 string // the first error of Check: field and message
	url, root             string
	headers               [][2]string
	credential            config
}{
	{provider: "ai21labs", model: "j2-mid", kind: kit.TypeCompletions, config: config{"ai21labs_api_key": "k"},
		url: "https://api.ai21.com/studio/v1", root: "/studio", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "ai21labs", model: "jamba", kind: kit.TypeCompletions, config: config{"ai21labs_api_key": "k"},
		wrong: "model: An Unsupported AI21Labs model has been specified: 'jamba'. Please see documentation for supported models."},
	{provider: "mosaicml", model: "LLaMA2-x", kind: kit.TypeChat, config: config{"mosaicml_api_key": "k"},
		url: "https://models.hosted-on.mosaicml.hosting", headers: [][2]string{{"authorization", "k"}}},
	{provider: "mosaicml", model: "mpt", kind: kit.TypeChat, config: config{"mosaicml_api_key": "k"},
		wrong: "model: An invalid model has been specified for the chat route. 'mpt'. Ensure the model selected starts with one of: ['llama2']"},
	{provider: "mosaicml", model: "mpt", kind: kit.TypeCompletions, config: config{"mosaicml_api_key": "k", "mosaicml_api_base": "http://m:81/x/"},
		url: "http://m:81/x", root: "/x", headers: [][2]string{{"authorization", "k"}}},
	{provider: "cohere", model: "m", kind: kit.TypeChat, config: config{"cohere_api_key": "k"},
		url: "https://api.cohere.ai", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "cohere", model: "m", kind: kit.TypeChat, config: config{"cohere_api_key": "k", "cohere_api_base": "https://c.example.com/x/v2"},
		url: "https://c.example.com/x/v2", root: "/x", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "mistral", model: "m", kind: kit.TypeChat, config: config{"mistral_api_key": "k"},
		url: "https://api.mistral.ai/v1", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "togetherai", model: "m", kind: kit.TypeChat, config: config{"togetherai_api_key": "k"},
		url: "https://api.together.xyz/v1", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "huggingface-text-generation-inference", model: "m", kind: kit.TypeCompletions, config: config{"hf_server_url": "http://tgi:8080"},
		url: "http://tgi:8080"},
	{provider: "huggingface-text-generation-inference", model: "m", kind: kit.TypeChat, config: config{"hf_server_url": "http://tgi:8080"},
		wrong: "endpoint_type: The provider 'huggingface-text-generation-inference' does not answer 'llm/v1/chat': it answers llm/v1/completions."},
	{provider: "mlflow-model-serving", model: "m", kind: kit.TypeEmbeddings, config: config{"model_server_url": "http://m:5001/"}, url: "http://m:5001"},
	{provider: "portkey", model: "m", kind: kit.TypeChat, config: config{"api_key": "k", "portkey_config": "pc", "provider_api_key": "u"},
		url: "https://api.portkey.ai/v1", headers: [][2]string{{"x-portkey-api-key", "k"}, {"x-portkey-config", "pc"}, {"authorization", "Bearer u"}}},
	{provider: "typesafe", model: "m", kind: kit.TypeChat, config: config{"typesafe_api_key": "k"},
		url: "https://api.typesafe.ai/v1", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"host": "w.cloud.databricks.com/serving-endpoints", "token": "k"},
		url: "https://w.cloud.databricks.com", headers: [][2]string{{"authorization", "Bearer k"}}},
	{provider: "databricks-model-serving", model: "m", kind: kit.TypeEmbeddings, config: config{"host": "https://w:8443", "client_id": "i", "client_secret": "s"},
		url: "https://w:8443", credential: config{"token_url": "https://w:8443/oidc/v1/token", "client_id": "i", "client_secret": "s", "scope": "all-apis", "auth_style": "header"}},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"host": "https://w"},
		wrong: "token: A credential is missing: give 'token', or 'client_id' and 'client_secret'."},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"host": "https://w", "client_id": "i"},
		wrong: "client_secret: 'client_id' and 'client_secret' go together: one of them is missing."},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"host": "https://w", "client_id": "i", "token": "k"},
		wrong: "token: Give either 'token' or 'client_id' and 'client_secret', not both."},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"host": "ftp://w", "token": "k"},
		wrong: "host: The parameter 'host' must be a URL like https://host/path."},
	{provider: "databricks", model: "m", kind: kit.TypeChat, config: config{"token": "k"}, wrong: "host: The parameter 'host' is missing."},
	{provider: "sap-ai-core", model: "m", kind: kit.TypeChat, config: config{
		"sap_ai_core_api_base": "https://api.ai.example.com/x", "sap_ai_core_deployment_id": "d", "sap_ai_core_token_url": "https://auth.example.com/",
		"sap_ai_core_client_id": "i", "sap_ai_core_client_secret": "s"},
		url: "https://api.ai.example.com/x", root: "/x", headers: [][2]string{{"ai-resource-group", "default"}},
		credential: config{"token_url": "https://auth.example.com/oauth/token", "client_id": "i", "client_secret": "s", "auth_style": "header"}},
	{provider: "sap-ai-core", model: "m", kind: kit.TypeChat, config: config{
		"sap_ai_core_api_base": "https://api.ai.example.com", "sap_ai_core_deployment_id": "d", "sap_ai_core_token_url": "https://auth.example.com/t",
		"sap_ai_core_client_id": "i", "sap_ai_core_client_secret": "s", "sap_ai_core_resource_group": "g"},
		url: "https://api.ai.example.com", headers: [][2]string{{"ai-resource-group", "g"}},
		credential: config{"token_url": "https://auth.example.com/t", "client_id": "i", "client_secret": "s", "auth_style": "header"}},
}

// TestRows holds rows to their rules, addresses, credentials and native APIs.
func TestRows(t *testing.T) {
	for _, c := range rows {
		name := c.provider + " " + c.model + " " + c.wrong
		p, ok := provider.Lookup(c.provider)
		require.True(t, ok, name)
		target := kit.Target{Provider: c.provider, Model: c.model, Config: c.config}
		errs := p.CheckTarget(target, c.kind)
		if c.wrong != "" {
			require.NotEmpty(t, errs, name)
			assert.Equal(t, c.wrong, errs[0].Field+": "+errs[0].Message)
			continue
		}
		require.Empty(t, errs, name)
		address, err := p.Address(target)
		require.NoError(t, err, name)
		want, err := kit.ParseBase(c.url)
		require.NoError(t, err)
		assert.Equal(t, want.Address, address, name)
		native, err := p.Native(p, target)
		require.NoError(t, err, name)
		assert.Equal(t, c.root, native.Root, name)
		assert.Equal(t, c.headers, native.Headers, name)
		var params config
		if p.Credential != nil {
			if credential, needs := p.Credential(target); needs {
				assert.Equal(t, kit.OAuth, credential.Kind, name)
				params = credential.Params
			}
		}
		assert.Equal(t, c.credential, params, name)
	}
}

// TestTypeSafe: nothing but its own API is to be had.
func TestTypeSafe(t *testing.T) {
	p, _ := provider.Lookup("typesafe")
	target := kit.Target{Provider: "typesafe", Model: "m", Config: config{"typesafe_api_key": "k"}}
	assert.Empty(t, p.CheckTarget(target, kit.TypeChat))
	_, e := providertest.Open(t, p, target, dialect.MLflow, dialect.Chat, `{"messages":[{"role":"user","content":"x"}]}`)
	require.NotNil(t, e)
	assert.Equal(t, 501, e.Status)
	assert.Equal(t, "The chat route is not implemented for TypeSafe models.", e.Message)
}

// TestAlias: MLflow's client of a databricks-model-serving target is told so.
func TestAlias(t *testing.T) {
	p, _ := provider.Lookup("databricks-model-serving")
	assert.Equal(t, "databricks", p.ID)
}
