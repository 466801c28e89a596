package litellm

import (
	"strings"

	"sluice/extproc/provider/kit"
)

// way is how a provider of LiteLLM's is reached by a row.
type way struct {
	row    string
	fields map[string]string   // LiteLLM's names of parameters and the row's
	fix    func(t *kit.Target) // completes a target in the row's terms; nil: nothing to do
}

// theirs is LiteLLM's name of a row's parameter; "" where it has none.
func (w way) theirs(field string) string {
	for theirs, ours := range w.fields {
		if ours == field {
			return theirs
		}
	}
	return ""
}

var compatible = map[string]string{"api_key": "api_key", "api_base": "api_base"}

// ways are the providers by LiteLLM's names for them (docs.litellm.ai/docs/providers).
var ways = map[string]way{
	"openai": {row: "openai", fields: map[string]string{
		"api_key": "openai_api_key", "api_base": "openai_api_base", "organization": "openai_organization",
	}},
	"azure": {row: "azure", fix: deployment, fields: map[string]string{
		"api_key": "openai_api_key", "api_base": "openai_api_base", "api_version": "openai_api_version",
	}},
	"anthropic":   {row: "anthropic", fix: versioned("anthropic_api_base", "/v1"), fields: map[string]string{"api_key": "anthropic_api_key", "api_base": "anthropic_api_base"}},
	"cohere":      {row: "cohere", fields: map[string]string{"api_key": "cohere_api_key", "api_base": "cohere_api_base"}},
	"cohere_chat": {row: "cohere", fields: map[string]string{"api_key": "cohere_api_key", "api_base": "cohere_api_base"}},
	"mistral":     {row: "mistral", fields: map[string]string{"api_key": "mistral_api_key"}},
	"together_ai": {row: "togetherai", fields: map[string]string{"api_key": "togetherai_api_key"}},
	"gemini":      {row: "gemini", fields: map[string]string{"api_key": "gemini_api_key"}},
	"groq":        {row: "groq", fields: compatible},
	"deepseek":    {row: "deepseek", fields: compatible},
	"xai":         {row: "xai", fields: compatible},
	"openrouter":  {row: "openrouter", fields: compatible},
	"ollama":      {row: "ollama", fields: compatible, fix: versioned("api_base", "/v1")},
	"ollama_chat": {row: "ollama", fields: compatible, fix: versioned("api_base", "/v1")},
	"vertex_ai": {row: "vertex_ai", fields: map[string]string{
		"vertex_project": "vertex_project", "vertex_location": "vertex_location", "vertex_credentials": "vertex_credentials",
	}},
	"bedrock": {row: "bedrock", fields: map[string]string{
		"api_key": "aws_bearer_token", "aws_region_name": "aws_region", "aws_access_key_id": "aws_access_key_id",
		"aws_secret_access_key": "aws_secret_access_key", "aws_session_token": "aws_session_token", "aws_role_name": "aws_role_arn",
	}},
	"databricks": {row: "databricks", fields: map[string]string{
		"api_key": "token", "api_base": "host", "client_id": "client_id", "client_secret": "client_secret",
	}},

	"cerebras":      {row: "cerebras", fields: compatible},
	"dashscope":     {row: "dashscope", fields: compatible},
	"deepinfra":     {row: "deepinfra", fields: compatible},
	"fireworks_ai":  {row: "fireworks_ai", fields: compatible},
	"hosted_vllm":   {row: "hosted_vllm", fields: compatible},
	"litellm_proxy": {row: "hosted_vllm", fields: compatible},
	"lm_studio":     {row: "hosted_vllm", fields: compatible},
	"moonshot":      {row: "moonshot", fields: compatible},
	"nvidia_nim":    {row: "nvidia_nim", fields: compatible},
	"perplexity":    {row: "perplexity", fields: compatible},
	"sambanova":     {row: "sambanova", fields: compatible},
	"zai":           {row: "zai", fields: compatible},
}

// deployment is Azure's: LiteLLM's model is the deployment's name.
func deployment(t *kit.Target) {
	t.Config["openai_api_type"] = "azure"
	t.Config["openai_deployment_name"] = t.Model
}

// versioned adds the version to a base URL, which LiteLLM takes without.
func versioned(field, version string) func(t *kit.Target) {
	return func(t *kit.Target) {
		if base := strings.TrimRight(t.Config[field], "/"); base != "" && !strings.HasSuffix(base, version) {
			t.Config[field] = base + version
		}
	}
}
