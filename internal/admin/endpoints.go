package admin

import (
	"maps"
	"net/http"
	"slices"
	"sort"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// listEndpoints is GET /api/aigateway/v1/endpoints: what the caller may use,
// or everything where the policy says so.
func (s *server) listEndpoints(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	found, err := s.visible(c, func(e *catalog.Endpoint) bool {
		return p.matches(e.Name, string(e.Type), e.First().Provider, e.First().Model)
	}, c.all())
	if err != nil {
		return err
	}
	order(found, p, endpointSortKey(p.sortBy))
	list := api.EndpointList{Endpoints: []api.Endpoint{}, Metadata: c.metadata(p, len(found))}
	for _, e := range cut(found, p) {
		list.Endpoints = append(list.Endpoints, endpointShape(e))
	}
	return c.reply(http.StatusOK, list)
}

func endpointSortKey(field string) func(*catalog.Endpoint) string {
	return func(e *catalog.Endpoint) string {
		switch field {
		case "creationDate":
			return e.Created.UTC().Format("20060102150405.000000000")
		case "endpointType":
			return string(e.Type)
		case "modelName":
			return e.First().Model
		case "modelProvider":
			return e.First().Provider
		}
		return e.Name
	}
}

func everything(*catalog.Endpoint) bool { return true }

// readEndpoint is GET /api/aigateway/v1/endpoints/{name}.
func (s *server) readEndpoint(c *call) error {
	// Domino's own proxy reports here how many tokens it is about to send.
	// Exchanges are metered by the gateway itself, so the number is checked
	// and not used.
	if _, err := readInt(c.r.URL.Query(), "numInputTokens", 0, 0, 1<<31-1); err != nil {
		return err
	}
	e, err := s.endpoint(c)
	if err != nil {
		return err
	}
	return c.replyEndpoint(e)
}

// endpoint returns the endpoint that the path names, if the caller may see it.
func (s *server) endpoint(c *call) (*catalog.Endpoint, error) {
	name := c.r.PathValue("name")
	e, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return nil, noEndpoint(name)
	}
	if c.all() {
		return e, nil
	}
	ok, err := s.mayView(c, e)
	if err == nil && !ok {
		err = s.refuse(c, audit.ResultDenied, denied(c.decision))
	}
	return e, err
}

func (c *call) replyEndpoint(e *catalog.Endpoint) error {
	return c.replyVersioned(etag(e), endpointShape(e))
}

// endpointShape shows the first target, as Domino's clients know of one.
func endpointShape(e *catalog.Endpoint) api.Endpoint {
	t := e.First()
	out := api.Endpoint{
		EndpointID: e.ID, EndpointName: e.Name, EndpointType: string(e.Type),
		ModelProvider: t.Provider, ModelName: t.Model,
		ModelConfig: maps.Clone(t.Config), ModelConfigSecrets: secretNames(t),
		TargetCount:  len(e.Targets),
		CreationDate: shown(e.Created), UpdateDate: shown(e.Updated),
	}
	if e.Limit != nil {
		out.Limit = &api.Limit{Calls: e.Limit.Calls, RenewalPeriod: e.Limit.Period, Key: e.Limit.Key}
	}
	return out
}

// shown is a time as replies give it: UTC, to the millisecond.
func shown(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// secretNames lists the credentials that are stored, also those that the vault
// can't open at the moment.
func secretNames(t *catalog.Target) []string {
	names := sortedKeys(t.Secrets)
	for _, name := range t.Unreadable {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// etag changes whenever the endpoint or its permissions do.
func etag(e *catalog.Endpoint) string {
	return etagOf(e.ID, e.Updated.UnixNano(), endpointFields(e, false))
}
