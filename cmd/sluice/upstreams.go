package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/catalog"
	"sluice/internal/credentials"
	"sluice/xds"
)

// linger is how long Envoy keeps an upstream that no endpoint needs any more:
// calls that were accepted before the change finish on it, and an endpoint
// that is deleted and made anew finds it warm.
const linger = time.Minute

// credentialed makes what a target authenticates with besides parameters.
type credentialed interface {
	For(c kit.Credential) *credentials.Source
}

// targetOf is a target made ready to be called.
func targetOf(t *catalog.Target, sources credentialed) *extproc.Target {
	ready := &extproc.Target{
		Target: provider.Target{Provider: t.Provider, Model: t.Model, Config: t.Parameters()},
		Name:   t.Name, Weight: t.Weight, Order: t.Order, Problem: t.Problem,
	}
	address, err := provider.AddressOf(ready.Target)
	if err != nil {
		if ready.Problem == "" {
			ready.Problem = err.Error()
		}
		return ready
	}
	ready.Upstream = xds.Upstream{TLS: address.TLS, Host: address.Host, Port: address.Port, Local: address.Local}
	p, _ := provider.Lookup(t.Provider)
	if p.Credential != nil {
		if c, needed := p.Credential(ready.Target); needed {
			ready.Auth = sources.For(c)
		}
	}
	return ready
}

// entryOf makes an endpoint ready to be called.
func entryOf(e *catalog.Endpoint, sources credentialed) *extproc.Entry {
	entry := &extproc.Entry{Endpoint: e, Problem: e.Problem}
	problem := "all its targets are disabled"
	for i := range e.Targets {
		if e.Targets[i].Disabled {
			continue
		}
		t := targetOf(&e.Targets[i], sources)
		entry.Targets = append(entry.Targets, t)
		if problem != "" {
			problem = t.Problem
		}
	}
	if entry.Problem == "" {
		entry.Problem = problem
	}
	return entry
}

// need is what Envoy has to know for some endpoints.
type need struct {
	upstreams map[xds.Upstream]bool
	groups    map[xds.Group]bool
}

func newNeed() need {
	return need{map[xds.Upstream]bool{}, map[xds.Group]bool{}}
}

func (n need) add(e *extproc.Entry) {
	e.Upstreams(func(u xds.Upstream) { n.upstreams[u] = true })
	e.Groups(func(g xds.Group) { n.groups[g] = true })
}

// upstreams keeps the set of upstreams that Envoy is told of.
type upstreams struct {
	plane *xds.ControlPlane
	now   func() time.Time
	log   *zap.Logger

	mu sync.Mutex // guards the following fields, and orders the pushes
	// unneeded and idle are when each known upstream and group was last needed;
	// the zero time while an endpoint needs it.
	unneeded map[xds.Upstream]time.Time
	idle     map[xds.Group]time.Time
}

// add makes what an endpoint needs reachable and returns when Envoy can use it.
func (u *upstreams) add(ctx context.Context, n need) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	fresh := addTo(u.unneeded, n.upstreams, now)
	groups := addTo(u.idle, n.groups, now)
	if len(fresh)+len(groups) == 0 {
		return nil
	}
	if err := u.push(ctx); err != nil {
		for _, up := range fresh {
			delete(u.unneeded, up)
		}
		for _, g := range groups {
			delete(u.idle, g)
		}
		return err
	}
	return nil
}

// addTo notes what is not known yet, as last needed now, and returns it.
func addTo[K comparable](known map[K]time.Time, wanted map[K]bool, now time.Time) (fresh []K) {
	for k := range wanted {
		if _, ok := known[k]; !ok {
			known[k] = now
			fresh = append(fresh, k)
		}
	}
	return fresh
}

// mark notes what is needed now, and since when the rest is not. It reports
// whether something is needed that was not known.
func mark[K comparable](known map[K]time.Time, needed map[K]bool, now time.Time) (fresh bool) {
	for k := range needed {
		if _, ok := known[k]; !ok {
			fresh = true
		}
		known[k] = time.Time{}
	}
	for k, at := range known {
		if !needed[k] && at.IsZero() {
			known[k] = now
		}
	}
	return fresh
}

// drop forgets what nobody has needed for the linger time.
func drop[K comparable](known map[K]time.Time, now time.Time) (dropped bool) {
	for k, at := range known {
		if !at.IsZero() && now.Sub(at) >= linger {
			delete(known, k)
			dropped = true
		}
	}
	return dropped
}

// need marks what endpoints need now. What is new to Envoy is pushed; what
// nobody needs goes later, by prune.
func (u *upstreams) need(ctx context.Context, n need) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fresh := mark(u.unneeded, n.upstreams, u.now())
	if mark(u.idle, n.groups, u.now()) || fresh {
		if err := u.push(ctx); err != nil {
			u.log.Error("Envoy did not take the new upstreams", zap.Error(err))
		}
	}
}

// prune drops what nobody has needed for the linger time.
func (u *upstreams) prune(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	dropped := drop(u.unneeded, u.now())
	if drop(u.idle, u.now()) || dropped {
		if err := u.push(ctx); err != nil {
			u.log.Error("Envoy did not drop upstreams", zap.Error(err))
		}
	}
}

func (u *upstreams) push(ctx context.Context) error {
	return u.plane.SetUpstreams(ctx, slices.Collect(maps.Keys(u.unneeded)), slices.Collect(maps.Keys(u.idle))...)
}
