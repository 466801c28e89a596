package ui

import (
	"net/http"
	"net/url"
	"strings"
	"time"

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
	Code, Note string
}

func (c *call) snippets(e api.Endpoint) []snippet {
	in := snippets.Input{Address: c.origin(), Endpoint: e.EndpointName, Type: e.EndpointType}
	if c.s.CA != nil {
		in.CAPath = caName
	}
	var out []snippet
	for _, l := range snippets.Languages() {
		if code := snippets.For(l.ID, in); code != "" {
			note := ""
			if l.Needs != "" {
				note = "Needs " + l.Needs
			}
			out = append(out, snippet{l, strings.TrimSpace(code), note})
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
	usage, err := c.myUsage(e.EndpointID)
	if err != nil {
		return err
	}
	return c.page("endpoint", e.EndpointName, map[string]any{
		"Endpoint": modelRowOf(e), "Snippets": c.snippets(e), "Address": c.origin(), "CA": s.CA != nil, "CAName": caName,
		"Usage": usage, "Kind": strings.TrimPrefix(e.EndpointType, "llm/v1/"), "ReadsTrail": c.may(policies.ResourceAudit, policies.VerbRead),
		"NewToken": "/ui/account/tokens/new?endpoint=" + e.EndpointName + "&name=" + e.EndpointName,
	})
}

// usageDays is how far back a person's own usage of an endpoint is shown.
const usageDays = 30

// ownUsage is what somebody has used of an endpoint.
type ownUsage struct {
	Total api.UsageFigures
	Chart *chart
	Days  int
}

// myUsage sums up the person's own calls of an endpoint; nil where the policy
// or the gateway does not tell.
func (c *call) myUsage(endpointID string) (*ownUsage, error) {
	to := c.s.Now().UTC()
	found, err := c.rest.Usage(c.ctx(), url.Values{
		"endpointId": {endpointID}, "userId": {c.caller.UserID}, "groupBy": {api.UsageByTime}, "interval": {api.IntervalDay},
		"from": {to.AddDate(0, 0, -usageDays).Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "limit": {"100"},
	})
	if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusServiceUnavailable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	u := &ownUsage{Total: found.Total, Days: usageDays, Chart: &chart{Small: true, Label: "My requests by day", Series: []series{{Name: "Requests"}}}}
	for _, row := range found.Rows {
		if row.Start != nil {
			u.Chart.Starts = append(u.Chart.Starts, *row.Start)
			u.Chart.Series[0].Values = append(u.Chart.Series[0].Values, float64(row.Requests))
		}
	}
	return u, nil
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
