package admin

import (
	"net/http"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/policies"
)

// callable lists the endpoints that match and that the caller may call, by name.
func (s *server) callable(c *call, match func(*catalog.Endpoint) bool) ([]*catalog.Endpoint, error) {
	on := func(e *catalog.Endpoint) bool { return !e.Disabled && match(e) }
	return s.pick(c, on, s.mayViewEach)
}

// visible lists the endpoints that match and that the caller may see in the
// REST API, by name.
func (s *server) visible(c *call, match func(*catalog.Endpoint) bool) ([]*catalog.Endpoint, error) {
	if c.all() {
		return s.pick(c, match, nil)
	}
	return s.pick(c, match, s.seesEach)
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
	yes, err := ask(c, found)
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

// question is one that is asked about each of several endpoints.
type question func(*call, []*catalog.Endpoint) ([]bool, error)

// seesEach tells which endpoints are shown to the caller in the REST API: those
// that he may call and that are not switched off, and those that he may change.
func (s *server) seesEach(c *call, list []*catalog.Endpoint) ([]bool, error) {
	viewed := c.scope() == policies.ScopePermitted
	yes, err := s.about(list, make([]bool, len(list)), func(i int) bool { return viewed && !list[i].Disabled },
		func(some []*catalog.Endpoint) ([]bool, error) { return s.mayViewEach(c, some) })
	if err != nil {
		return nil, err
	}
	changeable := func(i int) bool { return !yes[i] && (len(list[i].Permissions.Owners) > 0 || list[i].Disabled) }
	return s.about(list, yes, changeable, func(some []*catalog.Endpoint) ([]bool, error) {
		return s.mayEach(c, policies.ResourceEndpoints, policies.VerbUpdate, some)
	})
}

// about asks about those endpoints of a list that which selects, and puts the
// answers into yes.
func (s *server) about(list []*catalog.Endpoint, yes []bool, which func(i int) bool,
	ask func([]*catalog.Endpoint) ([]bool, error),
) ([]bool, error) {
	var some []*catalog.Endpoint
	var places []int
	for i, e := range list {
		if which(i) {
			some, places = append(some, e), append(places, i)
		}
	}
	if len(some) == 0 {
		return yes, nil
	}
	answers, err := ask(some)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		yes[i] = answers[n]
	}
	return yes, nil
}

// mayViewEach asks which endpoints the caller may see, and so call.
func (s *server) mayViewEach(c *call, list []*catalog.Endpoint) ([]bool, error) {
	decisions, err := s.askEach(c, &policies.Input{Action: policies.ActionView}, list)
	yes := make([]bool, len(decisions))
	for i := range decisions {
		yes[i] = decisions[i].Allow
	}
	return yes, err
}

// mayEach asks of which endpoints the caller may do verb to the resource.
func (s *server) mayEach(c *call, resource, verb string, list []*catalog.Endpoint) ([]bool, error) {
	decisions, err := s.askEach(c, &policies.Input{Action: policies.ActionAPI, Resource: resource, Verb: verb}, list)
	if err != nil {
		return nil, err
	}
	yes := make([]bool, len(list))
	scope := func(i int) any {
		if !decisions[i].Allow {
			return nil
		}
		return decisions[i].Obligations[policies.ObligationScope]
	}
	for i := range list {
		yes[i] = scope(i) == policies.ScopeAll || scope(i) == policies.ScopeOwned
	}
	return s.about(list, yes, func(i int) bool { return scope(i) == policies.ScopePermitted },
		func(some []*catalog.Endpoint) ([]bool, error) { return s.mayViewEach(c, some) })
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
	yes, err := s.mayEach(c, resource, verb, []*catalog.Endpoint{e})
	return err == nil && yes[0], err
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
	return s.pick(c, has, func(c *call, list []*catalog.Endpoint) ([]bool, error) { return s.mayEach(c, resource, verb, list) })
}

// ask asks the policy for the caller.
func (s *server) ask(c *call, in *policies.Input) (decision.Decision, error) {
	in.Caller, in.SourceAddress, in.Time = c.caller, c.client, c.start
	d, err := s.Policy.Decide(c.ctx(), in)
	return d, s.unanswered(c, err)
}

// askEach asks the policy the same about each of several endpoints.
func (s *server) askEach(c *call, in *policies.Input, list []*catalog.Endpoint) ([]decision.Decision, error) {
	in.Caller, in.SourceAddress, in.Time = c.caller, c.client, c.start
	d, err := s.Policy.DecideEach(c.ctx(), in, list)
	return d, s.unanswered(c, err)
}

// unanswered is what the caller is told of an error of the policy.
func (s *server) unanswered(c *call, err error) error {
	if err == nil {
		return nil
	}
	if c.ctx().Err() == nil {
		s.Log.Error("policy did not decide", zap.String("exchange", c.id), zap.Error(err))
	}
	return &dialect.Error{
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
