package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/catalog"
)

// definition is an endpoint as a client describes it, before it is checked.
type definition struct {
	name, kind  string
	limit       *catalog.Limit
	headTimeout time.Duration
	description string
	disabled    bool
	auditBodies string
	targets     []targetDefinition
}

// stored describes an endpoint as it is, for changes to be laid over.
func stored(e *catalog.Endpoint) definition {
	d := definition{name: e.Name, kind: string(e.Type), limit: e.Limit, headTimeout: e.HeadTimeout,
		description: e.Description, disabled: e.Disabled, auditBodies: e.AuditBodies}
	for i := range e.Targets {
		d.targets = append(d.targets, storedTarget(&e.Targets[i]))
	}
	return d
}

// settle checks the definition and makes an endpoint of it, in the form that is
// kept. before is the endpoint that it replaces, nil for a new one; the stored
// credentials that targets name are those of snap.
func (d definition) settle(before *catalog.Endpoint, snap *catalog.Snapshot) (*catalog.Endpoint, error) {
	if !dialect.ValidName(d.name) {
		return nil, badRequest("invalid_field", "endpointName",
			"The field endpointName must consist of letters, digits, '_', '-' and '.', and not of dots alone.")
	}
	e := &catalog.Endpoint{Name: d.name, Type: catalog.EndpointType(d.kind), Limit: d.limit, HeadTimeout: d.headTimeout,
		Description: d.description, Disabled: d.disabled, AuditBodies: d.auditBodies}
	if before != nil {
		e.ID, e.Created, e.Updated, e.Permissions = before.ID, before.Created, before.Updated, before.Permissions
	} else {
		e.ID = catalog.NewID()
	}
	sameType := before != nil && before.Type == e.Type
	for _, t := range d.targets {
		target, err := t.settle(d.kind, sameType, snap)
		if err != nil {
			return nil, err
		}
		e.Targets = append(e.Targets, target)
	}
	if err := checkLimit(e.Limit); err != nil {
		return nil, err
	}
	return e, e.Normalize()
}

func checkLimit(l *catalog.Limit) error {
	if l == nil {
		return nil
	}
	if l.Calls < 1 {
		return badRequest("invalid_field", "limit.calls", "The field limit.calls must be 1 or more.")
	}
	if _, err := catalog.ParsePeriod(l.Period); err != nil {
		return badRequest("invalid_field", "limit.renewal_period",
			"The field limit.renewal_period must be a period such as minute or 5 minutes.")
	}
	return nil
}

// reach checks that the providers of the targets that are new or changed may be
// called, and waits until Envoy can call the endpoint. It is done before a
// change is recorded or visible. before is nil for a new endpoint.
func (s *server) reach(ctx context.Context, before, after *catalog.Endpoint) error {
	for i := range after.Targets {
		if t := &after.Targets[i]; before == nil || !sameTarget(before, t) {
			if err := s.checkHost(ctx, t); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, activateTimeout)
	defer cancel()
	if err := s.Activate(ctx, after); err != nil {
		var wrong *catalog.FieldError
		if errors.As(err, &wrong) {
			return badRequest("invalid_field", wrong.Field, "The field %s is wrong: %s.", wrong.Field, wrong.Message)
		}
		s.Log.Error("an endpoint could not be activated", zap.String("endpoint", after.Name), zap.Error(err))
		return &dialect.Error{
			Status: http.StatusServiceUnavailable, Code: "not_activated",
			Message: "Envoy did not take what it needs for this endpoint in time, so nothing was changed. " +
				"See the status of the gateway, then try again.",
		}
	}
	return nil
}

func (s *server) checkHost(ctx context.Context, t *catalog.Target) error {
	address, err := provider.AddressOf(providerTarget(t))
	if err != nil {
		return badRequest("invalid_field", "modelConfig", "%s.", sentence(err))
	}
	if address.Local != "" {
		return nil
	}
	err = s.CheckHost(ctx, address.Host)
	if err == nil {
		return nil
	}
	var unknown *net.DNSError // whose text has the address of the name server
	if errors.As(err, &unknown) {
		return badRequest("host_refused", "modelConfig", "The provider of the target %q has no address that is known here: %s: %s. "+
			"Check the name, and the name service of the gateway's machine; egress.resolve and egress.proxy do without it.",
			t.Name, address.Host, unknown.Err)
	}
	return badRequest("host_refused", "modelConfig", "The provider of the target %q, at %s, may not be called: %s.", t.Name, address.Host, err)
}

func providerIDs() []string {
	var ids []string
	for _, p := range provider.All() {
		ids = append(ids, p.ID)
	}
	return ids
}

func limitOf(l *api.Limit) *catalog.Limit {
	if l == nil {
		return nil
	}
	return &catalog.Limit{Calls: l.Calls, Key: l.Key, Period: l.RenewalPeriod}
}

func without(list []string, s string) []string {
	var out []string
	for _, v := range list {
		if v != s {
			out = append(out, v)
		}
	}
	return out
}

// distinct sorts a list and takes out what is there twice; never nil.
func distinct(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return slices.Compact(out)
}
