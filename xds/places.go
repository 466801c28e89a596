package xds

import (
	"context"
	"sync"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"go.uber.org/zap"

	"sluice/internal/egress"
)

// place is where an upstream is.
type place struct {
	at       egress.Place // the last good one; zero when there was none
	err      error        // of the last resolution; nil when it went well
	due      time.Time    // when to resolve again
	failures int          // in a row
}

const (
	// refreshEvery is how old an address may get.
	refreshEvery = 20 * time.Second
	// lookAround is how often is looked for addresses that are due.
	lookAround = time.Second
	// resolveTimeout bounds one resolution.
	resolveTimeout = 5 * time.Second
	// resolvers is how many names are resolved at one time.
	resolvers = 16
)

// locate resolves upstreams that are new and enters them as places.
func (c *ControlPlane) locate(ups []Upstream) {
	found := c.resolveAll(context.Background(), ups)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, u := range ups {
		c.places[u] = &place{}
		c.note(u, c.places[u], found[i])
	}
}

// found is the outcome of one resolution.
type found struct {
	at  egress.Place
	err error
}

// resolveAll resolves upstreams, a bounded number at one time.
func (c *ControlPlane) resolveAll(ctx context.Context, ups []Upstream) []found {
	out := make([]found, len(ups))
	limit := make(chan struct{}, resolvers)
	var all sync.WaitGroup
	for i, u := range ups {
		if u.Local != "" {
			continue
		}
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
			defer cancel()
			out[i].at, out[i].err = c.rules.Resolve(ctx, u.Host, u.Port)
		})
	}
	all.Wait()
	return out
}

// note enters the outcome of a resolution and reports whether the addresses
// have changed. A failure keeps the last good ones. Called with mu held.
func (c *ControlPlane) note(u Upstream, p *place, f found) (changed bool) {
	now := c.o.Now()
	if f.err != nil {
		if p.err == nil {
			c.o.Log.Warn("an upstream has no address; its last good ones stay",
				zap.String("upstream", u.Key()), zap.Int("addresses", len(p.at.Addresses)), zap.Error(f.err))
		}
		p.err = f.err
		p.due = now.Add(min(time.Second<<min(p.failures, 5), refreshEvery))
		p.failures++
		return false
	}
	p.err, p.failures, p.due = nil, 0, now.Add(refreshEvery)
	if p.at.Equal(f.at) {
		return false
	}
	p.at = f.at
	return true
}

// putPlaces stores where upstreams are and returns what changed. Upstreams
// that are gone by now are passed over.
func (c *ControlPlane) putPlaces(ups []Upstream) (versions, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := map[string]types.Resource{}
	for _, u := range ups {
		if p := c.places[u]; p != nil && u.Local == "" {
			set[u.Key()] = loadAssignment(u, p.at)
		}
	}
	return c.put(resource.EndpointType, set)
}

// dropPlaces forgets upstreams.
func (c *ControlPlane) dropPlaces(gone []Upstream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, len(gone))
	for i, u := range gone {
		names[i] = u.Key()
		delete(c.places, u)
	}
	_, err := c.drop(resource.EndpointType, names)
	return err
}

// refresh resolves again what is due, until ctx ends.
func (c *ControlPlane) refresh(ctx context.Context) {
	tick := time.NewTicker(lookAround)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.refreshDue(ctx)
		}
	}
}

func (c *ControlPlane) refreshDue(ctx context.Context) {
	due := c.due()
	if len(due) == 0 {
		return
	}
	outcomes := c.resolveAll(ctx, due)
	if ctx.Err() != nil {
		return
	}
	var moved []Upstream
	c.mu.Lock()
	for i, u := range due {
		if p := c.places[u]; p != nil && c.note(u, p, outcomes[i]) {
			moved = append(moved, u)
		}
	}
	c.mu.Unlock()
	c.metrics.unresolved.Set(float64(len(c.unresolved())))
	if len(moved) == 0 {
		return
	}
	if _, err := c.putPlaces(moved); err != nil {
		c.o.Log.Error("new addresses were not stored", zap.Error(err))
	}
}

// due lists the upstreams whose addresses are due for another look.
func (c *ControlPlane) due() []Upstream {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	var out []Upstream
	for u, p := range c.places {
		if u.Local == "" && !p.due.After(now) {
			out = append(out, u)
		}
	}
	sortUpstreams(out)
	return out
}

// unresolved lists hosts whose last resolution failed.
func (c *ControlPlane) unresolved() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for u, p := range c.places {
		if p.err != nil {
			out[u.Host] = p.err.Error()
		}
	}
	return out
}
