package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

const openAIURL = "https://api.openai.com/v1"

// The values of openai_api_type.
const (
	apiOpenAI  = "openai"
	apiAzure   = "azure"
	apiAzureAD = "azuread"
)

// openAI is a row for OpenAI's API: OpenAI itself, Azure's form of it, and
// whatever else openai_api_base points to.
func openAI(id, title, apiType string) *Provider {
	p := &Provider{
		ID: id, Title: title,
		Fields: []Field{
			{Name: "openai_api_key", Title: "API key", Required: true, Secret: true,
				Description: "Sent as a bearer token; as api-key to Azure."},
			{Name: "openai_api_type", Title: "API type", Default: apiType, Enum: []string{apiOpenAI, apiAzure, apiAzureAD},
				Description: "azure and azuread reach a deployment of Azure OpenAI, with a key or an Entra ID token."},
			{Name: "openai_api_base", Title: "API base URL", URL: true,
				Description: "Where the API is reached: " + openAIURL + " if empty. Any server with OpenAI's API will do."},
			{Name: "openai_api_version", Title: "API version",
				Description: "Sent as api-version. Azure needs it."},
			{Name: "openai_deployment_name", Title: "Deployment",
				Description: "The deployment's name. Azure only, and needed there."},
			{Name: "openai_organization", Title: "Organization",
				Description: "Sent as OpenAI-Organization. Not for Azure."},
		},
		Types:  []string{TypeChat, TypeCompletions, TypeEmbeddings},
		Models: kit.KnownModels(id),
		Open:   openOpenAI,
	}
	p.Check = func(t Target, _ string) []FieldError { return checkOpenAI(p, t) }
	p.Address = func(t Target) (Address, error) {
		b, err := openAIBase(p, t)
		return b.Address, err
	}
	return p
}

// compatible is a row of MLflow's OpenAI-compatible family: chat and
// embeddings, with a bearer token.
func compatible(id, title, base string) *Provider {
	p := &Provider{
		ID: id, Title: title,
		Fields: []Field{
			{Name: "api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
			{Name: "api_base", Title: "API base URL", Default: base, URL: true, Description: "Where the API is reached."},
		},
		Types:  []string{TypeChat, TypeEmbeddings},
		Models: kit.KnownModels(id),
		Open:   openCompatible,
	}
	p.Address = func(t Target) (Address, error) {
		b, err := baseOf(p, t, "api_base")
		return b.Address, err
	}
	return p
}

// noKey is the value of Ollama's api_key that stands for none.
const noKey = "ollama"

// ollama is a compatible provider that needs no key.
func ollama() *Provider {
	p := compatible("ollama", "Ollama", "http://localhost:11434/v1")
	p.Fields[0].Required, p.Fields[0].Default = false, noKey
	p.Fields[0].Description = "Sent as a bearer token, unless empty or '" + noKey + "'."
	return p
}

// checkOpenAI holds the rules between the parameters, in MLflow's words.
func checkOpenAI(p *Provider, t Target) []FieldError {
	given := func(name string) bool { return t.Config[name] != "" }
	kind := apiType(p, t)
	if kind == apiOpenAI {
		if given("openai_deployment_name") {
			return []FieldError{{Field: "openai_deployment_name", Message: "OpenAI route configuration can only specify a value for " +
				"'openai_deployment_name' if 'openai_api_type' is 'azure' or 'azuread'. Found type: '" + kind + "'"}}
		}
		return nil
	}
	if given("openai_organization") {
		return []FieldError{{Field: "openai_organization", Message: "OpenAI route configuration can only specify a value for " +
			"'openai_organization' if 'openai_api_type' is 'openai'"}}
	}
	for _, name := range []string{"openai_api_base", "openai_deployment_name", "openai_api_version"} {
		if !given(name) {
			return []FieldError{{Field: name, Message: "OpenAI route configuration must specify 'openai_api_base', " +
				"'openai_deployment_name', and 'openai_api_version' if 'openai_api_type' is 'azure' or 'azuread'."}}
		}
	}
	return nil
}

func apiType(p *Provider, t Target) string { return strings.ToLower(p.Config(t, "openai_api_type")) }

// base reads the base URL in a parameter.
func baseOf(p *Provider, t Target, field string) (kit.Base, error) {
	raw := p.Config(t, field)
	if raw == "" {
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
func openAIBase(p *Provider, t Target) (kit.Base, error) {
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

func openOpenAI(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	b, err := openAIBase(p, t)
	if err != nil {
		return nil, dialect.Internal()
	}
	place := openAIPlace{path: b.BasePath, query: b.Query}
	key := t.Config["openai_api_key"]
	switch apiType(p, t) {
	case apiAzure:
		place.unnamed = true
		place.headers = [][2]string{{"api-key", key}}
	case apiAzureAD:
		place.unnamed = true
		place.headers = [][2]string{{"authorization", "Bearer " + key}}
	default:
		place.headers = [][2]string{{"authorization", "Bearer " + key}}
		if org := t.Config["openai_organization"]; org != "" {
			place.headers = append(place.headers, [2]string{"openai-organization", org})
		}
	}
	return newOpenAICall(p, t, req, env, place)
}

func openCompatible(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	b, err := baseOf(p, t, "api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	place := openAIPlace{path: b.BasePath, query: b.Query}
	if key := p.Config(t, "api_key"); key != noKey {
		place.headers = [][2]string{{"authorization", "Bearer " + key}}
	}
	return newOpenAICall(p, t, req, env, place)
}

// openAIPlace is where and how one of OpenAI's kind is called.
type openAIPlace struct {
	path    string // before the operation's own
	query   string // without '?'
	headers [][2]string
	unnamed bool // the path names the model, the body need not
}

// upstream is the request for a body.
func (place openAIPlace) upstream(op dialect.Operation, stream bool, body []byte) Upstream {
	path := place.path + "/" + string(op)
	if op == dialect.Chat {
		path = place.path + "/chat/completions"
	}
	if place.query != "" {
		path += "?" + place.query
	}
	accept := dialect.ContentTypeJSON
	if stream {
		accept = "text/event-stream"
	}
	headers := append([][2]string{{"content-type", dialect.ContentTypeJSON}, {"accept", accept}}, place.headers...)
	return Upstream{Method: http.MethodPost, Path: path, Headers: headers, Body: body}
}
