// Package sap is SAP AI Core's orchestration service, version 2
// (help.sap.com, "Orchestration"): OpenAI's chat completions, wrapped.
package sap

import (
	"net/url"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
	"sluice/extproc/provider/variant"
)

// Provider is SAP AI Core. MLflow's row of it has no parameters and does not
// work through MLflow's gateway; these are Sluice's own.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "sap-ai-core", Title: "SAP AI Core",
		Fields: []kit.Field{
			{Name: "sap_ai_core_api_base", Title: "API URL", Required: true, URL: true,
				Description: "AI_API_URL of the service key, e.g. https://api.ai.prod.eu-central-1.aws.ml.hana.ondemand.com."},
			{Name: "sap_ai_core_resource_group", Title: "Resource group", Default: "default", Description: "Sent as AI-Resource-Group."},
			{Name: "sap_ai_core_deployment_id", Title: "Deployment", Required: true, Description: "The id of the orchestration deployment."},
			{Name: "sap_ai_core_token_url", Title: "Token URL", Required: true, URL: true,
				Description: "url of the service key; /oauth/token is added where it has no path."},
			{Name: "sap_ai_core_client_id", Title: "Client ID", Required: true, Description: "clientid of the service key."},
			{Name: "sap_ai_core_client_secret", Title: "Client secret", Required: true, Secret: true, Description: "clientsecret of the service key."},
		},
		Types: []string{kit.TypeChat},
		Features: kit.Features{
			Streams: []string{kit.TypeChat}, Tools: true, Images: true, JSONSchema: true,
		},
		Models:     kit.KnownModels("sap-ai-core"),
		Credential: credential,
	}
	p.Address = plain.AtField(p, "sap_ai_core_api_base")
	p.Native = func(p *kit.Provider, t kit.Target) (kit.Native, error) {
		b, err := plain.BaseOf(p, t, "sap_ai_core_api_base")
		// The client's secret is good for the tenant's administration too.
		return kit.Native{
			Root: b.BasePath, Headers: headers(p, t), Dialect: dialect.OpenAI,
			Below: []string{"/v2/inference/deployments/" + url.PathEscape(t.Config["sap_ai_core_deployment_id"]) + "/"},
		}, err
	}
	p.Open = open
	return p
}

func headers(p *kit.Provider, t kit.Target) [][2]string {
	return [][2]string{{"ai-resource-group", p.Config(t, "sap_ai_core_resource_group")}}
}

func credential(t kit.Target) (kit.Credential, bool) {
	token := strings.TrimRight(t.Config["sap_ai_core_token_url"], "/")
	if b, err := kit.ParseBase(token); err == nil && b.BasePath == "" {
		token += "/oauth/token"
	}
	return kit.Credential{Kind: kit.OAuth, Params: map[string]string{
		"token_url": token, "auth_style": "header",
		"client_id": t.Config["sap_ai_core_client_id"], "client_secret": t.Config["sap_ai_core_client_secret"],
	}}, true
}

// open begins an exchange: one of OpenAI's, wrapped.
func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := plain.BaseOf(p, t, "sap_ai_core_api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	inner, e := openai.Open(p, t, req, env, openai.Place{Headers: headers(p, t)})
	if e != nil {
		return nil, e
	}
	mlflow := req.Dialect == dialect.MLflow
	return variant.Wrap(inner, variant.Variant{
		Path:    b.BasePath + "/v2/inference/deployments/" + url.PathEscape(t.Config["sap_ai_core_deployment_id"]) + "/v2/completion",
		Request: func(body []byte) ([]byte, *dialect.Error) { return wrap(body, mlflow), nil },
		Reply:   unwrap,
		Event:   func() func([]byte) []byte { return unwrapEvent },
	})
}
