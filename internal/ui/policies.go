package ui

import (
	"net/http"
	"net/url"
	"sort"
	"strings"

	"sluice/internal/admin/api"
	"sluice/policies"
)

const policiesPath = "/ui/policies"

func (s *UI) policyRoutes() []route {
	return []route{
		{pattern: "GET " + policiesPath, handle: s.policies},
		{pattern: "GET " + policiesPath + "/access", handle: s.policyAccess},
		{pattern: "GET " + policiesPath + "/roles", handle: s.policyRoles},
		{pattern: "GET " + policiesPath + "/bundles/{name}", handle: s.policyFiles},
		{pattern: "GET " + policiesPath + "/check", handle: s.checkPolicies},
		{pattern: "POST " + policiesPath + "/check", handle: s.checkPolicies},
		{pattern: "GET " + policiesPath + "/reload", handle: s.reloadPolicies},
		{pattern: "POST " + policiesPath + "/reload", handle: s.reloadPolicies},
	}
}

func (c *call) policyTabs() []any {
	var tabs []any
	for _, t := range []struct{ title, path string }{
		{"Bundles", policiesPath}, {"Who may call what", policiesPath + "/access"}, {"Roles", policiesPath + "/roles"},
	} {
		tabs = append(tabs, map[string]any{"Title": t.title, "Path": t.path, "Current": c.r.URL.Path == t.path})
	}
	return tabs
}

// policies is GET /ui/policies.
func (s *UI) policies(c *call) error {
	status, err := c.rest.Policies(c.ctx())
	if err != nil {
		return err
	}
	return c.page("policies", "Policies", map[string]any{"Status": status, "Tabs": c.policyTabs()})
}

// policyFiles is GET /ui/policies/bundles/{name}: the sources in force.
func (s *UI) policyFiles(c *call) error {
	files, err := c.rest.PolicyFiles(c.ctx(), c.r.PathValue("name"))
	if err != nil {
		return err
	}
	return c.page("bundle", files.Name, files)
}

// reloadPolicies is GET and POST /ui/policies/reload.
func (s *UI) reloadPolicies(c *call) error {
	f := confirm("Read the bundles again?", "Changed files are in force at once, whole or not at all. The folders are watched anyway, so this is rarely needed.",
		policiesPath+"/reload", "Read again", policiesPath)
	f.Danger = false
	if !c.post() {
		return c.form(f)
	}
	_, err := c.rest.ReloadPolicies(c.ctx())
	return c.saved(f, err, policiesPath, "The bundles were read again.")
}

// checkPolicies is GET and POST /ui/policies/check: a dry run.
func (s *UI) checkPolicies(c *call) error {
	if !c.post() {
		f := confirm("Check the bundles?", "The configured bundles are read, compiled, and their tests run. Nothing is put into force.",
			policiesPath+"/check", "Check", policiesPath)
		f.Danger = false
		return c.form(f)
	}
	found, err := c.rest.CheckPolicies(c.ctx())
	if err != nil {
		return err
	}
	return c.page("policy-check", "Check of the bundles", found)
}

// policyAccess is GET /ui/policies/access: who may call what, and why.
func (s *UI) policyAccess(c *call) error {
	q := c.r.URL.Query()
	user, endpoint := strings.TrimSpace(q.Get("user")), strings.TrimSpace(q.Get("endpoint"))
	data := map[string]any{"User": user, "Endpoint": endpoint, "Tabs": c.policyTabs()}
	if user != "" || endpoint != "" {
		found, err := c.rest.PolicyAccess(c.ctx(), api.AccessQuestion{User: user, EndpointName: endpoint})
		f := &form{}
		if err != nil {
			if !f.refused(err) && !isStatus(err, http.StatusNotFound) {
				return err
			}
			data["Error"] = err.Error()
		}
		data["Found"] = found
	}
	users, err := c.rest.ListUsers(c.ctx(), url.Values{"limit": {"500"}})
	if err != nil {
		return err
	}
	endpoints, err := c.rest.ListEndpoints(c.ctx(), url.Values{"limit": {"500"}})
	if err != nil {
		return err
	}
	data["Users"], data["Endpoints"] = users.Users, endpoints.Endpoints
	return c.page("access", "Who may call what", data)
}

// grant is what a role may do with a resource.
type grant struct{ Resource, Verbs string }

// grants puts what a role may do into words.
func grants(may map[string]map[string]string) []grant {
	var out []grant
	for resource, verbs := range may {
		var words []string
		for _, v := range []string{policies.VerbList, policies.VerbRead, policies.VerbCreate, policies.VerbUpdate, policies.VerbDelete} {
			if scope, ok := verbs[v]; ok {
				if scope != policies.ScopeAll {
					v += " (" + scope + ")"
				}
				words = append(words, v)
			}
		}
		if len(words) > 0 {
			out = append(out, grant{resource, strings.Join(words, ", ")})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Resource < out[j].Resource })
	return out
}

type roleRow struct {
	api.Role
	Grants []grant
}

// policyRoles is GET /ui/policies/roles.
func (s *UI) policyRoles(c *call) error {
	found, err := c.rest.Roles(c.ctx())
	if err != nil {
		return err
	}
	rows := []roleRow{}
	for _, r := range found.Roles {
		rows = append(rows, roleRow{r, grants(r.May)})
	}
	return c.page("roles", "Roles", map[string]any{"Rows": rows, "Everyone": grants(found.Everyone), "Tabs": c.policyTabs()})
}
