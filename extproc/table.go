package extproc

import (
	"context"
	"sync/atomic"

	"sluice/extproc/provider"
	"sluice/internal/catalog"
	"sluice/xds"
)

// Authorizer adds to a request what its target authenticates with besides
// parameters: a token that is fetched, a signature. Its errors hold no secret.
type Authorizer interface {
	// Authorize adds the headers; host is the request's Host header. Once a
	// credential is at hand it does no I/O.
	Authorize(ctx context.Context, up *provider.Upstream, host string) error
	// Ready is nil while a valid credential is at hand.
	Ready() error
}

// Target is a target made ready to be called: opened credentials, and the
// upstream by which Envoy reaches it.
type Target struct {
	provider.Target
	Name   string
	Weight int
	Order  int
	// Upstream is what Envoy knows of the target; empty while it has no usable
	// address.
	Upstream xds.Upstream
	Auth     Authorizer // nil: the provider's own headers are all
	// Problem says why the target can't be called now; "" when it can.
	Problem string

	health  health
	secrets secretsOnce
}

// Entry is an endpoint made ready to be called.
type Entry struct {
	Endpoint *catalog.Endpoint
	// Targets are those that are not disabled, in the endpoint's order.
	Targets []*Target
	// Problem says why the endpoint can't be called now; "" when it can.
	Problem string

	metrics atomic.Pointer[entryMetrics] // filled at the first call
}

// Upstreams calls f with every upstream that the endpoint's calls may need.
func (e *Entry) Upstreams(f func(xds.Upstream)) {
	for _, t := range e.Targets {
		if t.Upstream == (xds.Upstream{}) {
			continue
		}
		f(t.Upstream)
		if len(e.Targets) > 1 {
			f(staged(t.Upstream))
		}
	}
}

// Groups calls f with every group by which the endpoint's calls may be routed:
// one for each number of targets that may be left to try.
func (e *Entry) Groups(f func(xds.Group)) {
	for n := 2; n <= len(e.Targets); n++ {
		f(xds.Group{Attempts: n, HeadTimeout: e.Endpoint.HeadTimeout})
	}
}

func staged(u xds.Upstream) xds.Upstream {
	u.Staged = true
	return u
}

// Table is the immutable set of endpoints that requests are served from. It is
// swapped whole; a request keeps the entry that it found.
type Table struct {
	entries   map[string]*Entry
	strictest string
}

// NewTable makes a table of the endpoints, with build making an entry of one.
// Entries of prev whose endpoint is the same value are kept, so that a change
// to one of many endpoints costs one build.
func NewTable(prev *Table, endpoints []*catalog.Endpoint, build func(*catalog.Endpoint) *Entry) *Table {
	t := &Table{entries: make(map[string]*Entry, len(endpoints))}
	for _, e := range endpoints {
		t.strictest = stricter(t.strictest, e.AuditBodies)
		if prev != nil {
			if old, ok := prev.entries[e.Name]; ok && old.Endpoint == e {
				t.entries[e.Name] = old
				continue
			}
		}
		t.entries[e.Name] = build(e)
	}
	return t
}

// Lookup finds the endpoint with exactly this name.
func (t *Table) Lookup(name string) (*Entry, bool) {
	if t == nil {
		return nil, false
	}
	e, ok := t.entries[name]
	return e, ok
}

// Strictest is the least that an endpoint lets the trail keep of bodies; "" where
// each lets it keep all.
func (t *Table) Strictest() string {
	if t == nil {
		return ""
	}
	return t.strictest
}

// Each calls f with every entry, in no order.
func (t *Table) Each(f func(*Entry)) {
	for _, e := range t.entries {
		f(e)
	}
}

// Len is the number of endpoints.
func (t *Table) Len() int { return len(t.entries) }
