// Package cohere is Cohere's API (docs.cohere.com/reference): its version 1
// for MLflow's clients, exactly as MLflow calls it, and its version 2 for all
// others.
package cohere

import (
	"sluice/extproc/conversation/clients"
	"sluice/extproc/conversation/cohere"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is Cohere.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "cohere", Title: "Cohere",
		Deprecated: "MLflow has deprecated this provider and will remove it.",
		Fields: []kit.Field{
			{Name: "cohere_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
			{Name: "cohere_api_base", Title: "API base URL", Default: "https://api.cohere.ai", URL: true,
				Description: "Where the API is reached, without its version. Cohere's other name for it is https://api.cohere.com."},
		},
		Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Features: kit.Features{
			Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
		},
		Models: kit.KnownModels("cohere"),
		Native: native,
		Open:   open,
	}
	p.Address = plain.AtField(p, "cohere_api_base")
	return p
}

func headers(t kit.Target) [][2]string { return plain.Bearer(t.Config["cohere_api_key"]) }

// base is the path of the API, to which a call adds its version. One that the
// parameter has all the same is not repeated.
func base(p *kit.Provider, t kit.Target) (path, query string, err error) {
	b, err := plain.BaseOf(p, t, "cohere_api_base")
	if err == nil && b.Query != "" {
		query = "?" + b.Query
	}
	return plain.WithoutVersion(b.BasePath), query, err
}

func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	root, query, err := base(p, t)
	if err != nil {
		return kit.Native{}, err
	}
	if query != "" {
		query = query[1:]
	}
	return kit.Native{Root: root, Query: query, Headers: headers(t), Dialect: dialect.OpenAI}, nil
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	root, query, err := base(p, t)
	if err != nil {
		return nil, dialect.Internal()
	}
	var way plain.Way
	switch {
	case req.Dialect == dialect.MLflow:
		way = mlflowWay(req.Operation)
	case req.Operation == dialect.Embeddings:
		way = plain.Way{Path: "/v2/embed", Batch: embedBodies, Reply: embedReply}
	default:
		return carry(p, t, req, env, root+"/v2/chat"+query)
	}
	way.Path, way.Headers = root+way.Path+query, headers(t)
	return plain.Open(p, t, req, env, way)
}

// carry translates a chat, or a text completion as a chat of one message.
func carry(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, path string) (kit.Call, *dialect.Error) {
	client, ok := clients.For(req)
	if !ok {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{
		Client: client, Provider: cohere.Provider,
		Upstream: func(body []byte, stream bool) kit.Upstream { return kit.JSONRequest(path, body, stream, headers(t)...) },
	})
}
