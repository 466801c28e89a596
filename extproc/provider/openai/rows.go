// Package openai is OpenAI's API as providers serve it: OpenAI itself, Azure's
// form of it, the many that are compatible, and the simulator inside the
// gateway.
package openai

import (
	"fmt"
	"net/url"
	"strings"

	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

const openAIURL = "https://api.openai.com/v1"

// The values of openai_api_type.
const (
	apiOpenAI  = "openai"
	apiAzure   = "azure"
	apiAzureAD = "azuread"
)

// The rows of OpenAI itself and of Azure's form of its API. Either reaches the
// other by openai_api_type.
var (
	Provider = openAI("openai", "OpenAI", apiOpenAI)
	Azure    = openAI("azure", "Azure OpenAI", apiAzure)
)

// full are the features of servers that have all.
var full = kit.Features{
	Streams: []string{kit.TypeChat, kit.TypeCompletions},
	Tools:   true, Images: true, JSONSchema: true, Reasoning: true,
}

// openAI is a row for OpenAI's API: OpenAI itself, Azure's form of it, and
// whatever else openai_api_base points to.
func openAI(id, title, apiType string) *kit.Provider {
	p := &kit.Provider{
		ID: id, Title: title,
		Fields: []kit.Field{
			{Name: "openai_api_key", Title: "API key", Secret: true, Usual: true,
				Description: "Sent as a bearer token; as api-key to Azure. Needed, unless Entra ID gives tokens."},
			{Name: "openai_api_type", Title: "API type", Default: apiType, Enum: []string{apiOpenAI, apiAzure, apiAzureAD},
				Description: "azure and azuread reach a deployment of Azure OpenAI, with a key or an Entra ID token."},
			{Name: "openai_api_base", Title: "API base URL", URL: true, Usual: apiType == apiAzure,
				Description: "Where the API is reached: " + openAIURL + " if empty. Any server with OpenAI's API will do."},
			{Name: "openai_api_version", Title: "API version", Usual: apiType == apiAzure,
				Description: "Sent as api-version. Azure needs it."},
			{Name: "openai_deployment_name", Title: "Deployment", Usual: apiType == apiAzure,
				Description: "The deployment's name. Azure only, and needed there."},
			{Name: "openai_organization", Title: "Organization",
				Description: "Sent as OpenAI-Organization. Not for Azure."},
			{Name: "openai_azure_tenant_id", Title: "Entra tenant",
				Description: "With client id and secret: tokens of Entra ID are fetched and renewed, in place of a key. For azuread."},
			{Name: "openai_azure_client_id", Title: "Entra client id", Description: "The application's id. For azuread."},
			{Name: "openai_azure_client_secret", Title: "Entra client secret", Secret: true,
				Description: "The application's secret. For azuread."},
		},
		Types:    []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Features: full,
		Models:   kit.KnownModels(id),
		Open:     openOpenAI,
		Native:   nativeOpenAI,
	}
	p.Check = func(t kit.Target, _ string) []kit.FieldError { return checkOpenAI(p, t) }
	p.Address = func(t kit.Target) (kit.Address, error) {
		b, err := openAIBase(p, t)
		return b.Address, err
	}
	p.Credential = func(t kit.Target) (kit.Credential, bool) { return entra(p, t) }
	return p
}

// azureScope is what tokens for Azure OpenAI are asked for.
const azureScope = "https://cognitiveservices.azure.com/.default"

// clientFields are the parameters of Entra ID's client credentials.
var clientFields = []string{"openai_azure_tenant_id", "openai_azure_client_id", "openai_azure_client_secret"}

func entra(p *kit.Provider, t kit.Target) (kit.Credential, bool) {
	if apiType(p, t) != apiAzureAD || t.Config[clientFields[0]] == "" {
		return kit.Credential{}, false
	}
	return kit.Credential{Kind: kit.EntraID, Params: map[string]string{
		"tenant_id": t.Config[clientFields[0]], "client_id": t.Config[clientFields[1]],
		"client_secret": t.Config[clientFields[2]], "scope": azureScope,
	}}, true
}

// checkOpenAI holds the rules between the parameters, in MLflow's words where
// it has them.
func checkOpenAI(p *kit.Provider, t kit.Target) []kit.FieldError {
	given := func(name string) bool { return t.Config[name] != "" }
	if e := checkKey(p, t); e != nil {
		return e
	}
	kind := apiType(p, t)
	if kind == apiOpenAI {
		if given("openai_deployment_name") {
			return []kit.FieldError{{Field: "openai_deployment_name", Message: "OpenAI route configuration can only specify a value for " +
				"'openai_deployment_name' if 'openai_api_type' is 'azure' or 'azuread'. Found type: '" + kind + "'"}}
		}
		return nil
	}
	if given("openai_organization") {
		return []kit.FieldError{{Field: "openai_organization", Message: "OpenAI route configuration can only specify a value for " +
			"'openai_organization' if 'openai_api_type' is 'openai'"}}
	}
	for _, name := range []string{"openai_api_base", "openai_deployment_name", "openai_api_version"} {
		if !given(name) {
			return []kit.FieldError{{Field: name, Message: "OpenAI route configuration must specify 'openai_api_base', " +
				"'openai_deployment_name', and 'openai_api_version' if 'openai_api_type' is 'azure' or 'azuread'."}}
		}
	}
	return nil
}

// checkKey wants a key, or for azuread the three parameters that stand for it.
func checkKey(p *kit.Provider, t kit.Target) []kit.FieldError {
	var missing []string
	for _, name := range clientFields {
		if t.Config[name] == "" {
			missing = append(missing, name)
		}
	}
	key := t.Config["openai_api_key"] != ""
	switch {
	case len(missing) == len(clientFields) && key:
		return nil
	case len(missing) == len(clientFields):
		return []kit.FieldError{{Field: "openai_api_key", Message: "The parameter 'openai_api_key' is missing."}}
	case len(missing) > 0:
		return []kit.FieldError{{Field: missing[0], Message: "The parameter '" + missing[0] + "' is missing: client credentials of " +
			"Entra ID need tenant, client id and client secret."}}
	case apiType(p, t) != apiAzureAD:
		return []kit.FieldError{{Field: clientFields[0], Message: "The parameter '" + clientFields[0] +
			"' is only for 'openai_api_type' 'azuread'."}}
	case key:
		return []kit.FieldError{{Field: "openai_api_key", Message: "Give the parameter 'openai_api_key' or client credentials of Entra ID, not both."}}
	}
	return nil
}

func apiType(p *kit.Provider, t kit.Target) string {
	return strings.ToLower(p.Config(t, "openai_api_type"))
}

// baseOf reads the base URL in a parameter.
func baseOf(p *kit.Provider, t kit.Target, field string) (kit.Base, error) {
	raw := p.Config(t, field)
	if raw == "" && field == "openai_api_base" {
		raw = openAIURL
	}
	b, err := kit.ParseBase(raw)
	if err != nil {
		return kit.Base{}, fmt.Errorf("the parameter '%s' %w", field, err)
	}
	return b, nil
}

// openAIBase is the base of a target, with Azure's deployment in its path
// and the API version in its query.
func openAIBase(p *kit.Provider, t kit.Target) (kit.Base, error) {
	b, err := baseOf(p, t, "openai_api_base")
	if err != nil {
		return kit.Base{}, err
	}
	if apiType(p, t) != apiOpenAI {
		b.BasePath += "/openai/deployments/" + url.PathEscape(t.Config["openai_deployment_name"])
	}
	if version := t.Config["openai_api_version"]; version != "" {
		if b.Query != "" {
			b.Query += "&"
		}
		b.Query += "api-version=" + url.QueryEscape(version)
	}
	return b, nil
}

// headersOf are the credential and what goes with it.
func headersOf(p *kit.Provider, t kit.Target) (headers [][2]string) {
	key := t.Config["openai_api_key"]
	switch kind := apiType(p, t); {
	case key == "": // a Credential is added
	case kind == apiAzure:
		headers = [][2]string{{"api-key", key}}
	default:
		headers = [][2]string{{"authorization", "Bearer " + key}}
	}
	if org := t.Config["openai_organization"]; org != "" {
		headers = append(headers, [2]string{"openai-organization", org})
	}
	return headers
}

func openOpenAI(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := openAIBase(p, t)
	if err != nil {
		return nil, dialect.Internal()
	}
	place := Place{
		Path: b.BasePath, Query: b.Query, Headers: headersOf(p, t),
		Unnamed: apiType(p, t) != apiOpenAI, Traits: openai.Traits{CompletionTokens: true},
	}
	if req.Dialect == dialect.Responses {
		place.Responses = responsesPlace(p, t, place)
	}
	return Open(p, t, req, env, place)
}

// responsesPlace is where a target has the Responses API. Azure has it in its
// API without versions ("/openai/v1"), where bodies name the deployment.
func responsesPlace(p *kit.Provider, t kit.Target, place Place) *Place {
	if apiType(p, t) == apiOpenAI {
		return &Place{Path: place.Path, Query: place.Query, Headers: place.Headers}
	}
	b, err := baseOf(p, t, "openai_api_base")
	if err != nil {
		return nil
	}
	return &Place{
		Path: b.BasePath + "/openai/v1", Query: b.Query, Headers: place.Headers,
		Model: t.Config["openai_deployment_name"],
	}
}

func nativeOpenAI(p *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := baseOf(p, t, "openai_api_base")
	if err != nil {
		return kit.Native{}, err
	}
	n := kit.Native{Root: plain.WithoutVersion(b.BasePath), Query: b.Query, Headers: headersOf(p, t), Dialect: dialect.OpenAI}
	if version := t.Config["openai_api_version"]; version != "" {
		if n.Query != "" {
			n.Query += "&"
		}
		n.Query += "api-version=" + url.QueryEscape(version)
	}
	return n, nil
}
