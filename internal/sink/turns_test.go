package sink_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
)

// TestRefusedAgainHoldsUpNothingNew: dead letters that are sent again and refused
// again take turns with what is new.
func TestRefusedAgainHoldsUpNothingNew(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	r.do(func(entries []sink.Entry) (int, error) {
		for i, e := range entries {
			if strings.HasPrefix(e.Record.ID, "bad") {
				return i, &sink.Refused{Reason: "too odd"}
			}
		}
		return len(entries), nil
	})
	w.set(of("a"))
	for n := range 6 {
		w.write(fmt.Sprint("bad", n), 10)
		w.write(fmt.Sprint("good", n), 1)
	}
	w.eventually("it is through", func() bool { return w.status("a").DeadLetters == 60 && w.status("a").Lag == 0 })
	_, err := w.m.RetryLetters("a", "root")
	require.NoError(t, err)
	w.write("live", 1)
	w.eventually("what is new is there", func() bool { return w.status("a").Lag == 0 && len(r.exchanges()) == 7 })
	w.eventually("all were tried", func() bool { return w.status("a").Replays[0].State == sink.ReplayDone })
	require.Equal(t, sink.StateRunning, w.status("a").State)
	letters, err := w.m.Letters("a")
	require.NoError(t, err)
	require.Len(t, letters, 60)
	for _, l := range letters {
		require.Equal(t, 2, l.Tries)
	}
}

// failAgain is a receiver that fails what is sent again until let is true.
func failAgain(let *atomic.Bool) func(entries []sink.Entry) (int, error) {
	return func(entries []sink.Entry) (int, error) {
		if entries[0].Again && !let.Load() {
			return 0, errors.New("not what is old")
		}
		return len(entries), nil
	}
}

func TestAReplayThatFailsHoldsUpNothingNew(t *testing.T) {
	w := newWorld(t)
	var let atomic.Bool
	w.receiver("a").do(failAgain(&let))
	w.set(of("a"))
	w.write("old", 5)
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	_, err := w.m.Replay("a", audit.Range{}, "root")
	require.NoError(t, err)
	for n := range 3 {
		w.eventually("the replay fails", func() bool {
			s := w.status("a")
			return s.Replays[0].Error == "not what is old" && s.Errors > int64(n)
		})
		w.write(fmt.Sprint("new", n), 1)
		w.eventually("what is new is there", func() bool { return w.status("a").Lag == 0 })
	}
	require.Equal(t, sink.StateRunning, w.status("a").State)
	let.Store(true)
	w.eventually("the replay is done", func() bool { return w.status("a").Replays[0].State == sink.ReplayDone })
	require.Empty(t, w.status("a").Replays[0].Error)
	require.Len(t, unique(w.receiver("a").exchanges()), 8)
}

func TestAReplayIsCancelled(t *testing.T) {
	w := newWorld(t)
	var let atomic.Bool
	r := w.receiver("a")
	r.do(failAgain(&let))
	w.set(of("a"))
	w.write("x", 5)
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	_, err := w.m.CancelReplays("a")
	require.ErrorIs(t, err, sink.ErrNoReplay)
	_, err = w.m.CancelReplays("b")
	require.ErrorIs(t, err, sink.ErrNoSink)
	for range 2 {
		_, err = w.m.Replay("a", audit.Range{}, "root")
		require.NoError(t, err)
	}
	w.eventually("it fails", func() bool { return w.status("a").Errors > 0 })
	require.Equal(t, 2.0, w.metric("sluice_audit_sink_replays", "a"))
	ended, err := w.m.CancelReplays("a")
	require.NoError(t, err)
	require.Len(t, ended, 2)
	over := func() {
		t.Helper()
		for _, p := range w.status("a").Replays {
			require.Equal(t, sink.ReplayCancelled, p.State)
			require.False(t, p.Ended.IsZero())
		}
	}
	over()
	require.Zero(t, w.metric("sluice_audit_sink_replays", "a"))
	w.close()
	let.Store(true)
	w.manage()
	w.set(of("a"))
	w.write("y", 1)
	w.eventually("it goes on", func() bool { return len(r.exchanges()) == 6 && w.status("a").Lag == 0 })
	over()
	require.Zero(t, r.again)
	_, err = w.m.Replay("a", audit.Range{}, "root")
	require.NoError(t, err)
	w.eventually("another is done", func() bool { return w.status("a").Replays[0].State == sink.ReplayDone })
	require.Len(t, r.exchanges(), 12)
}

// TestARareFilterDoesNotWaitForTheBacklog: what it lets pass is sent by its age,
// though there is more to be read.
func TestARareFilterDoesNotWaitForTheBacklog(t *testing.T) {
	w := newWorld(t)
	match := func() { require.NoError(t, w.trail.Event(&audit.Event{Kind: "CreateUser"})) }
	match()
	for range 1500 {
		require.NoError(t, w.trail.Event(&audit.Event{Kind: "CreateEndpoint"}))
	}
	match()
	w.close()
	var ticks atomic.Int64
	start := time.Now()
	w.now = func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Second) }
	w.manage()
	var sizes []int
	w.receiver("a").do(func(e []sink.Entry) (int, error) {
		sizes = append(sizes, len(e))
		return len(e), nil
	})
	w.set(of("a", func(c *config.Sink) { c.Filter.Kinds = []string{"CreateUser"} }))
	w.eventually("both are there", func() bool { return len(w.receiver("a").events()) == 2 })
	require.Equal(t, []int{1, 1}, sizes)
}

// TestWhatWasNeverConfirmedIsNeverTooOld: a receiver that lost what it had wants
// nothing of that which is old; what it never had it gets.
func TestWhatWasNeverConfirmedIsNeverTooOld(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	w.set(of("a"))
	w.write("had", 5)
	w.eventually("it is through", func() bool { return len(r.exchanges()) == 5 && w.status("a").Lag == 0 })
	r.do(down)
	waited := w.write("waited", 5)
	w.eventually("it is away", func() bool { return w.status("a").State == sink.StateFailing })
	lost := &sink.Lost{Reason: "it was started anew", Since: time.Now().Add(time.Hour)}
	r.do(func(e []sink.Entry) (int, error) {
		r.got, r.deliver = nil, nil
		return 0, lost
	})
	w.eventually("it is through", func() bool { return w.status("a").State == sink.StateRunning && w.status("a").Lag == 0 })
	require.Equal(t, waited, r.exchanges())
	require.Contains(t, r.events(), sink.KindReceiverLost)
}
