package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sluice/extproc/dialect"
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
		Models: knownModels[id],
		open:   openOpenAI,
	}
	p.check = p.checkOpenAI
	p.address = func(t Target) (Address, error) {
		b, err := p.openAIBase(t)
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
		Models: knownModels[id],
		open:   openCompatible,
	}
	p.address = func(t Target) (Address, error) {
		b, err := p.base(t, "api_base")
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
func (p *Provider) checkOpenAI(t Target) []FieldError {
	given := func(name string) bool { return t.Config[name] != "" }
	kind := p.apiType(t)
	if kind == apiOpenAI {
		if given("openai_deployment_name") {
			return []FieldError{{"openai_deployment_name", "OpenAI route configuration can only specify a value for " +
				"'openai_deployment_name' if 'openai_api_type' is 'azure' or 'azuread'. Found type: '" + kind + "'"}}
		}
		return nil
	}
	if given("openai_organization") {
		return []FieldError{{"openai_organization", "OpenAI route configuration can only specify a value for " +
			"'openai_organization' if 'openai_api_type' is 'openai'"}}
	}
	for _, name := range []string{"openai_api_base", "openai_deployment_name", "openai_api_version"} {
		if !given(name) {
			return []FieldError{{name, "OpenAI route configuration must specify 'openai_api_base', " +
				"'openai_deployment_name', and 'openai_api_version' if 'openai_api_type' is 'azure' or 'azuread'."}}
		}
	}
	return nil
}

func (p *Provider) apiType(t Target) string { return strings.ToLower(p.config(t, "openai_api_type")) }

// base reads the base URL in a parameter.
func (p *Provider) base(t Target, field string) (base, error) {
	raw := p.config(t, field)
	if raw == "" {
		raw = openAIURL
	}
	b, err := parseBase(raw)
	if err != nil {
		return base{}, fmt.Errorf("the parameter '%s' %w", field, err)
	}
	return b, nil
}

// openAIBase is the base of a target, with Azure's deployment in its path
// and the API version in its query.
func (p *Provider) openAIBase(t Target) (base, error) {
	b, err := p.base(t, "openai_api_base")
	if err != nil {
		return base{}, err
	}
	if p.apiType(t) != apiOpenAI {
		b.BasePath += "/openai/deployments/" + url.PathEscape(t.Config["openai_deployment_name"])
	}
	if version := t.Config["openai_api_version"]; version != "" {
		if b.query != "" {
			b.query += "&"
		}
		b.query += "api-version=" + url.QueryEscape(version)
	}
	return b, nil
}

func openOpenAI(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	b, err := p.openAIBase(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	place := openAIPlace{path: b.BasePath, query: b.query}
	key := t.Config["openai_api_key"]
	switch p.apiType(t) {
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
	b, err := p.base(t, "api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	place := openAIPlace{path: b.BasePath, query: b.query}
	if key := p.config(t, "api_key"); key != noKey {
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
