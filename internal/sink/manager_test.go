package sink_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
)

var errDown = errors.New("the receiver is down")

func down([]sink.Entry) (int, error) { return 0, errDown }

func TestEachSinkGetsEverythingAtItsOwnPace(t *testing.T) {
	w := newWorld(t)
	before := w.write("before", 20)
	w.receiver("slow").do(func(e []sink.Entry) (int, error) {
		time.Sleep(20 * time.Millisecond)
		return min(3, len(e)), map[bool]error{true: errors.New("only three at a time")}[len(e) > 3]
	})
	w.set(of("fast"), of("slow"), of("new", func(c *config.Sink) { c.Start = config.SinkStartNow }))
	after := w.write("after", 20)
	all := append(slices.Clone(before), after...)
	w.eventually("fast has all", func() bool { return len(w.receiver("fast").exchanges()) == len(all) })
	require.Equal(t, all, w.receiver("fast").exchanges())
	w.eventually("new has what came after it", func() bool { return len(w.receiver("new").exchanges()) == len(after) })
	require.Equal(t, after, w.receiver("new").exchanges())
	w.eventually("slow has all", func() bool { return len(w.receiver("slow").exchanges()) == len(all) })
	require.Equal(t, all, w.receiver("slow").exchanges())
	w.eventually("nothing is left", func() bool { return w.status("slow").Lag == 0 })
	require.EqualValues(t, len(all), w.status("fast").Sent)
}

func TestASinkThatFailsIsTriedAgainFromItsMark(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	r.do(down)
	w.set(of("a"))
	ids := w.write("x", 50)
	w.eventually("it fails", func() bool { return w.status("a").State == sink.StateFailing })
	s := w.status("a")
	require.Equal(t, errDown.Error(), s.LastError)
	require.Positive(t, s.Lag)
	require.Positive(t, s.OldestAge)
	require.Less(t, s.Mark, uint64(3), "the first record is completed by 3")

	r.do(nil)
	w.eventually("it has all", func() bool { return len(r.exchanges()) == 50 })
	require.Equal(t, ids, r.exchanges())
	w.eventually("it works", func() bool { return w.status("a").State == sink.StateRunning && w.status("a").OldestAge == 0 })
	require.NotContains(t, r.events(), sink.KindFailing, "a short failure is not worth an event")
}

// TestASinkThatCanNotBeginTellsItsAge: the alert about what waits must not sleep
// because a setting is wrong.
func TestASinkThatCanNotBeginTellsItsAge(t *testing.T) {
	w := newWorld(t)
	m, err := sink.New(sink.Options{Dir: t.TempDir(), Trail: w.trail, Now: time.Now, Log: zap.NewNop(),
		Open: func(*config.Sink) (sink.Target, error) { return nil, errors.New("the key is missing") }})
	require.NoError(t, err)
	defer m.Close(t.Context())
	w.write("x", 1)
	require.NoError(t, m.Set([]config.Sink{of("a")}))
	w.eventually("it fails, and something waits", func() bool {
		s := m.Status()[0]
		return s.State == sink.StateFailing && s.Lag > 0 && s.OldestAge > 0
	})
}

// TestEventsOfAFailureDoNotFeedThemselves moves the clock, so that a failure
// lasts for hours, over and over again.
func TestEventsOfAFailureDoNotFeedThemselves(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	var shift atomic.Int64
	w.close()
	w.now = func() time.Time { return start.Add(time.Duration(shift.Load())).Add(time.Since(start)) }
	w.manage()
	r := w.receiver("a")
	w.set(of("a"))
	w.write("x", 1)
	w.eventually("it begins", func() bool { return len(r.exchanges()) == 1 })
	r.do(func([]sink.Entry) (int, error) {
		shift.Add(int64(5 * time.Second))
		return 0, &sink.Later{After: time.Millisecond, Err: errDown}
	})
	w.write("y", 1)
	w.eventually("it has failed often", func() bool { return w.status("a").Errors > 100 })
	r.do(nil)
	w.eventually("it recovers", func() bool { return slices.Contains(r.events(), sink.KindRecovered) })
	require.Equal(t, []string{sink.KindFailing, sink.KindRecovered}, r.events())
}

func TestRefusedRecordsAreSetAside(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	bad := func(id string) bool { return strings.HasSuffix(id, "3") }
	r.do(func(entries []sink.Entry) (int, error) {
		for i, e := range entries {
			if bad(e.Record.ID) {
				return i, &sink.Refused{Reason: "too odd"}
			}
		}
		return len(entries), nil
	})
	w.set(of("a"))
	ids := w.write("x", 20)
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	require.Equal(t, slices.DeleteFunc(slices.Clone(ids), bad), r.exchanges())
	letters, err := w.m.Letters("a")
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, "too odd", letters[0].Reason)
	s := w.status("a")
	require.Equal(t, 2, s.DeadLetters)
	require.EqualValues(t, 2, s.Refused)
	require.Equal(t, sink.StateRunning, s.State)
	kept, err := os.ReadFile(filepath.Join(w.dir, "a.dead.jsonl"))
	require.NoError(t, err)
	require.NotContains(t, string(kept), "x-0003", "by reference only")

	// They are still there after a restart, and one is taken then.
	w.close()
	w.manage()
	w.set(of("a"))
	bad = func(id string) bool { return strings.HasSuffix(id, "13") }
	_, err = w.m.RetryLetters("a", "root")
	require.NoError(t, err)
	w.eventually("the replay is done", func() bool { return w.status("a").Replays[0].State == sink.ReplayDone })
	letters, err = w.m.Letters("a")
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, 2, letters[0].Tries)
	require.Contains(t, r.exchanges(), "x-0003")
	_, err = w.m.Letters("b")
	require.ErrorIs(t, err, sink.ErrNoSink)
}

func TestReplayGoesBesideWhatIsNew(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	w.set(of("a"))
	first := w.write("first", 30)
	cut := time.Now()
	second := w.write("second", 30)
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	mark := w.status("a").Mark

	for _, tc := range []struct {
		name string
		r    audit.Range
		want []string
	}{
		{"by time", audit.Range{From: cut}, second},
		{"by time, to", audit.Range{To: cut}, first},
		{"by sequence", audit.Range{First: 1, Last: 1 + 2*10}, first[:10]},
		{"all", audit.Range{}, append(slices.Clone(first), second...)},
		{"none", audit.Range{From: time.Now().Add(time.Hour)}, []string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was := len(r.exchanges())
			_, err := w.m.Replay("a", tc.r, "root")
			require.NoError(t, err)
			w.eventually("the replay is done", func() bool { return w.status("a").Replays[0].State == sink.ReplayDone })
			require.Equal(t, tc.want, r.exchanges()[was:])
			require.EqualValues(t, len(tc.want), w.status("a").Replays[0].Sent)
			require.Equal(t, mark, w.status("a").Mark)
		})
	}
	was := len(r.exchanges())
	_, err := w.m.Replay("a", audit.Range{}, "root")
	require.NoError(t, err)
	w.write("meanwhile", 30)
	w.eventually("both are through", func() bool {
		return w.status("a").Lag == 0 && w.status("a").Replays[0].State == sink.ReplayDone
	})
	got := unique(r.exchanges()[was:])
	require.Len(t, got, 90)

	_, err = w.m.Replay("a", audit.Range{First: 2, Last: 1}, "root")
	require.ErrorIs(t, err, sink.ErrRange)
	_, err = w.m.Replay("b", audit.Range{}, "root")
	require.ErrorIs(t, err, sink.ErrNoSink)
}

func TestSinksChangeWhileTheyRun(t *testing.T) {
	w := newWorld(t)
	w.set(of("a"), of("b"))
	w.write("one", 5)
	w.eventually("both have them", func() bool { return w.status("a").Lag+w.status("b").Lag == 0 })
	w.set(of("b", func(c *config.Sink) { c.Filter.Kinds = []string{"CreateEndpoint"} }))
	require.True(t, w.receiver("a").closed)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "a.s3.json"), []byte("{}"), 0o600))
	require.Equal(t, []string{"a"}, w.m.Forgotten(), "the target's own file is no sink")
	w.write("two", 5)
	require.NoError(t, w.trail.Event(&audit.Event{Kind: "CreateEndpoint"}))
	w.eventually("b has the event only", func() bool { return len(w.receiver("b").events()) == 1 && w.status("b").Lag == 0 })
	require.Len(t, w.receiver("b").exchanges(), 5)
	// The mark of a was kept.
	w.set(of("a", func(c *config.Sink) { c.Start = config.SinkStartNow }), of("b"))
	w.eventually("a went on", func() bool { return len(w.receiver("a").exchanges()) == 10 && w.status("a").Lag == 0 })
	require.Len(t, unique(w.receiver("a").exchanges()), 10)
}

func TestBodiesAndFilterOfASink(t *testing.T) {
	w := newWorld(t)
	w.set(
		of("none", func(c *config.Sink) { c.Bodies = audit.BodiesNone }),
		of("short", func(c *config.Sink) { c.BodyBytes = 7 }),
		of("redacted", func(c *config.Sink) { c.Bodies = audit.BodiesRedacted }),
		of("bob", func(c *config.Sink) { c.Filter.Users = []string{"bob"} }),
		of("alice", func(c *config.Sink) {
			c.Filter = config.SinkFilter{Users: []string{"alice"}, Organizations: alice.Organizations, Endpoints: []string{"chat", "x"},
				Providers: []string{"openai"}, Results: []string{"answered"}, Kinds: []string{audit.KindAccessEndpoint}}
		}),
	)
	w.write("x", 1)
	w.eventually("all are through", func() bool {
		return !slices.ContainsFunc(w.m.Status(), func(s sink.Status) bool { return s.Lag > 0 })
	})
	line := func(name string) (out map[string]any) {
		require.Len(t, w.receiver(name).lines, 1)
		require.NoError(t, json.Unmarshal([]byte(w.receiver(name).lines[0]), &out))
		return out
	}
	require.NotContains(t, line("none"), "requestBody")
	require.Equal(t, `{"q":"x`, line("short")["requestBody"])
	require.Equal(t, true, line("short")["requestTruncated"])
	require.Equal(t, audit.MarkUnredacted, line("redacted")["requestBody"], "there is no redactor")
	require.Equal(t, `{"q":"x-0000"}`, line("alice")["requestBody"])
	require.Empty(t, w.receiver("bob").lines)
	for _, s := range w.m.Status() {
		require.NotZero(t, s.Mark, s.Name)
	}
}

func TestAnEndSendsWhatThereIs(t *testing.T) {
	w := newWorld(t)
	w.set(of("a", func(c *config.Sink) { c.Batch.Age = time.Hour }), of("down"))
	w.receiver("down").do(down)
	ids := w.write("x", 100)
	began := time.Now()
	w.close()
	require.Less(t, time.Since(began), 30*time.Second, "nobody waits for a sink that fails, as long as the end may take")
	require.Equal(t, ids, w.receiver("a").exchanges())
	require.True(t, w.receiver("a").closed)
	w.receiver("down").do(nil)
	w.manage()
	w.set(of("a"), of("down"))
	more := w.write("y", 1)
	w.eventually("all are through", func() bool {
		return len(w.receiver("a").exchanges()) == 101 && len(w.receiver("down").exchanges()) == 101
	})
	require.Equal(t, append(ids, more...), w.receiver("a").exchanges(), "none twice after an orderly end")
}

func TestAMarkThatTheTrailDoesNotHave(t *testing.T) {
	w := newWorld(t)
	w.set(of("a"))
	w.write("x", 10)
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	w.close()
	// The trail is restored from a copy that is older, and goes on.
	w.trail = openTrail(t, audit.Options{Dir: t.TempDir()})
	w.write("other", 3)
	w.manage()
	w.set(of("a"))
	w.write("more", 2)
	w.eventually("it goes on", func() bool { return slices.Contains(w.receiver("a").events(), sink.KindMarkLost) })
	require.Len(t, unique(w.receiver("a").exchanges()), 15)
	require.Contains(t, w.status("a").Notes[0], "does not have the place")
}

// forgetful is a receiver that can lose what it had.
type forgetful struct {
	receiver
	lost *sink.Lost
}

func (f *forgetful) Check(_ context.Context, confirmed uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost != nil && confirmed > f.lost.After {
		return f.lost
	}
	return nil
}

func TestAReceiverThatLostRecordsGetsThemAgain(t *testing.T) {
	w := newWorld(t)
	f := &forgetful{}
	m, err := sink.New(sink.Options{Dir: t.TempDir(), Trail: w.trail, Open: func(*config.Sink) (sink.Target, error) { return f, nil }})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close(context.Background()) })
	require.NoError(t, m.Set([]config.Sink{of("a")}))
	ids := w.write("x", 20)
	w.eventually("it is through", func() bool { return len(f.exchanges()) == 20 })
	f.mu.Lock()
	f.lost = &sink.Lost{After: f.got[9].EndSequence, Reason: "it was started anew"}
	f.got = f.got[:10]
	f.deliver = func(e []sink.Entry) (int, error) {
		f.deliver = nil
		return 0, f.lost
	}
	f.mu.Unlock()
	ids = append(ids, w.write("y", 1)...)
	w.eventually("it has all again", func() bool { return len(f.exchanges()) == 21 })
	require.Equal(t, ids, f.exchanges())
	require.Contains(t, f.events(), sink.KindReceiverLost)
}

// TestAReceiverThatLosesAgainWhileItIsSent: it is emptied twice before it takes
// anything, the second time of more.
func TestAReceiverThatLosesAgainWhileItIsSent(t *testing.T) {
	for name, second := range map[string]int{"the same": 10, "more": 4, "less": 14} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.set(of("a"))
			f := w.receiver("a")
			ids := w.write("x", 20)
			w.eventually("it is through", func() bool { return len(f.exchanges()) == 20 })
			f.mu.Lock()
			first, then := f.got[9].EndSequence, f.got[second-1].EndSequence
			f.got = f.got[:min(10, second)]
			calls := 0
			f.deliver = func(e []sink.Entry) (int, error) {
				switch calls++; calls {
				case 1:
					return 0, &sink.Lost{After: first, Reason: "it was emptied"}
				case 2:
					return 0, &sink.Lost{After: then, Reason: "it was emptied again"}
				}
				return len(e), nil
			}
			f.mu.Unlock()
			ids = append(ids, w.write("y", 1)...)
			w.eventually("it has the last", func() bool { return slices.Contains(f.exchanges(), "y-0000") })
			require.Equal(t, ids, unique(f.exchanges()))
		})
	}
}

// TestABrokenSinkBeginsAnew: a panic stays in the sink, and costs no record.
func TestABrokenSinkBeginsAnew(t *testing.T) {
	w := newWorld(t)
	w.receiver("a").do(func([]sink.Entry) (int, error) {
		w.receiver("a").deliver = nil
		panic("a record's words")
	})
	w.set(of("a"))
	ids := w.write("x", 20)
	w.eventually("it is through", func() bool { return len(unique(w.receiver("a").exchanges())) == 20 })
	require.Equal(t, ids, unique(w.receiver("a").exchanges()))
	require.Contains(t, w.status("a").LastError, "broke down")
}

// TestNothingIsLostWhateverFails has a receiver that fails, takes parts and
// refuses at random, under load, and a manager that is started again and again.
func TestNothingIsLostWhateverFails(t *testing.T) {
	w := newWorld(t)
	r := w.receiver("a")
	r.do(func(entries []sink.Entry) (int, error) {
		n := rand.IntN(len(entries) + 1)
		switch rand.IntN(4) {
		case 0:
			return n, &sink.Later{After: time.Millisecond, Err: errDown}
		case 1:
			return 0, &sink.Later{After: time.Millisecond, Err: fmt.Errorf("after it was sent: %w", errDown)}
		}
		return len(entries), nil
	})
	done := make(chan []string)
	go func() {
		var ids []string
		for n := range 40 {
			ids = append(ids, w.write(fmt.Sprint("load", n), 50)...)
		}
		done <- ids
	}()
	var ids []string
	for ids == nil {
		w.set(of("a", func(c *config.Sink) { c.Batch.Records = 1 + rand.IntN(100) }))
		select {
		case ids = <-done:
		case <-time.After(50 * time.Millisecond):
		}
		if rand.IntN(2) == 0 {
			w.close()
			w.manage()
		}
	}
	w.set(of("a"))
	w.eventually("it is through", func() bool { return w.status("a").Lag == 0 })
	require.Equal(t, ids, unique(r.exchanges()))
}
