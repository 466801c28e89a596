// Package databricks is the model serving of a Databricks workspace
// (docs.databricks.com, "Query foundation models"): OpenAI's API, with replies
// whose content is a list where the model reasons; Anthropic's for Claude.
package databricks

import (
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
	"sluice/extproc/provider/variant"
)

// alias is the provider's other id, which MLflow's clients of such a target are
// told.
const alias = "databricks-model-serving"

// Provider is Databricks.
var Provider = &kit.Provider{
	ID: "databricks", Aliases: []string{alias}, Title: "Databricks",
	Fields: []kit.Field{
		{Name: "host", Title: "Workspace URL", Required: true, Routes: true, // it may lack what makes it a URL
			Description: "The workspace, e.g. https://my-workspace.cloud.databricks.com."},
		{Name: "token", Title: "Access token", Secret: true, Usual: true,
			Description: "A personal access token, sent as a bearer token. Leave it empty for a service principal."},
		{Name: "client_id", Title: "Client ID", Description: "Of a service principal (OAuth M2M)."},
		{Name: "client_secret", Title: "Client secret", Secret: true, Description: "Of the service principal."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:     kit.KnownModels("databricks"),
	Check:      check,
	Address:    address,
	Credential: credential,
	Native:     native,
	Open:       open,
}

// The paths of the two APIs: serving endpoints have names without dots, models
// of the Unity Catalog are catalog.schema.model.
const (
	servingPath = "/serving-endpoints"
	catalogPath = "/ai-gateway/mlflow/v1"
)

// workspace is the base of the workspace: Databricks' own tools take a host
// without a scheme too, and MLflow's a URL with the path of the API.
func workspace(t kit.Target) (kit.Base, error) {
	host := strings.TrimRight(t.Config["host"], "/")
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	return kit.ParseBase(strings.TrimSuffix(host, servingPath))
}

func check(t kit.Target, _ string) []kit.FieldError {
	if _, err := workspace(t); err != nil {
		return []kit.FieldError{{Field: "host", Message: "The parameter 'host' " + err.Error() + "."}}
	}
	id, secret := t.Config["client_id"] != "", t.Config["client_secret"] != ""
	switch {
	case t.Config["token"] != "" && (id || secret):
		return []kit.FieldError{{Field: "token", Message: "Give either 'token' or 'client_id' and 'client_secret', not both."}}
	case t.Config["token"] != "" || id && secret:
		return nil
	case id || secret:
		return []kit.FieldError{{Field: "client_secret", Message: "'client_id' and 'client_secret' go together: one of them is missing."}}
	}
	return []kit.FieldError{{Field: "token", Message: "A credential is missing: give 'token', or 'client_id' and 'client_secret'."}}
}

func address(t kit.Target) (kit.Address, error) {
	b, err := workspace(t)
	return b.Address, err
}

// credential asks for a token of a service principal.
func credential(t kit.Target) (kit.Credential, bool) {
	b, err := workspace(t)
	if err != nil || t.Config["token"] != "" || t.Config["client_id"] == "" {
		return kit.Credential{}, false
	}
	return kit.Credential{Kind: kit.OAuth, Params: map[string]string{
		"token_url": plain.URL(b.Address) + "/oidc/v1/token",
		"client_id": t.Config["client_id"], "client_secret": t.Config["client_secret"],
		"scope": "all-apis", "auth_style": "header",
	}}, true
}

func headers(t kit.Target) [][2]string {
	if t.Config["token"] == "" {
		return nil
	}
	return plain.Bearer(t.Config["token"])
}

func native(_ *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := workspace(t)
	if err != nil {
		return kit.Native{}, err
	}
	// The token is good for the whole workspace: its secrets, jobs, tokens.
	return kit.Native{
		Root: b.BasePath, Headers: headers(t), Dialect: dialect.OpenAI, Below: []string{servingPath + "/", "/ai-gateway/"},
	}, nil
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := workspace(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	if t.Provider == alias {
		named := *p
		named.ID, p = alias, &named
	}
	path := b.BasePath + servingPath
	if strings.Count(t.Model, ".") >= 2 {
		path = b.BasePath + catalogPath
	}
	if req.Dialect == dialect.Anthropic && strings.Contains(strings.ToLower(t.Model), "claude") {
		return anthropic.Open(p, t, req, env, anthropic.Place{Path: path + "/anthropic/v1/messages",
			Headers: append(headers(t), [2]string{"anthropic-version", anthropic.Version(req, "")})})
	}
	place := openai.Place{Path: path, Headers: headers(t), ChatOnly: true}
	if isOpenAIs(t.Model) {
		place.Responses = &openai.Place{Path: path, Headers: headers(t)}
	}
	call, e := openai.Open(p, t, req, env, place)
	if e != nil || req.Operation == dialect.Embeddings || req.Dialect == dialect.Responses && place.Responses != nil {
		return call, e
	}
	return variant.Wrap(call, variant.Variant{Request: request, Reply: variant.Flatten("\n"), Event: variant.FlattenEvents})
}

// isOpenAIs reports whether a model is one of OpenAI's own, which have the
// Responses API.
func isOpenAIs(model string) bool {
	model = strings.ToLower(model)
	return strings.Contains(model, "gpt-") && !strings.Contains(model, "gpt-oss")
}
