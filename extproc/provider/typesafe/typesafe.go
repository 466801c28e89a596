// Package typesafe is TypeSafe's API, of which MLflow's gateway passes on one
// call, systemone (structured evaluation).
package typesafe

import (
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is TypeSafe. It answers nothing that MLflow has an endpoint type
// for: it is reached on the native path.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "typesafe", Title: "TypeSafe",
		Fields: []kit.Field{
			{Name: "typesafe_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
			{Name: "typesafe_api_base", Title: "API base URL", Default: "https://api.typesafe.ai/v1", URL: true,
				Description: "Where the API is reached."},
		},
		NativeOnly: true,
		Native:     plain.NativeBelow("typesafe_api_base", headers),
		Open: func(p *kit.Provider, _ kit.Target, req *dialect.Request, _ kit.Env) (kit.Call, *dialect.Error) {
			return nil, kit.NotImplemented(p, req)
		},
	}
	p.Address = plain.AtField(p, "typesafe_api_base")
	return p
}

func headers(t kit.Target) [][2]string { return plain.Bearer(t.Config["typesafe_api_key"]) }
