package admin

import (
	"net/http"

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
)

// listProviders is GET /api/sluice/v1/providers: the table of providers.
func (s *server) listProviders(c *call) error {
	out := api.ProviderList{Providers: []api.Provider{}}
	for _, p := range provider.All() {
		out.Providers = append(out.Providers, providerShape(p))
	}
	return c.reply(http.StatusOK, out)
}

// readSchema is GET /api/sluice/v1/providers/{id}/schema: the JSON Schema of
// the provider's modelConfig.
func (s *server) readSchema(c *call) error {
	p, ok := provider.Lookup(c.r.PathValue("id"))
	if !ok {
		return notFound("provider", c.r.PathValue("id"))
	}
	c.w.Header().Set("Content-Type", "application/schema+json")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(p.Schema())
	return nil
}

func providerShape(p *provider.Provider) api.Provider {
	out := api.Provider{
		ID: p.ID, Aliases: notNil(p.Aliases), Title: p.Title, Deprecated: p.Deprecated, Types: notNil(p.Types),
		Native: p.Native != nil, NativeOnly: p.NativeOnly,
		Features: api.ProviderFeatures{
			Streams: notNil(p.Features.Streams), Tools: p.Features.Tools, Images: p.Features.Images,
			JSONSchema: p.Features.JSONSchema, Reasoning: p.Features.Reasoning,
		},
		Models: modelsOf(p), Fields: []api.ProviderField{},
	}
	for _, f := range p.Fields {
		out.Fields = append(out.Fields, api.ProviderField{
			Name: f.Name, Title: f.Title, Description: f.Description, Required: f.Required, Usual: f.Usual, Secret: f.Secret,
			Default: f.Default, Enum: f.Enum, Group: f.Group, URL: f.URL, Maximum: f.Max, Multiline: f.Multiline,
		})
	}
	return out
}

// modelsOf are the well-known models for each type that the provider answers.
func modelsOf(p *provider.Provider) map[string][]string {
	models := map[string][]string{}
	for _, t := range p.Types {
		models[t] = notNil(p.Models[t])
	}
	return models
}

func notNil(list []string) []string { return append([]string{}, list...) }

// availableModels is Domino's map of providers, endpoint types and models.
type availableModels struct {
	ModelsMap map[string]map[string][]string `json:"modelsMap"`
}

// dominoModels is GET /v4/aigateway/provider-models, with which Domino's own
// pages fill their pickers.
func (s *server) dominoModels(c *call) error {
	out := map[string]map[string][]string{}
	for _, p := range provider.All() {
		out[p.ID] = modelsOf(p)
	}
	return c.reply(http.StatusOK, availableModels{out})
}

// dominoConfigs is GET /v4/aigateway/provider-configs?modelProvider=…: the
// parameters that a form asks for.
func (s *server) dominoConfigs(c *call) error {
	p, ok := provider.Lookup(c.r.URL.Query().Get("modelProvider"))
	if !ok {
		return badRequest("invalid_parameter", "modelProvider", "The parameter modelProvider must name a provider that is known here.")
	}
	required := []string{}
	for _, f := range p.Fields {
		if f.Required || f.Usual {
			required = append(required, f.Name)
		}
	}
	return c.reply(http.StatusOK, required)
}
