package sink_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
	"sluice/internal/sink"
)

// worried is a receiver with something beside that may fail.
type worried struct {
	receiver
	trouble atomic.Pointer[sink.Trouble]
}

func (w *worried) Trouble() sink.Trouble { return *w.trouble.Load() }

func TestWhatFailsBesideDeliveringShows(t *testing.T) {
	w := newWorld(t)
	r := &worried{}
	at := time.Now().Add(-time.Minute)
	r.trouble.Store(&sink.Trouble{Failures: 3, Error: "the day is not archived", Since: at, At: at.Add(time.Second)})
	reg := w.metrics()
	m, err := sink.New(sink.Options{Dir: t.TempDir(), Trail: w.trail, Registerer: reg,
		Open: func(*config.Sink) (sink.Target, error) { return r, nil }})
	require.NoError(t, err)
	w.m = m
	w.set(of("a"))
	w.write("x", 3)
	w.eventually("records are delivered", func() bool { return len(r.exchanges()) == 3 && w.status("a").Lag == 0 })
	s := w.status("a")
	require.Equal(t, sink.StateFailing, s.State)
	require.Equal(t, at, s.Since)
	require.Equal(t, "the day is not archived", s.LastError)
	require.EqualValues(t, 3, s.Errors)
	require.Zero(t, w.metric("sluice_audit_sink_up", "a"))
	require.Equal(t, 3.0, w.metric("sluice_audit_sink_errors_total", "a"))
	r.trouble.Store(&sink.Trouble{Failures: 3})
	require.Equal(t, sink.StateRunning, w.status("a").State)
	require.EqualValues(t, 3, w.status("a").Errors)
}
