package ui

import (
	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/policies"
)

// endpointHead is the head of each page of one endpoint.
type endpointHead struct {
	api.Endpoint
	Provider string
	State    map[string]any
	Why      string
	Base     string // the page's own path
	Version  string // ETag
	Tabs     []map[string]any
}

// head reads the endpoint that the path names. Only who may change it sees these
// pages.
func (c *call) head(tab string) (*endpointHead, error) {
	name, version := c.r.PathValue("name"), ""
	e, err := c.rest.GetEndpoint(client.At(c.ctx(), &version), name)
	if err != nil {
		return nil, err
	}
	if !e.MayChange {
		return nil, &client.Error{Status: 403, Message: "Only owners of the endpoint and administrators see how it is made."}
	}
	health, err := c.health()
	if err != nil {
		return nil, err
	}
	h := &endpointHead{Endpoint: e, Provider: providerTitle(e.ModelProvider), Base: adminEndpointPath(name), Version: version}
	h.State, h.Why = endpointState(e, health[name], c.s.Now())
	for _, t := range [][2]string{{"Details", ""}, {"Targets", "targets"}, {"Permissions", "permissions"}, {"Usage", "usage"}, {"Log", "log"}} {
		at := h.Base
		if t[1] != "" {
			at += "/" + t[1]
		}
		if t[1] == "usage" && c.scope(policies.ResourceUsage, policies.VerbList) == "" {
			continue
		}
		h.Tabs = append(h.Tabs, map[string]any{"Title": t[0], "Path": at, "Current": t[1] == tab})
	}
	return h, nil
}

// permitted reads the endpoint that the path names, and who may use it.
func (c *call) permitted(tab string) (h *endpointHead, p api.Permissions, err error) {
	if h, err = c.head(tab); err == nil {
		p, err = c.rest.Permissions(c.ctx(), h.EndpointName)
	}
	return h, p, err
}

// pair is a name and a value of the partial "kv".
type pair struct{ Name, Value string }

// adminEndpoint is GET /ui/admin/endpoints/{name}.
func (s *UI) adminEndpoint(c *call) error {
	h, p, err := c.permitted("")
	if err != nil {
		return err
	}
	providers, err := c.rest.Providers(c.ctx())
	if err != nil {
		return err
	}
	facts := []pair{{"Type", typeName(h.EndpointType)}, {"Provider", h.Provider}, {"Model", h.ModelName}}
	if h.TargetCount > 1 {
		facts = []pair{{"Type", typeName(h.EndpointType)}, {"Targets", number(h.TargetCount) + ", the first of " + h.Provider}}
	}
	limit := "None"
	if h.Limit != nil {
		limit = number(h.Limit.Calls) + " calls in each " + h.Limit.RenewalPeriod
	}
	facts = append(facts, pair{"Limit", limit}, pair{"Created", date(h.CreationDate)}, pair{"Changed", date(h.UpdateDate)}, pair{"Id", h.EndpointID})
	return c.page("endpoint-details", h.EndpointName, map[string]any{
		"Head": h, "Facts": facts, "Settings": settings(providers.Providers, h.ModelProvider, h.ModelConfig, h.ModelConfigSecrets),
		"Users": whoMay(p), "Use": endpointLink(h.EndpointName),
	})
}

// settings are the parameters of a target in words, secrets as "set".
func settings(list []api.Provider, id string, config map[string]string, secrets []string) []pair {
	var out []pair
	for _, p := range list {
		if p.ID != id {
			continue
		}
		for _, f := range p.Fields {
			switch v, given := config[f.Name]; {
			case contains(secrets, f.Name):
				out = append(out, pair{f.Title, "set"})
			case given:
				out = append(out, pair{f.Title, v})
			}
		}
	}
	return out
}

// switchEndpoint is GET and POST /ui/admin/endpoints/{name}/switch: off, or on
// again.
func (s *UI) switchEndpoint(c *call) error {
	h, err := c.head("")
	if err != nil {
		return err
	}
	f := confirm("Switch off "+h.EndpointName+"?", "Every call is refused until you switch it on again. Nothing is lost.", h.Base+"/switch", "Switch off", h.Base)
	f.Hidden = []option{{Value: "disabled", Label: "true"}, {Value: "version", Label: h.Version}}
	if h.Disabled {
		f.Title, f.Text, f.Submit, f.Danger = "Switch on "+h.EndpointName+"?", "Those who may use it can call it again.", "Switch on", false
		f.Hidden[0].Label = "false"
	}
	if !c.post() {
		return c.form(f)
	}
	off, version := c.r.PostFormValue("disabled") == "true", c.r.PostFormValue("version")
	_, err = c.rest.UpdateEndpoint(client.At(c.ctx(), &version), h.EndpointName, api.EndpointPatch{Disabled: &off})
	return c.saved(f, err, h.Base, "The endpoint was switched "+map[bool]string{true: "off", false: "on"}[off]+".")
}

// deleteEndpoint is GET and POST /ui/admin/endpoints/{name}/delete. The name is
// typed, so that nobody deletes by a slip.
func (s *UI) deleteEndpoint(c *call) error {
	h, err := c.head("")
	if err != nil {
		return err
	}
	f := confirm("Delete "+h.EndpointName+"?", "Calls are refused from then on, and its keys are deleted. What was recorded of it stays in the log. This can't be undone.",
		h.Base+"/delete", "Delete endpoint", h.Base)
	f.Hidden = []option{{Value: "version", Label: h.Version}}
	f.Fields = []*field{{Name: "typed", Label: "Type the name of the endpoint", Required: true, Focus: true, Placeholder: h.EndpointName}}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	if f.value("typed") != h.EndpointName {
		f.field("typed").Error = "That is not the name. Type " + h.EndpointName + "."
		return c.form(f)
	}
	version := c.r.PostFormValue("version")
	err = c.rest.DeleteEndpoint(client.At(c.ctx(), &version), h.EndpointName)
	return c.saved(f, err, endpointsPath, "The endpoint "+h.EndpointName+" was deleted.")
}

// endpointPermissions is GET /ui/admin/endpoints/{name}/permissions.
func (s *UI) endpointPermissions(c *call) error {
	h, p, err := c.permitted("permissions")
	if err != nil {
		return err
	}
	g, err := c.newGrantsForm(h.EndpointName, p, nil)
	if err != nil {
		return err
	}
	return c.page("endpoint-permissions", h.EndpointName, map[string]any{
		"Head": h, "Everyone": p.IsEveryoneAllowed, "Nobody": whoMay(p) == nobodyYet, "Lists": []map[string]any{
			{"Title": "Users", "Icon": "user", "Entries": g.Users.Chosen}, {"Title": "Organizations", "Icon": "building-2", "Entries": g.Organizations.Chosen},
			{"Title": "Roles", "Icon": "shield-check", "Entries": options(p.Roles)}, {"Title": "Projects", "Icon": "inbox", "Entries": options(p.Projects)},
		}, "Owners": g.Owners.Chosen,
	})
}

func options(list []string) []option {
	var out []option
	for _, v := range list {
		out = append(out, option{Value: v, Label: v})
	}
	return out
}

// editPermissions is GET and POST /ui/admin/endpoints/{name}/permissions/edit.
func (s *UI) editPermissions(c *call) error {
	h, p, err := c.permitted("permissions")
	if err != nil {
		return err
	}
	g, err := c.newGrantsForm(h.EndpointName, p, c.typed())
	if err != nil {
		return err
	}
	f := &endpointForm{form: &form{Title: "Who may use " + h.EndpointName, Action: h.Base + "/permissions/edit", Submit: "Save", Back: h.Base + "/permissions"}, Grants: g, Version: h.Version}
	if !c.post() {
		return c.endpointForm(f)
	}
	f.Version = c.r.PostFormValue("version")
	patch, err := c.grants(g)
	if err != nil {
		return err
	}
	if g.failed() {
		return c.endpointForm(f)
	}
	_, err = c.rest.SetPermissions(client.At(c.ctx(), &f.Version), h.EndpointName, patch)
	return c.saved(f, err, h.Base+"/permissions", "The permissions of "+h.EndpointName+" were changed.")
}
