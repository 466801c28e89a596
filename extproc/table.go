package extproc

import (
	"sync/atomic"

	"sluice/extproc/provider"
	"sluice/internal/catalog"
	"sluice/xds"
)

// Entry is an endpoint made ready to be called: its target with opened
// credentials, and the route by which Envoy reaches it.
type Entry struct {
	Endpoint *catalog.Endpoint
	Target   provider.Target
	// Upstream is what Envoy knows of the target, and Route the key that it is
	// found by there; both are empty while the target has no usable address.
	Upstream xds.Upstream
	Route    string
	// Problem says why the endpoint can't be called now; "" when it can.
	Problem string

	metrics atomic.Pointer[entryMetrics] // filled at the first call
}

// Table is the immutable set of endpoints that requests are served from. It is
// swapped whole; a request keeps the entry that it found.
type Table struct {
	entries map[string]*Entry
}

// NewTable makes a table of the endpoints, with build making an entry of one.
// Entries of prev whose endpoint is the same value are kept, so that a change
// to one of many endpoints costs one build.
func NewTable(prev *Table, endpoints []*catalog.Endpoint, build func(*catalog.Endpoint) *Entry) *Table {
	t := &Table{entries: make(map[string]*Entry, len(endpoints))}
	for _, e := range endpoints {
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

// Each calls f with every entry, in no order.
func (t *Table) Each(f func(*Entry)) {
	for _, e := range t.entries {
		f(e)
	}
}

// Len is the number of endpoints.
func (t *Table) Len() int { return len(t.entries) }
