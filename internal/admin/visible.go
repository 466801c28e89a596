package admin

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/policies"
)

// A listing of many endpoints asks the policy about each. Up to maxAskers
// goroutines do it, one for every askEach endpoints.
const (
	maxAskers = 4
	askEach   = 100
)

// callable lists the endpoints that match and that the caller may call, by name.
func (s *server) callable(c *call, match func(*catalog.Endpoint) bool) ([]*catalog.Endpoint, error) {
	on := func(e *catalog.Endpoint) bool { return !e.Disabled && match(e) }
	return s.pick(c, on, s.mayView)
}

// visible lists the endpoints that match and that the caller may see in the
// REST API, by name.
func (s *server) visible(c *call, match func(*catalog.Endpoint) bool) ([]*catalog.Endpoint, error) {
	if c.all() {
		return s.pick(c, match, nil)
	}
	return s.pick(c, match, s.sees)
}

// pick lists the endpoints that match and of which ask says yes; nil: of all.
// Matching comes first, being cheap.
func (s *server) pick(c *call, match func(*catalog.Endpoint) bool, ask question) ([]*catalog.Endpoint, error) {
	var found []*catalog.Endpoint
	for _, e := range s.Catalog.Snapshot().All() {
		if match(e) {
			found = append(found, e)
		}
	}
	if ask == nil {
		return found, nil
	}
	yes, err := s.askAll(c, found, ask)
	if err != nil {
		return nil, err
	}
	shown := found[:0]
	for i, e := range found {
		if yes[i] {
			shown = append(shown, e)
		}
	}
	return shown, nil
}

// question is one that is asked about each of several endpoints, from several
// goroutines.
type question func(*call, *catalog.Endpoint) (bool, error)

// askAll asks about each endpoint; the first question without an answer ends it.
func (s *server) askAll(c *call, list []*catalog.Endpoint, about question) ([]bool, error) {
	yes := make([]bool, len(list))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	ask := func() {
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(list) {
				return
			}
			var err error
			if yes[i], err = about(c, list[i]); err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
		}
	}
	var group sync.WaitGroup
	for range min(maxAskers, runtime.GOMAXPROCS(0), len(list)/askEach) {
		group.Go(ask)
	}
	ask()
	group.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return yes, nil
}

// sees reports whether an endpoint is shown to the caller in the REST API:
// where he may call it, and it is not switched off, or where he may change it.
func (s *server) sees(c *call, e *catalog.Endpoint) (bool, error) {
	if c.scope() == policies.ScopePermitted && !e.Disabled {
		if ok, err := s.mayView(c, e); ok || err != nil {
			return ok, err
		}
	}
	if len(e.Permissions.Owners) == 0 && !e.Disabled {
		return false, nil
	}
	return s.mayChange(c, e)
}

// mayView asks whether the caller may see, and so call, an endpoint.
func (s *server) mayView(c *call, e *catalog.Endpoint) (bool, error) {
	d, err := s.ask(c, &policies.Input{Action: policies.ActionView, Endpoint: e})
	return d.Allow, err
}

// mayChange asks whether the caller may change an endpoint.
func (s *server) mayChange(c *call, e *catalog.Endpoint) (bool, error) {
	return s.may(c, policies.ResourceEndpoints, policies.VerbUpdate, e)
}

// may asks whether the caller may do verb to the resource of an endpoint.
func (s *server) may(c *call, resource, verb string, e *catalog.Endpoint) (bool, error) {
	d, err := s.ask(c, &policies.Input{Action: policies.ActionAPI, Resource: resource, Verb: verb, Name: e.Name, Endpoint: e})
	if err != nil || !d.Allow {
		return false, err
	}
	switch d.Obligations[policies.ObligationScope] {
	case policies.ScopeAll, policies.ScopeOwned:
		return true, nil
	case policies.ScopePermitted:
		return s.mayView(c, e)
	}
	return false, nil
}

// covered refuses what the scope of the call's decision does not cover of an
// endpoint.
func (s *server) covered(c *call, e *catalog.Endpoint) error {
	if c.all() {
		return nil
	}
	ok, err := s.may(c, c.route.resource, c.route.verb, e)
	if err != nil || ok {
		return err
	}
	d, err := s.ask(c, &policies.Input{Action: policies.ActionView, Endpoint: e})
	if err != nil {
		return err
	}
	if d.Allow {
		return s.beyond(c)
	}
	c.decision = d
	return s.refuse(c, audit.ResultDenied, denied(d))
}

// owned lists the endpoints whose part of a resource the caller may see as an
// owner.
func (s *server) owned(c *call, resource, verb string) ([]*catalog.Endpoint, error) {
	has := func(e *catalog.Endpoint) bool { return len(e.Permissions.Owners) > 0 }
	return s.pick(c, has, func(c *call, e *catalog.Endpoint) (bool, error) { return s.may(c, resource, verb, e) })
}

// ask asks the policy for the caller.
func (s *server) ask(c *call, in *policies.Input) (decision.Decision, error) {
	in.Caller, in.SourceAddress, in.Time = c.caller, c.client, c.start
	d, err := s.Policy.Decide(c.ctx(), in)
	if err == nil {
		return d, nil
	}
	if c.ctx().Err() == nil {
		s.Log.Error("policy did not decide", zap.String("exchange", c.id), zap.Error(err))
	}
	return d, &dialect.Error{
		Status: http.StatusServiceUnavailable, Code: dialect.CodePolicyUnavailable,
		Message: "The policy could not decide what you may see. Try again, or tell an administrator.",
	}
}

// mayCall asks whether the caller may call an endpoint, and keeps a denial as
// the call's decision.
func (s *server) mayCall(c *call, e *catalog.Endpoint) (bool, error) {
	d, err := s.ask(c, &policies.Input{Action: policies.ActionView, Endpoint: e})
	if err == nil && !d.Allow {
		c.decision = d
	}
	return d.Allow && !e.Disabled, err
}

func everything(*catalog.Endpoint) bool { return true }
