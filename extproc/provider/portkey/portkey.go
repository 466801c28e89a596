// Package portkey is Portkey's gateway (portkey.ai/docs): OpenAI's API, with
// headers that say where Portkey sends a call on.
package portkey

import (
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
)

// Provider is Portkey, or whatever serves its API at api_base.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "portkey", Title: "Portkey",
		Fields: []kit.Field{
			{Name: "api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as x-portkey-api-key."},
			{Name: "api_base", Title: "API base URL", Default: "https://api.portkey.ai/v1", URL: true, Description: "Where the API is reached."},
			{Name: "portkey_provider", Title: "Provider", Routes: true,
				Description: "The slug of the provider that Portkey calls, sent as x-portkey-provider."},
			{Name: "portkey_config", Title: "Config", Secret: true, Routes: true, Description: "The id of a saved Portkey config, sent as x-portkey-config."},
			{Name: "provider_api_key", Title: "Provider's API key", Secret: true,
				Description: "The key of the provider that Portkey calls, sent as a bearer token."},
		},
		Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Features: kit.Features{
			Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
		},
		Models: kit.KnownModels("portkey"),
		Native: plain.NativeBelow("api_base", headers),
		Open:   open,
	}
	p.Address = plain.AtField(p, "api_base")
	return p
}

// headers are those that Portkey reads.
func headers(t kit.Target) [][2]string {
	list := [][2]string{{"x-portkey-api-key", t.Config["api_key"]}}
	for _, h := range [][2]string{{"x-portkey-provider", "portkey_provider"}, {"x-portkey-config", "portkey_config"}} {
		if v := t.Config[h[1]]; v != "" {
			list = append(list, [2]string{h[0], v})
		}
	}
	if key := t.Config["provider_api_key"]; key != "" {
		list = append(list, plain.Bearer(key)...)
	}
	return list
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := plain.BaseOf(p, t, "api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	return openai.Open(p, t, req, env, openai.Place{
		Path: b.BasePath, Query: b.Query, Headers: headers(t),
		ChatOnly: req.Dialect == dialect.MLflow, // as MLflow has it
	})
}
