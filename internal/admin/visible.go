package admin

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
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

// visible lists endpoints by name: those that match and that the policy lets
// the caller see, or all that match. Matching comes first, being cheap.
func (s *server) visible(c *call, match func(*catalog.Endpoint) bool, all bool) ([]*catalog.Endpoint, error) {
	var found []*catalog.Endpoint
	for _, e := range s.Catalog.Snapshot().All() {
		if match(e) {
			found = append(found, e)
		}
	}
	if all {
		return found, nil
	}
	allowed, err := s.askAll(c, found)
	if err != nil {
		return nil, err
	}
	shown := found[:0]
	for i, e := range found {
		if allowed[i] {
			shown = append(shown, e)
		}
	}
	return shown, nil
}

// askAll asks the policy about each endpoint; the first question without an
// answer ends it.
func (s *server) askAll(c *call, list []*catalog.Endpoint) ([]bool, error) {
	allowed := make([]bool, len(list))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	ask := func() {
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(list) {
				return
			}
			d, err := s.ask(c, list[i])
			if err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			allowed[i] = d.Allow
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
	return allowed, nil
}

// ask asks the policy whether the caller may see, and so call, an endpoint.
func (s *server) ask(c *call, e *catalog.Endpoint) (decision.Decision, error) {
	d, err := s.Policy.Decide(c.ctx(), &policies.Input{
		Action: policies.ActionView, Caller: c.caller, Endpoint: e, SourceAddress: c.client, Time: c.start,
	})
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

// mayView asks about one endpoint and keeps a denial as the call's decision.
func (s *server) mayView(c *call, e *catalog.Endpoint) (bool, error) {
	d, err := s.ask(c, e)
	if err == nil && !d.Allow {
		c.decision = d
	}
	return d.Allow, err
}
