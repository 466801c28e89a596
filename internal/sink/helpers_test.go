package sink_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/identity"
	"sluice/internal/sink"
)

var alice = &identity.Caller{UserID: "aaaaaaaaaaaaaaaaaaaaaaaa", UserName: "alice", Organizations: []string{"0123456789abcdef01234567"}}

func openTrail(t testing.TB, opts audit.Options) *audit.Trail {
	t.Helper()
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	return trail
}

// record writes a whole exchange.
func record(t testing.TB, trail *audit.Trail, id string) {
	t.Helper()
	x := &audit.Exchange{ID: id, Caller: alice, EndpointName: "chat", Provider: "openai"}
	require.NoError(t, trail.Begin(x, []byte(`{"q":"`+id+`"}`)))
	require.NoError(t, trail.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte(`{"a":"`+id+`"}`)))
}

// receiver is a Target in memory that does as a test says.
type receiver struct {
	mu      sync.Mutex // guards the following fields
	got     []*audit.Record
	lines   []string
	again   int
	calls   int
	deliver func(entries []sink.Entry) (int, error) // nil: takes all
	closed  bool
	hang    func() // called first; nil: not
}

func (r *receiver) Deliver(_ context.Context, entries []sink.Entry) (int, error) {
	r.mu.Lock()
	hang := r.hang
	r.mu.Unlock()
	if hang != nil {
		hang()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	n, err := len(entries), error(nil)
	if r.deliver != nil {
		n, err = r.deliver(entries)
	}
	for _, e := range entries[:n] {
		r.got = append(r.got, e.Record)
		r.lines = append(r.lines, string(e.Data))
		if e.Again {
			r.again++
		}
	}
	return n, err
}

func (r *receiver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func (r *receiver) do(f func(entries []sink.Entry) (int, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deliver = f
}

// exchanges are the ids of the exchanges that were received, in order.
func (r *receiver) exchanges() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []string{}
	for _, g := range r.got {
		if g.Exchange != nil {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

func (r *receiver) events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := []string{}
	for _, g := range r.got {
		if g.Event != nil {
			kinds = append(kinds, g.Event.Kind)
		}
	}
	return kinds
}

// world is a trail, a manager, and a receiver for each sink by name.
type world struct {
	t        testing.TB
	dir      string
	trail    *audit.Trail
	m        *sink.Manager
	mu       sync.Mutex // guards the following two fields
	by       map[string]*receiver
	opens    map[string]int
	now      func() time.Time
	patience time.Duration
	gathered *prometheus.Registry
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), by: map[string]*receiver{}, opens: map[string]int{}, now: time.Now}
	w.trail = openTrail(t, audit.Options{Dir: t.TempDir()})
	w.manage()
	return w
}

func (w *world) manage() {
	var err error
	w.m, err = sink.New(sink.Options{Dir: w.dir, Trail: w.trail, Now: func() time.Time { return w.now() }, Log: zaptest.NewLogger(w.t),
		Patience: w.patience, Registerer: w.metrics(),
		Open: func(c *config.Sink) (sink.Target, error) {
			w.mu.Lock()
			w.opens[c.Name]++
			w.mu.Unlock()
			return w.receiver(c.Name), nil
		}})
	require.NoError(w.t, err)
	w.t.Cleanup(w.close)
}

// metrics is where the next manager puts its metrics.
func (w *world) metrics() prometheus.Registerer {
	w.gathered = prometheus.NewRegistry()
	return w.gathered
}

// metric is the value of a metric of a sink, -1 where there is none.
func (w *world) metric(name, of string) float64 {
	families, err := w.gathered.Gather()
	require.NoError(w.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == of {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.m.Close(ctx)
}

func (w *world) receiver(name string) *receiver {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by[name] == nil {
		w.by[name] = &receiver{}
	}
	return w.by[name]
}

// opened is how often the target of a sink was opened.
func (w *world) opened(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opens[name]
}

func (w *world) set(sinks ...config.Sink) { require.NoError(w.t, w.m.Set(sinks)) }

// of is a sink that sends at once.
func of(name string, change ...func(*config.Sink)) config.Sink {
	c := config.Sink{Name: name, Type: "file", Format: config.FormatSluice, Bodies: "full", BodyBytes: 1 << 20, Start: config.SinkStartOldest,
		Batch: config.SinkBatch{Age: time.Millisecond}}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) write(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("%s-%04d", prefix, i)
		record(w.t, w.trail, ids[i])
	}
	return ids
}

func (w *world) status(name string) sink.Status {
	w.t.Helper()
	all := w.m.Status()
	i := slices.IndexFunc(all, func(s sink.Status) bool { return s.Name == name })
	require.GreaterOrEqual(w.t, i, 0)
	return all[i]
}

func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	require.Eventually(w.t, f, time.Minute, 5*time.Millisecond, what)
}

// unique is ids without repeats, in the order in which each first came.
func unique(ids []string) []string {
	seen, out := map[string]bool{}, []string{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
