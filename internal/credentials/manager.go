package credentials

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sluice/extproc/provider/kit"
)

// Options are what a Manager takes from outside.
type Options struct {
	// HTTP reaches token servers; it is egress.Rules.Client. Required.
	HTTP *http.Client
	// Ambient reaches the machine's own identity (metadata services, AWS's
	// default chain, Google's application default credentials); it is
	// egress.Rules.AmbientClient. nil: an endpoint that would use the
	// gateway's own identity is refused.
	Ambient    *http.Client
	Now        func() time.Time      // nil: time.Now. Of signatures, ends and refreshes
	Jitter     func() float64        // nil: random, from 0 to below 1. Spreads refreshes
	Log        *zap.Logger           // nil: none
	Registerer prometheus.Registerer // nil: none
}

// Manager has the sources of all targets. It is safe for concurrent use.
type Manager struct {
	http, ambient *http.Client
	now           func() time.Time
	jitter        func() float64
	log           *zap.Logger
	metrics       *metrics
	salt          [32]byte // so that a source's id tells nothing of its secrets

	mu      sync.Mutex // guards what follows
	sources map[[32]byte]*Source
	closed  bool
}

// New makes a manager without sources.
func New(o Options) *Manager {
	m := &Manager{
		http: o.HTTP, ambient: o.Ambient, now: o.Now, jitter: o.Jitter, log: o.Log,
		sources: make(map[[32]byte]*Source),
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.jitter == nil {
		m.jitter = mathrand.Float64
	}
	if m.log == nil {
		m.log = zap.NewNop()
	}
	_, _ = rand.Read(m.salt[:]) // never fails
	m.metrics = newMetrics(m, o.Registerer)
	return m
}

// For returns the source of a credential, and makes it when it is new: it then
// begins to fetch at once. Equal credentials share a source. A credential that
// can't work has a source too, whose Ready says why.
func (m *Manager) For(c kit.Credential) *Source {
	key := m.key(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sources[key]; s != nil {
		return s
	}
	s := m.newSource(c, hex.EncodeToString(key[:4]))
	if m.closed {
		s.fail(errClosed, time.Time{})
		s.settle()
		return s
	}
	m.sources[key] = s
	if s.fetch != nil {
		s.start()
	}
	return s
}

var errClosed = errors.New("the gateway is stopping")

// key tells credentials apart without holding them.
func (m *Manager) key(c kit.Credential) [32]byte {
	h := sha256.New()
	h.Write(m.salt[:])
	part := func(s string) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	part(string(c.Kind))
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		if v := c.Params[name]; v != "" {
			part(name)
			part(v)
		}
	}
	return [32]byte(h.Sum(nil))
}

// Retain stops and forgets every source that is not in use. A stopped source
// still authorizes until its credential ends, for exchanges under way. What
// For returns meanwhile must be in inUse, so the two are for one goroutine: the
// one that makes a new set of targets.
func (m *Manager) Retain(inUse map[*Source]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, s := range m.sources {
		if !inUse[s] {
			s.cancel()
			delete(m.sources, key)
		}
	}
}

// Close stops all sources, for good, and waits for their goroutines.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	all := slices.Collect(maps.Values(m.sources))
	clear(m.sources)
	m.mu.Unlock()
	for _, s := range all {
		s.cancel()
	}
	for _, s := range all {
		if s.done != nil {
			<-s.done
		}
	}
	m.http.CloseIdleConnections()
	if m.ambient != nil {
		m.ambient.CloseIdleConnections()
	}
}

// Status is the state of one source, without secrets.
type Status struct {
	Kind     kit.CredentialKind
	ID       string    // tells sources apart while the gateway runs; holds nothing of the credential
	Ready    bool      // a valid credential is at hand
	Ends     time.Time // of the credential at hand; zero: never, or there is none
	Failures int       // fetches that failed since the last that did not
	Error    string    // of the last fetch, "" when it succeeded
	Next     time.Time // of the next fetch; zero: none
}

// Status returns the state of every source, by kind and id.
func (m *Manager) Status() []Status {
	out := make([]Status, 0)
	for _, s := range m.all() {
		out = append(out, s.Status())
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (m *Manager) all() []*Source {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.sources))
}
