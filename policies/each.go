package policies

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"sluice/internal/catalog"
	"sluice/internal/decision"
)

const (
	// maxAskers bounds how many goroutines evaluate for one DecideEach.
	maxAskers = 4
	// askEach is how many evaluations another goroutine is worth.
	askEach = 50
)

// DecideEach asks the same question about each of several endpoints and
// returns the decisions, in their order. in has no request; its Endpoint is not
// read, nor is its Name, which is the endpoint's where the action is ActionAPI. Endpoints that differ in nothing that the rules read get their
// answer by one evaluation. A question without an answer ends it with the
// error of Decide.
func (e *Engine) DecideEach(ctx context.Context, in *Input, endpoints []*catalog.Endpoint) ([]decision.Decision, error) {
	if in.Request != nil {
		return nil, errors.New("deciding about several endpoints: a request names one")
	}
	p := e.state.Load().program
	look := p.lenses[in.Action].by(in.Caller)
	decisions := make([]decision.Decision, len(endpoints))
	// first has, for each endpoint, the place of the one that is asked about in
	// its stead.
	first := make([]int, len(endpoints))
	var asked []int
	classes := map[string]int{}
	var key []byte
	for i, endpoint := range endpoints {
		first[i] = i
		if look != nil {
			key = look.class(key[:0], endpoint)
			if at, known := classes[string(key)]; known {
				first[i] = at
				continue
			}
			classes[string(key)] = i
		}
		asked = append(asked, i)
	}
	if err := e.askAll(ctx, in, endpoints, asked, decisions); err != nil {
		return nil, err
	}
	for i, at := range first {
		decisions[i] = decisions[at]
	}
	return decisions, nil
}

// askAll asks about some of the endpoints; the first question without an answer
// ends it.
func (e *Engine) askAll(ctx context.Context, in *Input, endpoints []*catalog.Endpoint, asked []int, decisions []decision.Decision) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	ask := func() {
		for failed.Load() == nil {
			n := int(next.Add(1)) - 1
			if n >= len(asked) {
				return
			}
			one := *in
			one.Endpoint, one.Name = endpoints[asked[n]], ""
			if one.Action == ActionAPI {
				one.Name = one.Endpoint.Name
			}
			var err error
			if decisions[asked[n]], err = e.Decide(ctx, &one); err != nil {
				err = fmt.Errorf("endpoint %q: %w", one.Endpoint.Name, err)
				failed.CompareAndSwap(nil, &err)
				return
			}
		}
	}
	var group sync.WaitGroup
	for range min(maxAskers, runtime.GOMAXPROCS(0)-1, len(asked)/askEach) {
		group.Go(ask)
	}
	ask()
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Evaluations is how often the rules were evaluated since the start; answers
// that were remembered do not count.
func (e *Engine) Evaluations() uint64 { return e.evaluations.Load() }
