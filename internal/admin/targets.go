package admin

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// listTargets is GET /api/sluice/v1/endpoints/{name}/targets.
func (s *server) listTargets(c *call) error {
	e, err := s.endpoint(c)
	if err != nil {
		return err
	}
	return c.replyTargets(e)
}

// readTarget is GET /api/sluice/v1/endpoints/{name}/targets/{target}.
func (s *server) readTarget(c *call) error {
	e, err := s.endpoint(c)
	if err != nil {
		return err
	}
	return c.replyTarget(e, c.r.PathValue("target"))
}

// putTargets is PUT /api/sluice/v1/endpoints/{name}/targets: the whole list at
// once.
func (s *server) putTargets(c *call) error {
	var in api.TargetsPut
	if err := c.decode(&in); err != nil {
		return err
	}
	e, err := s.changeTargets(c, func(before *catalog.Endpoint, d *definition) (only int, err error) {
		if in.HeadTimeout != nil {
			if d.headTimeout, err = readTimeout(*in.HeadTimeout); err != nil {
				return all, err
			}
		}
		if in.Targets != nil {
			d.targets, err = definitions(before, *in.Targets)
		}
		return all, err
	})
	if err != nil {
		return err
	}
	return c.replyTargets(e)
}

// addTarget is POST /api/sluice/v1/endpoints/{name}/targets.
func (s *server) addTarget(c *call) error {
	var in api.NewTarget
	if err := c.decode(&in); err != nil {
		return err
	}
	e, err := s.changeTargets(c, func(before *catalog.Endpoint, d *definition) (int, error) {
		if _, taken := before.Target(in.Name); taken {
			return 0, badRequest("exists", "name", "The endpoint has a target named %q already; choose another name, or change that one.", in.Name)
		}
		if in.TargetID != "" {
			return 0, badRequest("invalid_field", "targetId", "The field targetId names a target that is stored; a new one gets its own.")
		}
		added, err := newDefinition(before, in, "")
		d.targets = append(d.targets, added)
		return len(d.targets) - 1, err
	})
	if err != nil {
		return err
	}
	return c.replyTarget(e, in.Name)
}

// patchTarget is PATCH /api/sluice/v1/endpoints/{name}/targets/{target}.
func (s *server) patchTarget(c *call) error {
	var patch api.TargetPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	name := c.r.PathValue("target")
	e, err := s.changeTargets(c, func(_ *catalog.Endpoint, d *definition) (int, error) {
		i, err := d.index(name)
		if err != nil {
			return i, err
		}
		t := &d.targets[i]
		set(&t.name, patch.Name)
		set(&t.weight, patch.Weight)
		set(&t.order, patch.Order)
		set(&t.disabled, patch.Disabled)
		t.patch(patch.ModelProvider, patch.ModelName, patch.ModelConfig, patch.CredentialID)
		return i, nil
	})
	if err != nil {
		return err
	}
	set(&name, patch.Name)
	return c.replyTarget(e, name)
}

// deleteTarget is DELETE /api/sluice/v1/endpoints/{name}/targets/{target}; the
// reply has no body.
func (s *server) deleteTarget(c *call) error {
	_, err := s.changeTargets(c, func(_ *catalog.Endpoint, d *definition) (int, error) {
		i, err := d.index(c.r.PathValue("target"))
		if err != nil {
			return i, err
		}
		if len(d.targets) == 1 {
			return i, badRequest("last_target", "targets",
				"An endpoint has at least one target. Add another before you delete this one, or delete the endpoint.")
		}
		d.targets = append(d.targets[:i], d.targets[i+1:]...)
		return all, nil
	})
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// all says that a request is about the whole list of targets.
const all = -1

// changeTargets changes the stored definition of the endpoint that the path
// names. change may be called again where others came between; it returns the
// place of the one target that the request is about, whose fields errors name
// without it, or all.
func (s *server) changeTargets(c *call, change func(*catalog.Endpoint, *definition) (only int, err error)) (*catalog.Endpoint, error) {
	return s.updateEndpoint(c, audit.KindUpdateEndpoint, func(before *catalog.Endpoint) (*catalog.Endpoint, error) {
		d := stored(before)
		only, err := change(before, &d)
		if err != nil {
			return nil, err
		}
		after, err := d.settle(before, s.Catalog.Snapshot())
		var wrong *catalog.FieldError
		if errors.As(err, &wrong) {
			return nil, &catalog.FieldError{Field: strings.TrimPrefix(wrong.Field, place(only)), Message: wrong.Message}
		}
		return after, err
	})
}

// index finds a target by its name.
func (d *definition) index(name string) (int, error) {
	for i := range d.targets {
		if d.targets[i].name == name {
			return i, nil
		}
	}
	return 0, noTarget(name)
}

func noTarget(name string) *dialect.Error {
	e := notFound("target", name)
	e.Param = "target"
	return e
}

// definitions describes the targets of a whole list.
func definitions(before *catalog.Endpoint, list []api.NewTarget) ([]targetDefinition, error) {
	out := make([]targetDefinition, 0, len(list))
	if len(list) == 0 || len(list) > catalog.MaxTargets {
		return nil, badRequest("invalid_field", "targets", "The field targets must have 1 to %d targets.", catalog.MaxTargets)
	}
	meant := map[string]bool{}
	for i, in := range list {
		at := place(i)
		if i == 0 && len(list) == 1 && in.Name == "" {
			in.Name = catalog.DefaultTarget
		}
		d, err := newDefinition(before, in, at)
		if err != nil {
			return nil, err
		}
		if d.before != nil {
			if meant[d.before.ID] {
				return nil, badRequest("invalid_field", at+"name", "The field %sname: the target %q is given twice.", at, d.before.Name)
			}
			meant[d.before.ID] = true
		}
		out = append(out, d)
	}
	return out, nil
}

// newDefinition describes one target. One that is stored is found by its id, or
// else by its name.
func newDefinition(before *catalog.Endpoint, in api.NewTarget, at string) (targetDefinition, error) {
	for _, f := range [][2]string{{"name", in.Name}, {"modelProvider", in.ModelProvider}, {"modelName", in.ModelName}} {
		if f[1] == "" {
			return targetDefinition{}, badRequest("missing_field", at+f[0], "The field %s is required.", at+f[0])
		}
	}
	d := targetDefinition{
		at: at, name: in.Name, weight: 1, order: in.Order, disabled: in.Disabled,
		provider: in.ModelProvider, model: in.ModelName, config: in.ModelConfig, credential: in.CredentialID,
	}
	set(&d.weight, in.Weight)
	for i := range before.Targets {
		t := &before.Targets[i]
		if in.TargetID == t.ID || in.TargetID == "" && in.Name == t.Name {
			d.before = t
		}
	}
	if in.TargetID != "" && d.before == nil {
		return d, badRequest("unknown_id", at+"targetId", "The field %stargetId names no target of this endpoint; leave it out for a new one.", at)
	}
	return d, nil
}

func readTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, badRequest("invalid_field", "headTimeout", "The field headTimeout must be a duration such as 30s; 0s is none.")
	}
	return d, nil
}

func (c *call) replyTargets(e *catalog.Endpoint) error {
	out := api.TargetList{HeadTimeout: e.HeadTimeout.String(), Targets: []api.Target{}}
	for i := range e.Targets {
		out.Targets = append(out.Targets, targetShape(&e.Targets[i]))
	}
	return c.replyVersioned(etag(e), out)
}

func (c *call) replyTarget(e *catalog.Endpoint, name string) error {
	t, ok := e.Target(name)
	if !ok {
		return noTarget(name)
	}
	return c.replyVersioned(etag(e), targetShape(t))
}

func targetShape(t *catalog.Target) api.Target {
	return api.Target{
		TargetID: t.ID, Name: t.Name, Weight: int64(t.Weight), Order: int64(t.Order), Disabled: t.Disabled,
		ModelProvider: t.Provider, ModelName: t.Model, ModelConfig: maps.Clone(t.Config),
		ModelConfigSecrets: secretNames(t), CredentialID: t.CredentialID, Problem: t.Problem,
	}
}
