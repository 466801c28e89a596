package ui

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// endpointsPath is the list of endpoints for those who look after them. Paths
// below it that are not an endpoint's begin with "~", which no name does.
const endpointsPath = "/ui/admin/endpoints"

func (s *UI) adminEndpointRoutes() []route {
	return []route{
		{pattern: "GET /ui/admin/endpoints", handle: s.adminEndpoints},
		{pattern: "GET /ui/admin/endpoints/~new", handle: s.newEndpoint},
		{pattern: "POST /ui/admin/endpoints/~new", handle: s.newEndpoint},
		{pattern: "POST /ui/admin/endpoints/~part", handle: s.modelPart},
		{pattern: "POST /ui/admin/endpoints/~test", handle: s.testConnection},
		{pattern: "GET /ui/admin/endpoints/~directory", handle: s.directory},
		{pattern: "GET /ui/admin/endpoints/~logs", handle: s.downloadLogs},
		{pattern: "GET /ui/admin/endpoints/~import", handle: s.importEndpoints},
		{pattern: "POST /ui/admin/endpoints/~import", handle: s.importEndpoints},
		{pattern: "GET /ui/admin/endpoints/{name}", handle: s.adminEndpoint},
		{pattern: "GET /ui/admin/endpoints/{name}/edit", handle: s.editEndpoint},
		{pattern: "POST /ui/admin/endpoints/{name}/edit", handle: s.editEndpoint},
		{pattern: "GET /ui/admin/endpoints/{name}/switch", handle: s.switchEndpoint},
		{pattern: "POST /ui/admin/endpoints/{name}/switch", handle: s.switchEndpoint},
		{pattern: "GET /ui/admin/endpoints/{name}/delete", handle: s.deleteEndpoint},
		{pattern: "POST /ui/admin/endpoints/{name}/delete", handle: s.deleteEndpoint},
		{pattern: "GET /ui/admin/endpoints/{name}/permissions", handle: s.endpointPermissions},
		{pattern: "GET /ui/admin/endpoints/{name}/permissions/edit", handle: s.editPermissions},
		{pattern: "POST /ui/admin/endpoints/{name}/permissions/edit", handle: s.editPermissions},
		{pattern: "GET /ui/admin/endpoints/{name}/usage", handle: s.endpointUsage},
		{pattern: "GET /ui/admin/endpoints/{name}/log", handle: s.endpointLog},
	}
}

func adminEndpointPath(name string, more ...string) string {
	p := endpointsPath + "/" + url.PathEscape(name)
	for _, m := range more {
		p += "/" + url.PathEscape(m)
	}
	return p
}

// adminRow is an endpoint in the list of those who look after it.
type adminRow struct {
	api.Endpoint
	Provider string
	Link     string
	State    map[string]any // of the partial "state"
	Why      string         // what is wrong, as a sentence
	Users    string         // who may use it
}

// adminEndpoints is GET /ui/admin/endpoints.
func (s *UI) adminEndpoints(c *call) error {
	l := c.listing("endpointName", "creationDate", "endpointType", "modelName", "modelProvider")
	found, err := c.looksAfter(l)
	if err != nil {
		return err
	}
	health, err := c.health()
	if err != nil {
		return err
	}
	rows := make([]adminRow, 0, len(found))
	for _, e := range found {
		row := adminRow{Endpoint: e, Provider: providerTitle(e.ModelProvider), Link: adminEndpointPath(e.EndpointName)}
		row.State, row.Why = endpointState(e, health[e.EndpointName], s.Now())
		p, err := c.rest.Permissions(c.ctx(), e.EndpointName)
		if err != nil {
			return err
		}
		row.Users = whoMay(p)
		rows = append(rows, row)
	}
	return c.page("endpoints", "Endpoints", map[string]any{
		"List": l, "Rows": rows, "MayCreate": c.offeredTo(policies.ResourceEndpoints, policies.VerbCreate),
		"MayImport": c.may(policies.ResourceEndpoints, policies.VerbCreate) && c.may(policies.ResourceEndpoints, policies.VerbUpdate),
		"MayLogs":   c.may(policies.ResourceAudit, policies.VerbList),
	})
}

// looksAfter are the endpoints of the list's page that the caller may change. An
// owner sees others too; those are left out, over all pages at once.
func (c *call) looksAfter(l *listing) ([]api.Endpoint, error) {
	q := l.Query()
	whole := c.may(policies.ResourceEndpoints, policies.VerbUpdate)
	if !whole {
		q.Set("offset", "0")
		q.Set("limit", "10000")
	}
	found, err := c.rest.ListEndpoints(c.ctx(), q)
	if err != nil {
		return nil, err
	}
	l.Total = found.Metadata.TotalCount
	if whole {
		return found.Endpoints, nil
	}
	var own []api.Endpoint
	for _, e := range found.Endpoints {
		if e.MayChange {
			own = append(own, e)
		}
	}
	l.Total = len(own)
	from := min(l.Offset, len(own))
	return own[from:min(from+l.Limit, len(own))], nil
}

// health is how the targets of endpoints do that failed lately, by endpoint.
// Who may not read the status gets none.
func (c *call) health() (map[string][]api.TargetHealth, error) {
	if !c.may(policies.ResourceStatus, policies.VerbRead) {
		return nil, nil
	}
	status, err := c.rest.Status(c.ctx())
	if err != nil {
		return nil, err
	}
	out := map[string][]api.TargetHealth{}
	for _, t := range status.Targets {
		out[t.EndpointName] = append(out[t.EndpointName], t)
	}
	return out, nil
}

// endpointState says how an endpoint does, as a state and as a sentence.
func endpointState(e api.Endpoint, health []api.TargetHealth, now time.Time) (state map[string]any, why string) {
	switch {
	case e.Disabled:
		return map[string]any{"Text": "Switched off"}, ""
	case e.Problem != "":
		return map[string]any{"Text": "Broken", "Tone": "bad"}, e.Problem
	}
	cooling, until := 0, time.Time{}
	for _, t := range health {
		if t.State != api.TargetCooling {
			continue
		}
		cooling++
		if t.Until != nil && (until.IsZero() || t.Until.Before(until)) {
			until = *t.Until
		}
	}
	if cooling == 0 {
		return map[string]any{"Text": "Ready", "Tone": "good"}, ""
	}
	text, why := "Cooling", plural(cooling, "target")+" of "+strconv.Itoa(e.TargetCount)+" failed lately and "+isAre(cooling)+" tried last"
	if !until.IsZero() {
		text, why = "Cooling until "+until.UTC().Format("15:04:05"), why+", until "+date(until)
	}
	return map[string]any{"Text": text, "Tone": "warn"}, why + "."
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// plural is a number with its noun: "1 user", "2 users".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// whoMay says in a few words who may use an endpoint.
func whoMay(p api.Permissions) string {
	if p.IsEveryoneAllowed {
		return "Everyone"
	}
	users := 0
	for _, id := range p.UserIDs {
		if !contains(p.OrganizationIDs, id) { // Domino's clients list organizations there, too
			users++
		}
	}
	var words []string
	for _, g := range []struct {
		n    int
		noun string
	}{{users, "user"}, {len(p.OrganizationIDs), "organization"}, {len(p.Roles), "role"}, {len(p.Projects), "project"}} {
		if g.n > 0 {
			words = append(words, plural(g.n, g.noun))
		}
	}
	if len(words) == 0 {
		return nobodyYet
	}
	return strings.Join(words, ", ")
}

const nobodyYet = "Nobody yet"
