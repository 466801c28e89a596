package ui

import (
	"encoding/json"
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

// maxSearched is how many names that have a text in them are looked through
// for the one that is it.
const maxSearched = 10_000

// searches reports whether the caller may search the directory: who may change
// the permissions of the endpoint ("": make endpoints) may.
func (c *call) searches(endpoint string) bool {
	if endpoint == "" {
		return c.scope(policies.ResourceEndpoints, policies.VerbCreate) != ""
	}
	e, err := c.rest.GetEndpoint(c.ctx(), endpoint)
	return err == nil && e.MayChange
}

// directory is GET /ui/admin/endpoints/~directory: what matches in the
// directory, for pickers.
func (s *UI) directory(c *call) error {
	q := c.r.URL.Query()
	found, err := c.lookup(q.Get("endpoint"), q.Get("kind"), strings.TrimSpace(q.Get("q")), maxShown)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(c.w).Encode(found[:min(len(found), maxShown)])
}

// lookup searches for whom the permissions of an endpoint can name.
func (c *call) lookup(endpoint, kind, search string, most int) ([]entry, error) {
	q := url.Values{"limit": {strconv.Itoa(most)}, "searchFilter": {search}}
	var kinds []string
	switch kind {
	case kindUsers:
		kinds = []string{api.KindPerson, api.KindServiceAccount}
	case kindOrganizations:
		kinds = []string{api.KindOrganization}
	default:
		kinds = []string{""}
	}
	found := []entry{}
	for _, k := range kinds {
		q.Set("kind", k)
		list, err := c.rest.Candidates(c.ctx(), endpoint, q)
		if err != nil {
			return nil, err
		}
		for _, x := range list.Candidates {
			found = append(found, entryOf(x))
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return found, nil
}

func entryOf(x api.Candidate) entry {
	note := x.FullName
	switch x.Kind {
	case api.KindOrganization:
		note = "organization, " + plural(x.MemberCount, "member")
	case api.KindServiceAccount:
		note = "service account"
	}
	return entry{ID: x.ID, Name: x.Name, Note: note}
}

// find is the id behind an id or a name; several where a user and an
// organization have the name: nobody comes in by the name of another.
func (c *call) find(endpoint, kind, name string) (ids []string, err error) {
	if !c.searches(endpoint) {
		return []string{name}, nil // REST tells whether it is an id
	}
	found, err := c.lookup(endpoint, kind, name, maxSearched)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if e.ID == name {
			return []string{e.ID}, nil
		}
		if strings.EqualFold(e.Name, name) {
			ids = append(ids, e.ID)
		}
	}
	return ids, nil
}

// names are the names behind ids of users and organizations, as far as the
// caller may know them.
func (c *call) names(endpoint string, ids []string) (map[string]string, error) {
	known := map[string]string{c.caller.UserID: c.caller.UserName}
	if len(ids) == 0 || !c.searches(endpoint) {
		return known, nil
	}
	const some = 200 // so many fit into an address
	for part := range slices.Chunk(ids, some) {
		list, err := c.rest.Candidates(c.ctx(), endpoint, url.Values{"ids": part, "limit": {strconv.Itoa(some)}})
		if err != nil {
			return nil, err
		}
		for _, x := range list.Candidates {
			known[x.ID] = x.Name
		}
	}
	return known, nil
}
