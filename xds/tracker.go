package xds

import (
	"context"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.uber.org/zap"
)

// tracker follows what Envoy has acknowledged. It is told of every message by
// the ADS server; the newest stream is the one that counts.
type tracker struct {
	log     *zap.Logger
	now     func() time.Time
	metrics *metrics

	mu      sync.Mutex // guards the following fields
	stream  int64      // id of the stream that counts; 0: none
	since   time.Time  // when stream was last opened or closed
	sent    map[string]push
	acked   map[string]versions // by type URL: what Envoy has
	refused map[string]refusals // by type URL: what Envoy does not want
	changed chan struct{}       // closed and made anew at each change
}

// versions maps names of resources to hashes of their content.
type versions map[string]string

// refusals maps names of resources to the push that Envoy refused.
type refusals map[string]refusal

type refusal struct {
	version string // "" for a refused removal
	time    time.Time
	message string
}

// push is one response that Envoy has not answered yet.
type push struct {
	typeURL string
	set     versions
	removed []string
	at      time.Time
}

func newTracker(log *zap.Logger, now func() time.Time, m *metrics) *tracker {
	t := &tracker{log: log, now: now, metrics: m, since: now(), changed: make(chan struct{})}
	t.reset(0)
	return t
}

// reset forgets all of a former stream. Called with mu held, save by newTracker.
func (t *tracker) reset(stream int64) {
	t.stream, t.since = stream, t.now()
	t.sent = map[string]push{}
	t.acked = map[string]versions{}
	t.refused = map[string]refusals{}
}

// notify wakes who waits. Called with mu held.
func (t *tracker) notify() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// OnDeltaStreamOpen makes the stream the one that counts: an older one is of
// an Envoy that has gone.
func (t *tracker) OnDeltaStreamOpen(_ context.Context, id int64, _ string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reset(id)
	t.notify()
	t.metrics.connected.Set(1)
	t.log.Info("Envoy connected to the control plane")
	return nil
}

// OnDeltaStreamClosed notes that nobody is connected any more.
func (t *tracker) OnDeltaStreamClosed(id int64, _ *corev3.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != t.stream {
		return
	}
	t.reset(0)
	t.notify()
	t.metrics.connected.Set(0)
	t.log.Warn("Envoy left the control plane")
}

// OnStreamDeltaResponse notes what is about to be sent.
func (t *tracker) OnStreamDeltaResponse(
	id int64, _ *discoveryv3.DeltaDiscoveryRequest, r *discoveryv3.DeltaDiscoveryResponse,
) {
	p := push{typeURL: r.GetTypeUrl(), set: versions{}, removed: r.GetRemovedResources(), at: t.now()}
	for _, res := range r.GetResources() {
		p.set[res.GetName()] = res.GetVersion()
	}
	t.metrics.pushes.WithLabelValues(shortName(p.typeURL)).Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	if id == t.stream {
		t.sent[p.typeURL+r.GetNonce()] = p
	}
}

// OnStreamDeltaRequest reads what Envoy says: what it has from before, which
// names it has dropped, and whether it took the last push.
func (t *tracker) OnStreamDeltaRequest(id int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != t.stream {
		return nil
	}
	typeURL := r.GetTypeUrl()
	acked := t.acked[typeURL]
	if acked == nil {
		acked = versions{}
		t.acked[typeURL] = acked
	}
	for name, version := range r.GetInitialResourceVersions() {
		acked[name] = version
	}
	for _, name := range r.GetResourceNamesUnsubscribe() {
		delete(acked, name)
	}
	if nonce := typeURL + r.GetResponseNonce(); r.GetResponseNonce() != "" {
		if p, ok := t.sent[nonce]; ok {
			delete(t.sent, nonce)
			t.answered(p, r.GetErrorDetail().GetMessage(), r.GetErrorDetail() != nil)
		}
	}
	t.notify()
	return nil
}

// answered notes Envoy's answer to a push. Called with mu held.
func (t *tracker) answered(p push, message string, refused bool) {
	t.metrics.ackSeconds.Observe(t.now().Sub(p.at).Seconds())
	if t.refused[p.typeURL] == nil {
		t.refused[p.typeURL] = refusals{}
	}
	bad := func(string) bool { return false }
	if refused {
		bad = blamed(p, message)
		t.metrics.nacks.WithLabelValues(shortName(p.typeURL)).Inc()
		t.log.Error("Envoy refused a push; it goes on with what it had",
			zap.String("type", shortName(p.typeURL)), zap.String("reason", message))
	}
	for name, version := range p.set {
		t.settle(p, name, version, bad(name), message)
	}
	for _, name := range p.removed {
		t.settle(p, name, "", bad(name), message)
	}
}

// settle notes the outcome for one resource. Called with mu held.
func (t *tracker) settle(p push, name, version string, bad bool, message string) {
	if bad {
		t.refused[p.typeURL][name] = refusal{version: version, time: t.now(), message: message}
		return
	}
	delete(t.refused[p.typeURL], name)
	if version == "" {
		delete(t.acked[p.typeURL], name)
		return
	}
	t.acked[p.typeURL][name] = version
}

// blamed tells which resources of a refused push Envoy did not take. It takes
// each on its own and names the bad ones; where it names none, all are taken
// for bad.
func blamed(p push, message string) func(name string) bool {
	named := func(name string) bool { return strings.Contains(message, name) }
	for name := range p.set {
		if named(name) {
			return named
		}
	}
	for _, name := range p.removed {
		if named(name) {
			return named
		}
	}
	return func(string) bool { return true }
}

// await returns when Envoy has answered for all these resources, when nobody
// is connected (what is due is then delivered at the next connect), or when
// ctx ends. The error is a *RejectedError if Envoy refused one of them.
func (t *tracker) await(ctx context.Context, typeURL string, set versions, removed []string) error {
	for {
		t.mu.Lock()
		open, err := t.open(typeURL, set, removed)
		changed := t.changed
		connected := t.stream != 0
		t.mu.Unlock()
		if !connected || open == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &UnansweredError{Type: shortName(typeURL), Resources: open}
		}
	}
}

// open counts the resources that Envoy has not answered for at this version.
// Called with mu held.
func (t *tracker) open(typeURL string, set versions, removed []string) (open int, err error) {
	rejected := &RejectedError{Rejection{Type: shortName(typeURL)}}
	acked, refused := t.acked[typeURL], t.refused[typeURL]
	for name, version := range set {
		r, bad := refused[name]
		switch {
		case bad && r.version == version:
			rejected.add(name, r)
		case acked[name] != version:
			open++
		}
	}
	for _, name := range removed {
		r, bad := refused[name]
		_, there := acked[name]
		switch {
		case bad && r.version == "":
			rejected.add(name, r)
		case there:
			open++
		}
	}
	if len(rejected.Names) > 0 {
		return open, rejected
	}
	return open, nil
}

// state returns how many of the resources Envoy has, and the refusals that
// still stand.
func (t *tracker) state(typeURL string, want versions) (acked int, rejection *Rejection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, version := range want {
		if t.acked[typeURL][name] == version {
			acked++
		}
	}
	all := &RejectedError{Rejection{Type: shortName(typeURL)}}
	for name, r := range t.refused[typeURL] {
		if r.version == want[name] {
			all.add(name, r)
		}
	}
	if len(all.Names) == 0 {
		return acked, nil
	}
	return acked, &all.Rejection
}

// connection says whether Envoy is there, and since when or since when not.
func (t *tracker) connection() (connected bool, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stream != 0, t.since
}
