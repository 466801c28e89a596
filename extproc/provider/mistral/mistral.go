// Package mistral is Mistral's API (docs.mistral.ai/api): OpenAI's but for
// names of parameters, the form of tool calls' ids, and replies whose content
// is a list where the model reasons.
package mistral

import (
	codec "sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
	"sluice/extproc/provider/variant"
)

const base = "https://api.mistral.ai/v1"

// Provider is Mistral's own API.
var Provider = &kit.Provider{
	ID: "mistral", Title: "Mistral",
	Fields: []kit.Field{
		{Name: "mistral_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:  kit.KnownModels("mistral"),
	Address: plain.At(base),
	Native:  plain.NativeAt("", headers),
	Open:    open,
}

func headers(t kit.Target) [][2]string { return plain.Bearer(t.Config["mistral_api_key"]) }

// open begins an exchange. MLflow's dialect follows MLflow's rules. Text
// completions, of which Mistral has none, go by way of a chat.
func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	if req.Dialect == dialect.MLflow {
		return plain.Open(p, t, req, env, mlflowWay(t, req.Operation))
	}
	call, e := openai.Open(p, t, req, env, openai.Place{
		Path: "/v1", Headers: headers(t), ChatOnly: true,
		Traits: codec.Traits{NoStreamOptions: true, TopK: true, Echo: codec.EchoContent},
	})
	if e != nil {
		return nil, e
	}
	if req.Operation == dialect.Embeddings {
		return variant.Wrap(call, variant.Variant{Request: embeddings})
	}
	return variant.Wrap(call, variant.Variant{Request: chat, Reply: variant.Flatten(""), Event: variant.FlattenEvents})
}
