package admin

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"sort"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/policies"
)

// listEndpoints is GET /api/aigateway/v1/endpoints: what the caller may use,
// or everything where the policy says so and ?mayInvoke=true does not narrow it.
func (s *server) listEndpoints(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	mine, err := readBool(c.r.URL.Query(), "mayInvoke", false)
	if err != nil {
		return err
	}
	matches := func(e *catalog.Endpoint) bool {
		return p.matches(e.Name, string(e.Type), e.First().Provider, e.First().Model, e.Description)
	}
	list := s.visible
	if mine {
		list = s.callable
	}
	found, err := list(c, matches)
	if err != nil {
		return err
	}
	order(found, p, endpointSortKey(p.sortBy))
	out := api.EndpointList{Metadata: c.metadata(p, len(found))}
	if out.Endpoints, err = s.endpointShapes(c, cut(found, p)); err != nil {
		return err
	}
	return c.reply(http.StatusOK, out)
}

func endpointSortKey(field string) func(*catalog.Endpoint) string {
	return func(e *catalog.Endpoint) string {
		switch field {
		case "creationDate":
			return string(binary.BigEndian.AppendUint64(nil, uint64(e.Created.UnixNano())))
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
	return s.replyEndpoint(c, e)
}

// endpoint returns the endpoint that the path names, if the caller may see it.
func (s *server) endpoint(c *call) (*catalog.Endpoint, error) {
	name := c.r.PathValue("name")
	e, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return nil, noEndpoint(name)
	}
	if err := s.covered(c, e); err != nil {
		return nil, err
	}
	if e.Disabled && !c.all() {
		changes, err := s.mayChange(c, e)
		if err != nil {
			return nil, err
		}
		if !changes {
			return nil, switchedOff(name)
		}
	}
	return e, nil
}

// switchedOff tells of an endpoint that is there and not active.
func switchedOff(name string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusNotFound, Code: dialect.CodeEndpointDisabled, Param: "endpointName",
		Message: "The endpoint " + name + " is switched off. Use another one, or ask its owner or an administrator to switch it on.",
	}
}

func (s *server) replyEndpoint(c *call, e *catalog.Endpoint) error {
	shape, err := s.endpointShape(c, e)
	if err != nil {
		return err
	}
	return c.replyVersioned(shownAs(etag(e), shape.MayChange, shape.MayInvoke, shape.Problem), shape)
}

// endpointShape shows an endpoint, and what the caller may do with it.
func (s *server) endpointShape(c *call, e *catalog.Endpoint) (api.Endpoint, error) {
	shapes, err := s.endpointShapes(c, []*catalog.Endpoint{e})
	if err != nil {
		return api.Endpoint{}, err
	}
	return shapes[0], nil
}

// endpointShapes shows several.
func (s *server) endpointShapes(c *call, list []*catalog.Endpoint) ([]api.Endpoint, error) {
	changes, err := s.mayEach(c, policies.ResourceEndpoints, policies.VerbUpdate, list)
	if err != nil {
		return nil, err
	}
	calls, err := s.about(list, make([]bool, len(list)), func(i int) bool { return !list[i].Disabled },
		func(some []*catalog.Endpoint) ([]bool, error) { return s.mayViewEach(c, some) })
	if err != nil {
		return nil, err
	}
	shapes := make([]api.Endpoint, len(list))
	for i, e := range list {
		shapes[i] = plainShape(e)
		shapes[i].MayChange, shapes[i].MayInvoke = changes[i], calls[i]
	}
	return shapes, nil
}

// plainShape shows the first target, as Domino's clients know of one.
func plainShape(e *catalog.Endpoint) api.Endpoint {
	t := e.First()
	out := api.Endpoint{
		EndpointID: e.ID, EndpointName: e.Name, EndpointType: string(e.Type),
		ModelProvider: t.Provider, ModelName: t.Model,
		ModelConfig: maps.Clone(t.Config), ModelConfigSecrets: secretNames(t), CredentialID: t.CredentialID,
		Description: e.Description, Disabled: e.Disabled,
		AuditBodies: bodiesText(e), Problem: e.Problem, TargetCount: len(e.Targets),
		CreationDate: shown(e.Created), UpdateDate: shown(e.Updated),
	}
	if e.Limit != nil {
		out.Limit = &api.Limit{Calls: e.Limit.Calls, RenewalPeriod: e.Limit.Period, Key: e.Limit.Key}
	}
	return out
}

// bodiesText is what the trail keeps of an endpoint's bodies, as people read it.
func bodiesText(e *catalog.Endpoint) string { return cmp.Or(e.AuditBodies, audit.BodiesFull) }

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
