package rig

import "strings"

// compatible is a provider with OpenAI's API and its own address.
type compatible struct {
	id, title, host, path string
	noEmbeddings          bool
	// open providers are reached by plain HTTP and need no key; what follows is
	// their port.
	open string
	base string // api_base, where it is not the provider's default
}

var compatibles = []compatible{
	{id: "groq", title: "Groq", host: "api.groq.com", path: "/openai/v1/"},
	{id: "deepseek", title: "DeepSeek", host: "api.deepseek.com", path: "/v1/"},
	{id: "xai", title: "xAI", host: "api.x.ai", path: "/v1/"},
	{id: "openrouter", title: "OpenRouter", host: "openrouter.ai", path: "/api/v1/"},
	{id: "ollama", title: "Ollama", host: "localhost", path: "/v1/", open: "11434"},
	{id: "hosted_vllm", title: "vLLM", host: "vllm.example", path: "/v1/", base: "https://vllm.example/v1"},
	{id: "cerebras", title: "Cerebras", host: "api.cerebras.ai", path: "/v1/", noEmbeddings: true},
	{id: "dashscope", title: "Model Studio", host: "dashscope-intl.aliyuncs.com", path: "/compatible-mode/v1/"},
	{id: "deepinfra", title: "DeepInfra", host: "api.deepinfra.com", path: "/v1/openai/"},
	{id: "fireworks_ai", title: "Fireworks", host: "api.fireworks.ai", path: "/inference/v1/"},
	{id: "moonshot", title: "Moonshot", host: "api.moonshot.ai", path: "/v1/", noEmbeddings: true},
	{id: "nvidia_nim", title: "NVIDIA", host: "integrate.api.nvidia.com", path: "/v1/"},
	{id: "perplexity", title: "Perplexity", host: "api.perplexity.ai", path: "/", noEmbeddings: true},
	{id: "sambanova", title: "SambaNova", host: "api.sambanova.ai", path: "/v1/"},
	{id: "zai", title: "Z.ai", host: "api.z.ai", path: "/api/paas/v4/", noEmbeddings: true},
}

func (c compatible) key() string { return Key(c.id) }

func (c compatible) port() string {
	if c.open != "" {
		return c.open
	}
	return "443"
}

// endpoints are one for each type, as "chat-groq".
func (c compatible) endpoints() []ProviderEndpoint {
	config := map[string]string{"api_key": c.key()}
	if c.base != "" {
		config["api_base"] = c.base
	}
	models := [][2]string{{"chat", "some-chat-model"}, {"completions", "some-text-model"}, {"embeddings", "some-embedding-model"}}
	if c.noEmbeddings {
		models = models[:2]
	}
	var all []ProviderEndpoint
	for _, m := range models {
		all = append(all, ProviderEndpoint{Name: m[0] + "-" + strings.ReplaceAll(c.id, "_", "-"), Type: m[0], Provider: c.id,
			Model: m[1], Config: config, StandIn: c.id})
	}
	return all
}
