package ui_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/sink"
)

// sinks are what a test says.
type sinks struct {
	all       []sink.Status
	ranges    []audit.Range
	retried   []string
	cancelled []string
}

func (s *sinks) Status() []sink.Status { return s.all }
func (s *sinks) Forgotten() []string   { return []string{} }

func (s *sinks) Letters(name string) ([]sink.Letter, error) {
	if !slices.ContainsFunc(s.all, func(x sink.Status) bool { return x.Name == name }) {
		return nil, sink.ErrNoSink
	}
	return nil, nil
}

func (s *sinks) Replay(_ string, r audit.Range, _ string) (sink.Replay, error) {
	if !r.To.IsZero() && !r.To.After(r.From) {
		return sink.Replay{}, sink.ErrRange
	}
	s.ranges = append(s.ranges, r)
	return sink.Replay{ID: "r", State: sink.ReplayWaiting}, nil
}

func (s *sinks) RetryLetters(name, _ string) (sink.Replay, error) {
	s.retried = append(s.retried, name)
	return sink.Replay{ID: "r", Letters: true, State: sink.ReplayWaiting}, nil
}

func (s *sinks) CancelReplays(name string) ([]sink.Replay, error) {
	s.cancelled = append(s.cancelled, name)
	return []sink.Replay{{ID: "r", State: sink.ReplayCancelled}}, nil
}

func TestSinksAreShownAndReplayed(t *testing.T) {
	w := newWorld(t)
	w.sinks.all = []sink.Status{
		{Name: "siem", Type: "splunk_hec", Format: "ocsf", State: sink.StateFailing, Since: time.Now(), Lag: 1234, OldestAge: 95 * time.Second,
			LastError: "503 <b>busy</b>", DeadLetters: 7, Replays: []sink.Replay{{State: sink.ReplayRunning, Sent: 55, Error: "429"}}},
		{Name: "file", Type: "file", Format: "sluice", State: sink.StateRunning, Sent: 42},
	}
	w.get("root", "/ui/status").must(200).has("siem", "splunk_hec, ocsf", "1234", "95 s", "503 <b>busy</b>", "replay: 55 sent, fails: 429", "Cancel replay", "Send refused again", "Replay")
	w.get("eve", "/ui/status").must(403)

	const replay = "/ui/status/sinks/siem/replay"
	w.get("root", replay).must(200).has("Send records to siem again?")
	w.post("root", replay, url.Values{"from": {"yesterday"}}).must(422).has("Write a time such as")
	w.post("root", replay, url.Values{"from": {"2026-03-10T08:00:00Z"}, "to": {"2026-03-10T07:00:00Z"}}).must(422).has("The range ends before it begins")
	require.Empty(t, w.sinks.ranges)
	w.post("root", replay, url.Values{"from": {"2026-03-10T08:00:00Z"}, "to": {"2026-03-10T09:00:00Z"}}).leads("/ui/status")
	require.Equal(t, []audit.Range{{
		From: time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC),
	}}, w.sinks.ranges)
	w.post("root", "/ui/status/sinks/siem/retry", nil).leads("/ui/status")
	require.Equal(t, []string{"siem"}, w.sinks.retried)
	w.get("root", "/ui/status/sinks/siem/cancel").must(200).has("Cancel the replays of siem?")
	w.post("root", "/ui/status/sinks/siem/cancel", nil).leads("/ui/status")
	require.Equal(t, []string{"siem"}, w.sinks.cancelled)
	for _, user := range []string{"eve", "alice"} {
		w.post(user, replay, url.Values{"from": {"2026-03-10T08:00:00Z"}}).must(403)
		w.post(user, "/ui/status/sinks/siem/retry", nil).must(403)
		w.post(user, "/ui/status/sinks/siem/cancel", nil).must(403)
	}
	require.Len(t, w.sinks.ranges, 1)
}
