package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// Kinds of what the pickers search.
const (
	kindUsers         = "users"
	kindOrganizations = "organizations"
	kindBoth          = "both"
)

// entry is a user or an organization as pickers show it.
type entry struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Note string `json:"note,omitempty"`
}

// maxShown is how many entries a picker offers.
const maxShown = 8

// searches reports whether the caller may search the directory for a kind. He
// may always search his own organizations.
func (c *call) searches(kind string) bool {
	return kind == kindOrganizations || c.may(policies.ResourceUsers, policies.VerbList)
}

// directory is GET /ui/admin/endpoints/~directory: what matches in the
// directory, for pickers.
func (s *UI) directory(c *call) error {
	q := c.r.URL.Query()
	found, err := c.lookup(q.Get("kind"), strings.TrimSpace(q.Get("q")))
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(c.w).Encode(found[:min(len(found), maxShown)])
}

func (c *call) lookup(kind, search string) ([]entry, error) {
	found := []entry{}
	q := url.Values{"limit": {strconv.Itoa(maxShown)}, "searchFilter": {search}}
	if kind != kindUsers {
		list, err := c.rest.ListOrganizations(c.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, o := range list.Organizations {
			found = append(found, organizationEntry(o))
		}
	}
	if kind != kindOrganizations {
		list, err := c.rest.ListUsers(c.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, u := range list.Users {
			found = append(found, userEntry(u))
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return found, nil
}

func organizationEntry(o api.Organization) entry {
	return entry{ID: o.ID, Name: o.Name, Note: "organization, " + plural(o.MemberCount, "member")}
}

func userEntry(u api.User) entry {
	note := u.FullName
	if u.Kind == api.KindServiceAccount {
		note = "service account"
	} else if note == "" {
		note = u.Email
	}
	return entry{ID: u.ID, Name: u.UserName, Note: note}
}

// find is the id behind a name or an id, "" where there is none.
func (c *call) find(kind, name string) (string, error) {
	if !c.searches(kind) {
		return name, nil // REST tells whether it is an id
	}
	found, err := c.lookup(kind, name)
	if err != nil {
		return "", err
	}
	for _, e := range found {
		if e.ID == name || strings.EqualFold(e.Name, name) {
			return e.ID, nil
		}
	}
	return "", nil
}

// fewIDs is up to how many ids are looked up one by one.
const fewIDs = 40

// names are the names behind ids of users and organizations, as far as the
// caller may know them.
func (c *call) names(ids []string) (map[string]string, error) {
	known := map[string]string{c.caller.UserID: c.caller.UserName}
	if len(ids) == 0 {
		return known, nil
	}
	organizations, err := c.rest.AllOrganizations(c.ctx(), "")
	if err != nil {
		return nil, err
	}
	for _, o := range organizations {
		known[o.ID] = o.Name
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return known[id] != "" })
	switch {
	case len(missing) == 0 || !c.may(policies.ResourceUsers, policies.VerbRead):
		return known, nil
	case len(missing) <= fewIDs:
		for _, id := range missing {
			u, err := c.rest.GetUser(c.ctx(), id)
			if err != nil && !isStatus(err, http.StatusNotFound) {
				return nil, err
			}
			known[id] = u.UserName
		}
		return known, nil
	}
	users, err := c.rest.AllUsers(c.ctx(), "")
	for _, u := range users {
		known[u.ID] = u.UserName
	}
	return known, err
}
