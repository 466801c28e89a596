package openai

import (
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Compatible are the rows of providers with OpenAI's API and nothing of their
// own but an address and a few traits.
var Compatible = []*kit.Provider{
	compatible{id: "groq", title: "Groq", base: "https://api.groq.com/openai/v1"}.row(),
	compatible{id: "deepseek", title: "DeepSeek", base: "https://api.deepseek.com/v1", noImages: true, noSchema: true,
		traits: openai.Traits{Reasoning: openai.ThinkingSwitch, Echo: openai.EchoContent}}.row(),
	compatible{id: "xai", title: "xAI", base: "https://api.x.ai/v1"}.row(),
	compatible{id: "openrouter", title: "OpenRouter", base: "https://openrouter.ai/api/v1", text: true,
		traits: openai.Traits{TopK: true, Reasoning: openai.ReasoningObject, Echo: openai.EchoDetails}}.row(),
	compatible{id: "ollama", title: "Ollama", base: "http://localhost:11434/v1", text: true, noKey: "ollama"}.row(),
	compatible{id: "hosted_vllm", title: "vLLM", text: true, noKey: "none",
		traits: openai.Traits{TopK: true}}.row(),
	compatible{id: "cerebras", title: "Cerebras", base: "https://api.cerebras.ai/v1", noImages: true, noEmbeddings: true}.row(),
	compatible{id: "dashscope", title: "Alibaba Cloud Model Studio", base: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"}.row(),
	compatible{id: "deepinfra", title: "DeepInfra", base: "https://api.deepinfra.com/v1/openai", text: true,
		traits: openai.Traits{TopK: true}}.row(),
	compatible{id: "fireworks_ai", title: "Fireworks AI", base: "https://api.fireworks.ai/inference/v1", text: true,
		traits: openai.Traits{TopK: true}}.row(),
	compatible{id: "moonshot", title: "Moonshot AI", base: "https://api.moonshot.ai/v1", noEmbeddings: true,
		traits: openai.Traits{Reasoning: openai.ThinkingSwitch, Echo: openai.EchoContent}}.row(),
	compatible{id: "nvidia_nim", title: "NVIDIA NIM", base: "https://integrate.api.nvidia.com/v1", text: true}.row(),
	compatible{id: "perplexity", title: "Perplexity", base: "https://api.perplexity.ai", noTools: true, noEmbeddings: true,
		traits: openai.Traits{TopK: true, NoStreamOptions: true}}.row(),
	compatible{id: "sambanova", title: "SambaNova", base: "https://api.sambanova.ai/v1",
		traits: openai.Traits{TopK: true}}.row(),
	compatible{id: "zai", title: "Z.ai", base: "https://api.z.ai/api/paas/v4", noEmbeddings: true, noSchema: true,
		traits: openai.Traits{Reasoning: openai.ThinkingSwitch}}.row(),
}

// compatible is what such a provider differs in.
type compatible struct {
	id, title string
	base      string // "": the parameter must be given
	noKey     string // the value of api_key that stands for none; "": a key is needed
	text      bool   // it has text completions

	noTools, noImages, noSchema, noEmbeddings bool
	traits                                    openai.Traits
}

// row is a row of MLflow's OpenAI-compatible family: a bearer token, an
// address, chat and embeddings. Text completions are for clients of OpenAI's
// dialect; MLflow's get MLflow's 501.
func (c compatible) row() *kit.Provider {
	p := &kit.Provider{
		ID: c.id, Title: c.title,
		Fields: []kit.Field{
			{Name: "api_key", Title: "API key", Required: c.noKey == "", Default: c.noKey, Secret: true, Description: "Sent as a bearer token."},
			{Name: "api_base", Title: "API base URL", Required: c.base == "", Default: c.base, URL: true, Description: "Where the API is reached."},
		},
		Types:    []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Features: full,
		Models:   kit.KnownModels(c.id),
		Open:     c.open,
		Native:   nativeCompatible,
	}
	if c.noKey != "" {
		p.Fields[0].Description = "Sent as a bearer token, unless empty or '" + c.noKey + "'."
	}
	if c.noEmbeddings {
		p.Types = p.Types[:2]
	}
	p.Features.Tools = !c.noTools
	p.Features.Images = !c.noImages
	p.Features.JSONSchema = !c.noSchema
	p.Address = func(t kit.Target) (kit.Address, error) {
		b, err := baseOf(p, t, "api_base")
		return b.Address, err
	}
	return p
}

func (c compatible) open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := baseOf(p, t, "api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	return Open(p, t, req, env, Place{
		Path: b.BasePath, Query: b.Query, Headers: bearer(p, t), Traits: c.traits,
		ChatOnly: !c.text || req.Dialect == dialect.MLflow,
	})
}

// bearer is the header of a key; none where the key is the one that stands for
// none.
func bearer(p *kit.Provider, t kit.Target) [][2]string {
	field, _ := p.Field("api_key")
	if key := p.Config(t, "api_key"); key != field.Default {
		return [][2]string{{"authorization", "Bearer " + key}}
	}
	return nil
}

func nativeCompatible(p *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := baseOf(p, t, "api_base")
	if err != nil {
		return kit.Native{}, err
	}
	return kit.Native{Root: plain.WithoutVersion(b.BasePath), Query: b.Query, Headers: bearer(p, t), Dialect: dialect.OpenAI}, nil
}
