package admin

import (
	"net/http"
	"slices"
	"strings"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// candidateRoutes list whom permissions can name, to those who give them: owners
// share their endpoints without being able to list users otherwise.
func (s *server) candidateRoutes() []route {
	query := with(paging("name"),
		parameter{name: "kind", kind: kindText, enum: []string{api.KindPerson, api.KindServiceAccount, api.KindOrganization}, text: "Shows only these."},
		parameter{name: "ids", kind: kindTexts, text: "Shows only those with these ids."})
	const text = "List the users and organizations that permissions can name, to "
	return []route{
		{
			pattern: "GET " + own + "/candidates", access: decided, scoped: true, resource: policies.ResourceEndpoints, verb: policies.VerbCreate,
			handle: s.listCandidates,
			doc:    doc{id: "listCandidates", tag: tagEndpoints, summary: text + "those who may make endpoints.", query: query, out: api.CandidateList{}},
		},
		{
			pattern: "GET " + own + "/endpoints/{name}/candidates", access: decided, resource: policies.ResourcePermissions, verb: policies.VerbUpdate,
			handle: s.listCandidates,
			doc:    doc{id: "listEndpointCandidates", tag: tagEndpoints, summary: text + "those who may change the endpoint's.", query: query, out: api.CandidateList{}},
		},
	}
}

// listCandidates is GET /api/sluice/v1/candidates and
// GET /api/sluice/v1/endpoints/{name}/candidates.
func (s *server) listCandidates(c *call) error {
	if name := c.r.PathValue("name"); name != "" {
		if _, known := s.Catalog.Snapshot().Get(name); !known {
			return noEndpoint(name)
		}
	}
	q := c.r.URL.Query()
	p, err := readPage(q, "name")
	if err != nil {
		return err
	}
	kind, ids := q.Get("kind"), readList(q, "ids")
	if kind != "" && !slices.Contains([]string{api.KindPerson, api.KindServiceAccount, api.KindOrganization}, kind) {
		return badRequest("invalid_parameter", "kind", "The parameter kind must be person, service-account or organization.")
	}
	found := []api.Candidate{}
	add := func(x api.Candidate) {
		if (kind == "" || kind == x.Kind) && (len(ids) == 0 || slices.Contains(ids, x.ID)) && p.matches(x.Name, x.FullName, x.ID) {
			found = append(found, x)
		}
	}
	for _, u := range s.Identity.Users() {
		if !u.Disabled || slices.Contains(ids, u.ID) {
			add(api.Candidate{ID: u.ID, Name: u.Name, Kind: u.Kind, FullName: u.FullName})
		}
	}
	for _, o := range s.Identity.Organizations() {
		add(api.Candidate{ID: o.ID, Name: o.Name, Kind: api.KindOrganization, MemberCount: len(o.Members)})
	}
	order(found, p, func(x api.Candidate) string { return strings.ToLower(x.Name) })
	return c.reply(http.StatusOK, api.CandidateList{Candidates: cut(found, p), Metadata: c.metadata(p, len(found))})
}
