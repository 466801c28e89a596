// Package openai is OpenAI's API as providers serve it: OpenAI itself, Azure's
// form of it, the many that are compatible, and the simulator inside the
// gateway.
package openai

import (
	"fmt"
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

// The rows of OpenAI itself and of Azure's form of its API. Either reaches the
// other by openai_api_type.
var (
	Provider = openAI("openai", "OpenAI", apiOpenAI)
	Azure    = openAI("azure", "Azure OpenAI", apiAzure)
)

// openAI is a row for OpenAI's API: OpenAI itself, Azure's form of it, and
// whatever else openai_api_base points to.
func openAI(id, title, apiType string) *kit.Provider {
	p := &kit.Provider{
		ID: id, Title: title,
		Fields: []kit.Field{
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
		Types:  []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Models: kit.KnownModels(id),
		Open:   openOpenAI,
	}
	p.Check = func(t kit.Target, _ string) []kit.FieldError { return checkOpenAI(p, t) }
	p.Address = func(t kit.Target) (kit.Address, error) {
		b, err := openAIBase(p, t)
		return b.Address, err
	}
	return p
}

// Compatible are the rows of providers with OpenAI's API and nothing of their
// own but an address.
var Compatible = []*kit.Provider{
	compatible("groq", "Groq", "https://api.groq.com/openai/v1"),
	compatible("deepseek", "DeepSeek", "https://api.deepseek.com/v1"),
	compatible("xai", "xAI", "https://api.x.ai/v1"),
	compatible("openrouter", "OpenRouter", "https://openrouter.ai/api/v1"),
	ollama(),
}

// compatible is a row of MLflow's OpenAI-compatible family: chat and
// embeddings, with a bearer token.
func compatible(id, title, base string) *kit.Provider {
	p := &kit.Provider{
		ID: id, Title: title,
		Fields: []kit.Field{
			{Name: "api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
			{Name: "api_base", Title: "API base URL", Default: base, URL: true, Description: "Where the API is reached."},
		},
		Types:  []string{kit.TypeChat, kit.TypeEmbeddings},
		Models: kit.KnownModels(id),
		Open:   openCompatible,
	}
	p.Address = func(t kit.Target) (kit.Address, error) {
		b, err := baseOf(p, t, "api_base")
		return b.Address, err
	}
	return p
}

// noKey is the value of Ollama's api_key that stands for none.
const noKey = "ollama"

// ollama is a compatible provider that needs no key.
func ollama() *kit.Provider {
	p := compatible("ollama", "Ollama", "http://localhost:11434/v1")
	p.Fields[0].Required, p.Fields[0].Default = false, noKey
	p.Fields[0].Description = "Sent as a bearer token, unless empty or '" + noKey + "'."
	return p
}

// checkOpenAI holds the rules between the parameters, in MLflow's words.
func checkOpenAI(p *kit.Provider, t kit.Target) []kit.FieldError {
	given := func(name string) bool { return t.Config[name] != "" }
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

func apiType(p *kit.Provider, t kit.Target) string {
	return strings.ToLower(p.Config(t, "openai_api_type"))
}

// base reads the base URL in a parameter.
func baseOf(p *kit.Provider, t kit.Target, field string) (kit.Base, error) {
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

func openOpenAI(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := openAIBase(p, t)
	if err != nil {
		return nil, dialect.Internal()
	}
	place := Place{Path: b.BasePath, Query: b.Query}
	key := t.Config["openai_api_key"]
	switch apiType(p, t) {
	case apiAzure:
		place.Unnamed = true
		place.Headers = [][2]string{{"api-key", key}}
	case apiAzureAD:
		place.Unnamed = true
		place.Headers = [][2]string{{"authorization", "Bearer " + key}}
	default:
		place.Headers = [][2]string{{"authorization", "Bearer " + key}}
		if org := t.Config["openai_organization"]; org != "" {
			place.Headers = append(place.Headers, [2]string{"openai-organization", org})
		}
	}
	return Open(p, t, req, env, place)
}

func openCompatible(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := baseOf(p, t, "api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	place := Place{Path: b.BasePath, Query: b.Query}
	if key := p.Config(t, "api_key"); key != noKey {
		place.Headers = [][2]string{{"authorization", "Bearer " + key}}
	}
	return Open(p, t, req, env, place)
}
