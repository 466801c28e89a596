package ui

import (
	"strings"

	"sluice/policies"
)

// menuEntry is a link of the side menu.
type menuEntry struct {
	Title, Path, Icon string
	// Resource and verb of the REST call behind the page: the entry is shown to
	// those who may do it to everything. "": shown to everyone.
	resource, verb string
	Current        bool
}

type menuGroup struct {
	Title   string
	Entries []menuEntry
}

// menu is the whole menu.
var menu = []menuGroup{
	{Title: "Use", Entries: []menuEntry{
		{Title: "Gateway LLMs", Path: "/ui/", Icon: "layout-grid"},
	}},
	{Title: "Manage", Entries: []menuEntry{
		{Title: "Endpoints", Path: endpointsPath, Icon: "plug", resource: policies.ResourceEndpoints, verb: policies.VerbCreate},
		{Title: "Credentials", Path: credentialsPath, Icon: "key-round", resource: policies.ResourceCredentials, verb: policies.VerbList},
		{Title: "People", Path: "/ui/people", Icon: "users", resource: policies.ResourceUsers, verb: policies.VerbList},
		{Title: "Policies", Path: policiesPath, Icon: "shield-check", resource: policies.ResourcePolicies, verb: policies.VerbRead},
	}},
	{Title: "Watch", Entries: []menuEntry{
		{Title: "Usage", Path: usagePath, Icon: "chart-no-axes-combined"},
		{Title: "Audit", Path: auditPath, Icon: "scroll-text", resource: policies.ResourceAudit, verb: policies.VerbList},
		{Title: "Status", Path: statusPath, Icon: "activity", resource: policies.ResourceStatus, verb: policies.VerbRead},
		{Title: "API", Path: "/ui/api", Icon: "book-open"},
	}},
}

// menu is what the caller is offered.
func (c *call) menu() []menuGroup {
	var shown []menuGroup
	best, bestLen := "", 0
	for _, g := range menu {
		var entries []menuEntry
		for _, e := range g.Entries {
			if e.resource != "" && !c.offered(e) {
				continue
			}
			entries = append(entries, e)
			if n := len(e.Path); under(c.r.URL.Path, e.Path) && n > bestLen {
				best, bestLen = e.Path, n
			}
		}
		if len(entries) > 0 {
			shown = append(shown, menuGroup{g.Title, entries})
		}
	}
	for _, g := range shown {
		for i := range g.Entries {
			g.Entries[i].Current = g.Entries[i].Path == best
		}
	}
	return shown
}

// offered reports whether an entry is shown: owners see their endpoints' pages.
func (c *call) offered(e menuEntry) bool {
	return c.offeredTo(e.resource, e.verb)
}

// offeredTo reports whether the caller may do verb to everything of a kind, or
// to what he owns.
func (c *call) offeredTo(resource, verb string) bool {
	switch c.scope(resource, verb) {
	case policies.ScopeAll, policies.ScopeOwned:
		return true
	}
	return false
}

// under reports whether a page belongs to a menu entry. The pages of endpoints
// that everyone uses belong to the first.
func under(page, entry string) bool {
	if entry == "/ui/" {
		return page == "/ui/" || strings.HasPrefix(page, "/ui/endpoints/")
	}
	return page == entry || strings.HasPrefix(page, strings.TrimSuffix(entry, "/")+"/")
}
