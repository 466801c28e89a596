// Package sinktest drives sinks of the gateway's own making in tests: a trail
// that is written, and a manager with the real targets.
package sinktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

// World is a trail with sinks.
type World struct {
	T     testing.TB
	Trail *audit.Trail
	M     *sink.Manager
}

// New makes a trail and a manager for it.
func New(t testing.TB) *World {
	t.Helper()
	return Open(t, t.TempDir(), t.TempDir())
}

// Open opens a trail and a manager in their folders.
func Open(t testing.TB, trailDir, sinksDir string) *World {
	t.Helper()
	trail, err := audit.Open(audit.Options{Dir: trailDir, Node: "gw-1"})
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	rules, err := egress.New(egress.Options{})
	require.NoError(t, err)
	deps := targets.Deps{Egress: rules.OfOperator(), Trail: trail.ID(), Node: "gw-1", Now: time.Now, Log: zap.NewNop()}
	m, err := sink.New(sink.Options{
		Dir: sinksDir, Trail: trail, Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	require.NoError(t, err)
	w := &World{t, trail, m}
	t.Cleanup(w.Close)
	return w
}

// Close ends the sinks.
func (w *World) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	w.M.Close(ctx)
}

// Set puts sinks in force. What they do not say is as the file has it.
func (w *World) Set(sinks ...config.Sink) {
	w.T.Helper()
	for i := range sinks {
		s := &sinks[i]
		s.Start, s.Bodies, s.BodyBytes = config.SinkStartOldest, audit.BodiesFull, 1<<20
		if s.Format == "" {
			s.Format = config.FormatSluice
		}
		if s.Batch == (config.SinkBatch{}) {
			s.Batch.Age = 5 * time.Millisecond
		}
	}
	require.NoError(w.T, w.M.Set(sinks))
}

var caller = &identity.Caller{UserID: "aaaaaaaaaaaaaaaaaaaaaaaa", UserName: "alice"}

// Write writes n exchanges and returns their ids.
func (w *World) Write(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("%s-%05d", prefix, i)
		x := &audit.Exchange{ID: ids[i], Caller: caller, EndpointName: "chat", Provider: "openai", Method: "POST", Path: "/v1/chat/completions"}
		require.NoError(w.T, w.Trail.Begin(x, []byte(`{"q":"`+ids[i]+`"}`)))
		require.NoError(w.T, w.Trail.End(ids[i], &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte(`{"a":"`+ids[i]+`"}`)))
	}
	return ids
}

// Status is how a sink does.
func (w *World) Status(name string) sink.Status {
	w.T.Helper()
	all := w.M.Status()
	i := slices.IndexFunc(all, func(s sink.Status) bool { return s.Name == name })
	require.GreaterOrEqual(w.T, i, 0)
	return all[i]
}

// Eventually waits for something.
func (w *World) Eventually(what string, f func() bool) {
	w.T.Helper()
	for until := time.Now().Add(60 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			require.Fail(w.T, "it did not come to this: "+what, "%+v", w.M.Status())
		}
	}
}

// Through waits until a sink has sent all.
func (w *World) Through(name string) {
	w.T.Helper()
	w.Eventually(name+" is through", func() bool { return w.Status(name).Lag == 0 })
}

// Got collects what arrives, by id.
type Got struct {
	mu  sync.Mutex // guards the following fields
	ids []string
	has map[string]int
}

// Add notes that an id arrived.
func (g *Got) Add(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has == nil {
		g.has = map[string]int{}
	}
	if g.has[id]++; g.has[id] == 1 {
		g.ids = append(g.ids, id)
	}
}

// Unique are the ids, each once, in the order in which each came first.
func (g *Got) Unique() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.ids)
}
