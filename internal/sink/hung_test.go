package sink_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
	"sluice/internal/sink"
)

// hang makes a receiver hang, whatever its context says, until let is called.
func hang(t *testing.T, r *receiver) (in <-chan struct{}, let func()) {
	entered, gate := make(chan struct{}, 100), make(chan struct{})
	r.mu.Lock()
	r.hang = func() {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-gate
	}
	r.mu.Unlock()
	open := true
	let = func() {
		if open {
			open = false
			close(gate)
		}
	}
	t.Cleanup(let)
	return entered, let
}

// within fails where f does not come back in time.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		require.Fail(t, what+" waits for a sink that hangs")
	}
}

func TestASinkThatHangsHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.patience = 20 * time.Millisecond
	w.manage()
	hung, let := hang(t, w.receiver("a"))
	w.set(of("a"), of("b"))
	w.write("x", 5)
	<-hung

	within(t, "a change", func() { require.ErrorContains(t, w.m.Set([]config.Sink{of("b")}), "a: no end after") })
	require.Equal(t, sink.StateStopping, w.status("a").State)
	require.Empty(t, w.m.Forgotten())
	require.Zero(t, w.metric("sluice_audit_sink_up", "a"))
	w.write("y", 5)
	w.eventually("b goes on", func() bool { return len(w.receiver("b").exchanges()) == 10 })
	_, err := w.m.Letters("a")
	require.ErrorIs(t, err, sink.ErrNoSink)

	// What comes under its name waits, and one after that as well.
	again := of("a", func(c *config.Sink) { c.Batch.Records = 3 })
	within(t, "a change", func() { require.Error(t, w.m.Set([]config.Sink{of("a"), of("b")})) })
	within(t, "a change", func() { require.Error(t, w.m.Set([]config.Sink{again, of("b")})) })
	s := w.status("a")
	require.Equal(t, sink.StateStopping, s.State)
	require.Contains(t, s.Notes[0], "does not end")
	require.Zero(t, w.metric("sluice_audit_sink_up", "a"))
	w.eventually("what waits has an age", func() bool { return w.status("a").OldestAge > 0 })
	require.Equal(t, 1, w.opened("a"))

	let()
	w.eventually("it begins", func() bool { return w.status("a").State == sink.StateRunning && w.status("a").Lag == 0 })
	require.Equal(t, 2, w.opened("a"))
	require.Len(t, unique(w.receiver("a").exchanges()), 10)
	require.Equal(t, 1.0, w.metric("sluice_audit_sink_up", "a"))
	_ = w.m.Set([]config.Sink{of("b")}) // a busy machine may not end it in time
	w.eventually("it is gone", func() bool { return len(w.m.Status()) == 1 })
	require.Equal(t, []string{"a"}, w.m.Forgotten())
}

func TestAnEndDoesNotWaitForASinkThatHangs(t *testing.T) {
	w := newWorld(t)
	hung, let := hang(t, w.receiver("a"))
	w.set(of("a"), of("b"))
	ids := w.write("x", 5)
	<-hung
	w.eventually("b has them", func() bool { return len(w.receiver("b").exchanges()) == 5 })
	over, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "the end", func() { w.m.Close(over) })
	let()
	w.close()
	w.manage()
	w.set(of("a"))
	w.eventually("all are there", func() bool { return len(unique(w.receiver("a").exchanges())) == 5 })
	require.Equal(t, ids, unique(w.receiver("a").exchanges()))
}

// TestADamagedMark: the file of the mark is no more what a sink writes.
func TestADamagedMark(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "cut off": `{"mark":"`, "no mark": `{"mark":"x"}`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.set(of("a"))
			ids := w.write("x", 10)
			w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
			w.close()
			path := filepath.Join(w.dir, "a.json")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			require.NoError(t, os.WriteFile(path+".damaged-1", []byte("of before"), 0o600))
			w.manage()
			w.set(of("a", func(c *config.Sink) { c.Start = config.SinkStartNow }))
			w.eventually("it goes on", func() bool { return slices.Contains(w.receiver("a").events(), sink.KindMarkLost) })
			require.Equal(t, append(slices.Clone(ids), ids...), w.receiver("a").exchanges(), "from the oldest")
			kept, err := os.ReadFile(path + ".damaged-2")
			require.NoError(t, err)
			require.Equal(t, content, string(kept))
			require.Contains(t, w.status("a").Notes[0], "a.json.damaged-2")
			require.Empty(t, w.m.Forgotten())
		})
	}
}

// TestASinkWhoseMarkCanNotBeKept is shown and begins when that is mended, with
// what came since it was configured.
func TestASinkWhoseMarkCanNotBeKept(t *testing.T) {
	w := newWorld(t)
	w.write("before", 3)
	next := filepath.Join(w.dir, "a.json.new")
	require.NoError(t, os.Mkdir(next, 0o700))
	w.set(of("a", func(c *config.Sink) { c.Start = config.SinkStartNow }))
	ids := w.write("x", 3)
	w.eventually("it fails", func() bool { return w.status("a").State == sink.StateFailing })
	require.Contains(t, w.status("a").LastError, "writing the mark")
	require.Zero(t, w.metric("sluice_audit_sink_up", "a"))
	require.Empty(t, w.m.Forgotten())
	require.NoError(t, os.Remove(next))
	w.eventually("it begins", func() bool { return len(w.receiver("a").exchanges()) == 3 })
	require.Equal(t, ids, w.receiver("a").exchanges())
}

// TestHalfADeadLetter: what a crash left of one does not spoil the next.
func TestHalfADeadLetter(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "a.dead.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"recordId":"whole"}`+"\n"+`{"recordId":"ha`), 0o600))
	w.receiver("a").do(func(e []sink.Entry) (int, error) { return 0, &sink.Refused{Reason: "too odd"} })
	w.set(of("a"))
	w.write("x", 1)
	w.eventually("it is refused", func() bool { return w.status("a").Refused == 1 })
	w.close()
	w.manage()
	w.set(of("a"))
	w.eventually("both are listed", func() bool { l, _ := w.m.Letters("a"); return len(l) == 2 })
}
