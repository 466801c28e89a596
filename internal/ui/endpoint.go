package ui

import (
	"net/http"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/snippets"
	"sluice/policies"
)

// caName is the file in which the snippets look for the gateway's CA.
const caName = "sluice-ca.pem"

func (s *UI) endpointRoutes() []route {
	return []route{
		{pattern: "GET /ui/endpoints/{name}", handle: s.endpoint},
		{pattern: "POST /ui/endpoints/{name}/try", handle: s.try},
		{pattern: "GET /ui/ca.pem", handle: s.caFile, open: true}, // sluice login fetches it, and has it compared
	}
}

// snippet is code in one language.
type snippet struct {
	snippets.Language
	Code string
}

func (c *call) snippets(e api.Endpoint) []snippet {
	in := snippets.Input{Address: c.origin(), Endpoint: e.EndpointName, Type: e.EndpointType}
	if c.s.CA != nil {
		in.CAPath = caName
	}
	var out []snippet
	for _, l := range snippets.Languages() {
		if code := snippets.For(l.ID, in); code != "" {
			out = append(out, snippet{l, strings.TrimSpace(code)})
		}
	}
	return out
}

// endpoint is GET /ui/endpoints/{name}: all that somebody who may use an
// endpoint wants of it.
func (s *UI) endpoint(c *call) error {
	e, err := c.rest.GetEndpoint(c.ctx(), c.r.PathValue("name"))
	if err != nil {
		return err
	}
	return c.page("endpoint", e.EndpointName, map[string]any{
		"Endpoint": modelRowOf(e), "Snippets": c.snippets(e), "Address": c.origin(), "CA": s.CA != nil, "CAName": caName,
		"Kind": strings.TrimPrefix(e.EndpointType, "llm/v1/"), "ReadsTrail": c.may(policies.ResourceAudit, policies.VerbRead),
		"NewToken": "/ui/account/tokens/new?endpoint=" + e.EndpointName + "&name=" + e.EndpointName,
	})
}

// caFile is GET /ui/ca.pem: the certificate of the gateway's own CA, which is
// no secret.
func (s *UI) caFile(c *call) error {
	if s.CA == nil {
		return errNotFound
	}
	pem, err := s.CA()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-pem-file")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+caName+`"`)
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(pem)
	return nil
}
