package ui

import (
	"net/url"

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/policies"
)

func (s *UI) modelRoutes() []route {
	return []route{{pattern: "GET /ui/{$}", handle: s.models}}
}

// modelRow is an endpoint as people see it.
type modelRow struct {
	api.Endpoint
	Provider string // its title
	Link     string
	State    map[string]any // of the partial "state"
}

func modelRowOf(e api.Endpoint) modelRow {
	row := modelRow{Endpoint: e, Provider: providerTitle(e.ModelProvider), Link: endpointLink(e.EndpointName)}
	switch {
	case e.Disabled:
		row.State = map[string]any{"Text": "Switched off", "Tone": "warn"}
	case e.Problem != "":
		row.State = map[string]any{"Text": "Not working", "Tone": "bad"}
	default:
		row.State = map[string]any{"Text": "Ready", "Tone": "good"}
	}
	return row
}

func endpointLink(name string) string { return "/ui/endpoints/" + url.PathEscape(name) }

// providerTitle is a provider's name as people write it.
func providerTitle(id string) string {
	if p, ok := provider.Lookup(id); ok && p.Title != "" {
		return p.Title
	}
	return id
}

// models is GET /ui/: what the person may use.
func (s *UI) models(c *call) error {
	l := c.listing("endpointName", "creationDate", "endpointType", "modelName", "modelProvider")
	query := l.Query()
	query.Set("mayInvoke", "true")
	table := c.r.URL.Query().Get("view") == "table"
	found, err := c.rest.ListEndpoints(c.ctx(), query)
	if err != nil {
		return err
	}
	l.Total = found.Metadata.TotalCount
	if table {
		l.Filters.Set("view", "table")
	}
	rows := make([]modelRow, 0, len(found.Endpoints))
	for _, e := range found.Endpoints {
		rows = append(rows, modelRowOf(e))
	}
	empty := "Nobody has shared a model with you. Ask an administrator of the gateway, and say what you want to use it for."
	if c.may(policies.ResourceEndpoints, policies.VerbCreate) {
		empty = "There is no endpoint yet. Make the first one under Endpoints."
	}
	return c.page("models", "Gateway LLMs", map[string]any{
		"List": l, "Rows": rows, "Table": table, "Empty": empty,
		"Cards": "/ui/", "TableLink": "/ui/?view=table",
	})
}
