package xds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// answerTimeout is how long one push waits for Envoy before the next is made.
// Envoy answers within milliseconds unless something is wrong with it.
const answerTimeout = 10 * time.Second

// SetUpstreams replaces the set of upstreams that Envoy can reach, and of the
// groups that calls with several targets are routed by. It returns
// when Envoy has taken what changed (at once when nothing did), so that a
// request routed by a new upstream's Key finds it. What is new is made before
// routes lead to it, what is gone goes after the last route to it.
//
// While no Envoy is connected it returns once the change is stored; Envoy gets
// it when it connects. When Envoy refuses a part, the rest is in force and the
// error is a *RejectedError. When ctx ends first, the change goes on without
// the caller. A host that has no address is not an error: see
// Status.Unresolved.
func (c *ControlPlane) SetUpstreams(ctx context.Context, ups []Upstream, groups ...Group) error {
	for _, u := range ups {
		if err := c.valid(u); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if g.Attempts < 2 || g.HeadTimeout < 0 {
			return fmt.Errorf("group %s: two attempts or more are needed, and no negative time", g.Key())
		}
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for another change to reach Envoy: %w", ctx.Err())
	}
	added, gone := c.compare(ups)
	regrouped := c.regroup(groups)
	if len(added) == 0 && len(gone) == 0 && !regrouped {
		<-c.turn
		return nil
	}
	done := make(chan error, 1)
	c.pushes.Go(func() {
		defer func() { <-c.turn }()
		done <- c.change(added, gone)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for Envoy to take a change: %w", ctx.Err())
	}
}

func (c *ControlPlane) valid(u Upstream) error {
	if u.Local != "" {
		if c.o.LocalSockets[u.Local] == "" || u != (Upstream{Local: u.Local, Staged: u.Staged}) {
			return fmt.Errorf("upstream %s: there is no such local server", u.Key())
		}
		return nil
	}
	if u.Port == 0 || !validHost(u.Host) {
		return fmt.Errorf("upstream %q: a host name in lower case, or an address, and a port are needed", u.Key())
	}
	return nil
}

// validHost keeps out what Envoy would refuse, and with it the whole table of
// routes in which it stands.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	return host != "" && len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

// compare returns what the wanted set has more and less than what is there.
func (c *ControlPlane) compare(want []Upstream) (added, gone []Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := make(map[Upstream]bool, len(want))
	for _, u := range want {
		if !wanted[u] && c.places[u] == nil {
			added = append(added, u)
		}
		wanted[u] = true
	}
	for u := range c.places {
		if !wanted[u] {
			gone = append(gone, u)
		}
	}
	sortUpstreams(added)
	sortUpstreams(gone)
	return added, gone
}

// regroup takes over the groups and reports whether they are others than before.
func (c *ControlPlane) regroup(want []Group) bool {
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b Group) int { return cmp.Compare(a.Key(), b.Key()) })
	want = slices.Compact(want)
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Equal(want, c.groups) {
		return false
	}
	c.groups = want
	return true
}

func sortUpstreams(ups []Upstream) {
	slices.SortFunc(ups, func(a, b Upstream) int { return cmp.Compare(a.Key(), b.Key()) })
}

// change carries a change through to Envoy, step by step. A step that fails
// does not keep the next from being made: the worst is a 503 for one upstream.
func (c *ControlPlane) change(added, gone []Upstream) error {
	var errs []error
	if len(added) > 0 {
		errs = append(errs, c.addClusters(added))
	}
	errs = append(errs, c.updateRoutes(gone))
	if len(gone) > 0 {
		errs = append(errs, c.removeClusters(gone))
	}
	return errors.Join(errs...)
}

// addClusters makes upstreams known. Addresses are stored first, so that they
// are there when Envoy asks for them.
func (c *ControlPlane) addClusters(added []Upstream) error {
	c.locate(added)
	clusters := make(map[string]types.Resource, len(added))
	secrets := map[string]types.Resource{}
	for _, u := range added {
		clusters[u.Key()] = upstreamCluster(u, c.o.LocalSockets, c.rules.Proxy() != "")
		if u.TLS {
			secrets[secretRoots] = rootsSecret(c.rules.Roots())
		}
	}
	if _, err := c.put(resource.SecretType, secrets); err != nil {
		return err
	}
	assigned, err := c.putPlaces(added)
	if err != nil {
		return err
	}
	changed, err := c.put(resource.ClusterType, clusters)
	if err != nil {
		return err
	}
	err = c.await(resource.ClusterType, changed, nil)
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		for _, name := range rejected.Names {
			delete(assigned, name) // Envoy will not ask where they are
		}
	}
	return errors.Join(err, c.await(resource.EndpointType, assigned, nil))
}

// updateRoutes makes routes for all that is there but what is gone.
func (c *ControlPlane) updateRoutes(gone []Upstream) error {
	leave := make(map[Upstream]bool, len(gone))
	for _, u := range gone {
		leave[u] = true
	}
	c.mu.Lock()
	ups := make([]Upstream, 0, len(c.places))
	for u := range c.places {
		if !leave[u] {
			ups = append(ups, u)
		}
	}
	groups := c.groups
	c.mu.Unlock()
	changed, err := c.put(resource.RouteType, c.routes(ups, groups))
	if err != nil {
		return err
	}
	return c.await(resource.RouteType, changed, nil)
}

// removeClusters drops upstreams that no route leads to any more.
func (c *ControlPlane) removeClusters(gone []Upstream) error {
	names := make([]string, len(gone))
	for i, u := range gone {
		names[i] = u.Key()
	}
	dropped, err := c.drop(resource.ClusterType, names)
	if err != nil {
		return err
	}
	err = c.await(resource.ClusterType, nil, dropped)
	return errors.Join(err, c.dropPlaces(gone))
}

func (c *ControlPlane) await(typeURL string, set versions, removed []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	return c.acks.await(ctx, typeURL, set, removed)
}
