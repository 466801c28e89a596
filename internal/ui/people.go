package ui

import (
	"net/url"

	"sluice/internal/admin/api"
	"sluice/policies"
)

const (
	usersPath         = "/ui/people/users"
	serviceAccounts   = "/ui/people/service-accounts"
	organizationsPath = "/ui/people/organizations"
	tokensPath        = "/ui/people/tokens"
)

func (s *UI) peopleRoutes() []route {
	routes := []route{
		{pattern: "GET /ui/people", handle: func(c *call) error { return c.redirect(usersPath) }},
		{pattern: "GET " + organizationsPath, handle: s.organizations},
		{pattern: "GET " + organizationsPath + "/{id}", handle: s.organization},
		{pattern: "GET " + tokensPath, handle: s.tokens},
	}
	for _, k := range []userKind{people, machines} {
		routes = append(routes,
			route{pattern: "GET " + k.path, handle: s.usersOf(k)},
			route{pattern: "GET " + k.path + "/{id}", handle: s.userOf(k)})
		routes = append(routes, both(k.path+"/new", s.newUserOf(k))...)
		routes = append(routes, both(k.path+"/{id}/edit", s.editUserOf(k))...)
		routes = append(routes, both(k.path+"/{id}/switch", s.switchUserOf(k))...)
		routes = append(routes, both(k.path+"/{id}/delete", s.deleteUserOf(k))...)
		routes = append(routes, both(k.path+"/{id}/tokens/new", s.newTokenOf(k))...)
		routes = append(routes, both(k.path+"/{id}/sessions/end", s.endSessionsOf(k))...)
	}
	for path, handle := range map[string]func(*call) error{
		organizationsPath + "/new":                     s.newOrganization,
		organizationsPath + "/{id}/edit":               s.editOrganization,
		organizationsPath + "/{id}/delete":             s.deleteOrganization,
		organizationsPath + "/{id}/members/add":        s.addMember,
		organizationsPath + "/{id}/members/{user}":     s.changeMember,
		organizationsPath + "/{id}/members/{user}/out": s.removeMember,
		tokensPath + "/{id}/revoke":                    s.revokeToken,
	} {
		routes = append(routes, both(path, handle)...)
	}
	return routes
}

// peopleTabs lead between the lists of people, as far as the person may see them.
func (c *call) peopleTabs() []any {
	var tabs []any
	for _, t := range []struct{ title, path, resource string }{
		{"Users", usersPath, policies.ResourceUsers},
		{"Organizations", organizationsPath, policies.ResourceOrganizations},
		{"Service accounts", serviceAccounts, policies.ResourceUsers},
		{"Tokens", tokensPath, policies.ResourceTokens},
	} {
		if c.may(t.resource, policies.VerbList) {
			tabs = append(tabs, map[string]any{"Title": t.title, "Path": t.path, "Current": c.r.URL.Path == t.path})
		}
	}
	return tabs
}

// sourceName says in words who fills in a user or a membership.
func sourceName(source string) string {
	switch source {
	case api.SourceClaims:
		return "Identity provider"
	case api.SourceSCIM:
		return "SCIM"
	}
	return "By hand"
}

// organizationNames maps ids to names, for those that are asked for.
func (c *call) organizationNames(ids []string) ([]api.Organization, error) {
	var found []api.Organization
	for _, id := range ids {
		o, err := c.rest.Organization(c.ctx(), id)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	return found, nil
}

func (c *call) pathID() string { return url.PathEscape(c.r.PathValue("id")) }
