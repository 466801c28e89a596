package main

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/internal/catalog"
	"sluice/xds"
)

// linger is how long Envoy keeps an upstream that no endpoint needs any more:
// calls that were accepted before the change finish on it, and an endpoint
// that is deleted and made anew finds it warm.
const linger = time.Minute

// targetOf is the endpoint's target with its opened credentials.
func targetOf(e *catalog.Endpoint) provider.Target {
	return provider.Target{Provider: e.First().Provider, Model: e.First().Model, Config: e.First().Parameters()}
}

// upstreamOf is what Envoy has to know of a target.
func upstreamOf(t provider.Target) (xds.Upstream, error) {
	a, err := provider.AddressOf(t)
	if err != nil {
		return xds.Upstream{}, err
	}
	return xds.Upstream{TLS: a.TLS, Host: a.Host, Port: a.Port, Local: a.Local}, nil
}

// entryOf makes an endpoint ready to be called.
func entryOf(e *catalog.Endpoint) *extproc.Entry {
	entry := &extproc.Entry{Endpoint: e, Target: targetOf(e), Problem: e.Problem}
	up, err := upstreamOf(entry.Target)
	if err != nil && entry.Problem == "" {
		entry.Problem = err.Error()
	}
	if err == nil {
		entry.Route = up.Key()
		entry.Upstream = up
	}
	return entry
}

// upstreams keeps the set of upstreams that Envoy is told of.
type upstreams struct {
	plane *xds.ControlPlane
	now   func() time.Time
	log   *zap.Logger

	mu sync.Mutex // guards the following fields, and orders the pushes
	// unneeded is when each known upstream was last needed; the zero time
	// while an endpoint needs it.
	unneeded map[xds.Upstream]time.Time
}

// add makes an upstream reachable and returns when Envoy can use it.
func (u *upstreams) add(ctx context.Context, up xds.Upstream) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.unneeded[up]; ok {
		return nil
	}
	u.unneeded[up] = u.now()
	if err := u.push(ctx); err != nil {
		delete(u.unneeded, up)
		return err
	}
	return nil
}

// need marks which upstreams endpoints need now. Those that are new to Envoy
// are pushed; those that nobody needs go later, by prune.
func (u *upstreams) need(ctx context.Context, t *extproc.Table) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, fresh := u.now(), false
	needed := make(map[xds.Upstream]bool)
	t.Each(func(e *extproc.Entry) {
		if e.Route != "" {
			needed[e.Upstream] = true
		}
	})
	for up := range needed {
		if _, ok := u.unneeded[up]; !ok {
			fresh = true
		}
		u.unneeded[up] = time.Time{}
	}
	for up, at := range u.unneeded {
		if !needed[up] && at.IsZero() {
			u.unneeded[up] = now
		}
	}
	if fresh {
		if err := u.push(ctx); err != nil {
			u.log.Error("Envoy did not take the new upstreams", zap.Error(err))
		}
	}
}

// prune drops what nobody has needed for the linger time.
func (u *upstreams) prune(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	dropped := false
	for up, at := range u.unneeded {
		if !at.IsZero() && u.now().Sub(at) >= linger {
			delete(u.unneeded, up)
			dropped = true
		}
	}
	if dropped {
		if err := u.push(ctx); err != nil {
			u.log.Error("Envoy did not drop upstreams", zap.Error(err))
		}
	}
}

func (u *upstreams) push(ctx context.Context) error {
	all := make([]xds.Upstream, 0, len(u.unneeded))
	for up := range u.unneeded {
		all = append(all, up)
	}
	return u.plane.SetUpstreams(ctx, all)
}
