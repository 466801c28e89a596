package admin

import (
	"errors"
	"net/http"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/policies"
)

// errMoved says that an endpoint changed between check and commit.
var errMoved = errors.New("the endpoint changed meanwhile")

// maxAttempts bounds how often a change is worked out because others came
// between.
const maxAttempts = 3

// createEndpoint is POST /api/aigateway/v1/endpoints.
func (s *server) createEndpoint(c *call) error {
	var in api.NewEndpoint
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := required(in); err != nil {
		return err
	}
	e, err := definition{
		name: in.EndpointName, kind: in.EndpointType, limit: limitOf(in.Limit), description: in.Description,
		auditBodies: in.AuditBodies, targets: []targetDefinition{{
			name: catalog.DefaultTarget, weight: 1, provider: in.ModelProvider, model: in.ModelName, config: in.ModelConfig,
			credential: in.CredentialID,
		}},
	}.settle(nil, s.Catalog.Snapshot())
	if err != nil {
		return err
	}
	permissions := *in.EndpointPermissions
	if permissions.OwnerIDs == nil && !c.all() {
		permissions.OwnerIDs = &[]string{c.caller.UserID}
	}
	if e.Permissions, err = s.permit(c, catalog.Permissions{}, permissions, "endpointPermissions."); err != nil {
		return err
	}
	if err := s.keeps(c, e, "endpointPermissions.ownerIds"); err != nil {
		return err
	}
	if err := s.mayKeep(c, nil, e); err != nil {
		return err
	}
	if err := s.mayLend(c, nil, e); err != nil {
		return err
	}
	if err := s.free(e.Name); err != nil {
		return err
	}
	if err := s.reach(c.ctx(), nil, e); err != nil {
		return err
	}
	created, err := s.commitNew(c, e)
	if err != nil {
		return err
	}
	return s.replyEndpoint(c, created)
}

// required names the first field of Domino's required ones that is missing.
func required(in api.NewEndpoint) error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"endpointName", in.EndpointName == ""},
		{"endpointType", in.EndpointType == ""},
		{"endpointPermissions", in.EndpointPermissions == nil},
		{"modelProvider", in.ModelProvider == ""},
		{"modelName", in.ModelName == ""},
		{"modelConfig", in.ModelConfig == nil},
	} {
		if f.missing {
			return badRequest("missing_field", f.name, "The field %s is required.", f.name)
		}
	}
	return nil
}

func (s *server) free(name string) error {
	if _, taken := s.Catalog.Snapshot().Get(name); taken {
		return badRequest("exists", "endpointName", "An endpoint named %q exists already; choose another name.", name)
	}
	return nil
}

func (s *server) commitNew(c *call, e *catalog.Endpoint) (*catalog.Endpoint, error) {
	s.endpoints.Lock()
	defer s.endpoints.Unlock()
	if err := s.free(e.Name); err != nil {
		return nil, err
	}
	var created *catalog.Endpoint
	err := s.change(c, func() (err error) {
		created, err = s.Catalog.Create(c.ctx(), *e)
		return err
	}, c.endpointEvent(audit.KindCreateEndpoint, e, endpointChanges(nil, e)))
	return created, err
}

// patchEndpoint is PATCH /api/aigateway/v1/endpoints/{name}.
func (s *server) patchEndpoint(c *call) error {
	var patch api.EndpointPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	e, err := s.updateEndpoint(c, audit.KindUpdateEndpoint, func(before *catalog.Endpoint) (*catalog.Endpoint, error) {
		return patched(before, patch).settle(before, s.Catalog.Snapshot())
	})
	if err != nil {
		return err
	}
	return s.replyEndpoint(c, e)
}

// patched lays a patch over an endpoint; what it says of the model is about
// the first target.
func patched(e *catalog.Endpoint, patch api.EndpointPatch) definition {
	d := stored(e)
	set(&d.name, patch.EndpointName)
	set(&d.kind, patch.EndpointType)
	d.targets[0].patch(patch.ModelProvider, patch.ModelName, patch.ModelConfig, patch.CredentialID)
	set(&d.description, patch.Description)
	set(&d.disabled, patch.Disabled)
	set(&d.auditBodies, patch.AuditBodies)
	if patch.Limit != nil {
		d.limit = limitOf(*patch.Limit)
	}
	return d
}

// updateEndpoint works out a change of the endpoint that the path names and
// makes it. Waiting for Envoy happens outside the lock, so that one slow
// provider does not hold up a revocation; a change that came between makes it
// start again, and the last attempt holds the lock throughout.
func (s *server) updateEndpoint(
	c *call, kind string, work func(before *catalog.Endpoint) (*catalog.Endpoint, error),
) (*catalog.Endpoint, error) {
	for attempt := 1; ; attempt++ {
		e, err := s.tryUpdate(c, kind, work, attempt == maxAttempts)
		if attempt == maxAttempts || !errors.Is(err, errMoved) {
			return e, err
		}
	}
}

func (s *server) tryUpdate(
	c *call, kind string, work func(before *catalog.Endpoint) (*catalog.Endpoint, error), locked bool,
) (*catalog.Endpoint, error) {
	if locked {
		s.endpoints.Lock()
		defer s.endpoints.Unlock()
	}
	name := c.r.PathValue("name")
	before, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return nil, noEndpoint(name)
	}
	if err := c.ifMatch("endpoint", etag(before)); err != nil {
		return nil, err
	}
	after, err := work(before)
	if err != nil {
		return nil, err
	}
	changes := endpointChanges(before, after)
	if len(changes) == 0 {
		return before, nil
	}
	if err := s.mayKeep(c, before, after); err != nil {
		return nil, err
	}
	if err := s.mayLend(c, before, after); err != nil {
		return nil, err
	}
	if !sameReach(before, after) {
		if err := s.reach(c.ctx(), before, after); err != nil {
			return nil, err
		}
	}
	if !locked {
		s.endpoints.Lock()
		defer s.endpoints.Unlock()
	}
	return s.commitUpdate(c, before, after, c.endpointEvent(kind, after, changes))
}

// commitUpdate is called with the lock held.
func (s *server) commitUpdate(c *call, before, after *catalog.Endpoint, ev *audit.Event) (*catalog.Endpoint, error) {
	if now, _ := s.Catalog.Snapshot().Get(before.Name); now != before {
		return nil, errMoved
	}
	if after.Name != before.Name {
		if err := s.free(after.Name); err != nil {
			return nil, err
		}
	}
	var done *catalog.Endpoint
	err := s.change(c, func() (err error) {
		done, err = s.Catalog.Update(c.ctx(), before.Name, func(e *catalog.Endpoint) error {
			e.Name, e.Type, e.Limit, e.Permissions = after.Name, after.Type, after.Limit, after.Permissions
			e.Targets, e.HeadTimeout = after.Targets, after.HeadTimeout
			e.Description, e.Disabled, e.AuditBodies = after.Description, after.Disabled, after.AuditBodies
			return nil
		})
		return err
	}, ev)
	return done, err
}

// deleteEndpoint is DELETE /api/aigateway/v1/endpoints/{name}; the reply has
// no body.
func (s *server) deleteEndpoint(c *call) error {
	name := c.r.PathValue("name")
	s.endpoints.Lock()
	defer s.endpoints.Unlock()
	e, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return noEndpoint(name)
	}
	if err := c.ifMatch("endpoint", etag(e)); err != nil {
		return err
	}
	err := s.change(c, func() error {
		_, err := s.Catalog.Delete(c.ctx(), name)
		return err
	}, c.endpointEvent(audit.KindDeleteEndpoint, e, endpointChanges(e, nil)))
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// mayKeep asks the policy whether the caller may say what the trail keeps of an
// endpoint's bodies: what is not kept can't be shown to an auditor, so it takes
// who may change the settings and not just the endpoint's owner. before is nil
// for a new endpoint.
func (s *server) mayKeep(c *call, before, after *catalog.Endpoint) error {
	was := ""
	if before != nil {
		was = before.AuditBodies
	}
	if was == after.AuditBodies {
		return nil
	}
	return s.alsoDecide(c, policies.ResourceSettings, policies.VerbUpdate, "")
}

func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}
