package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
)

// fussy is a receiver that refuses what a test says, and fails when it is told to.
type fussy struct{ refuse, fail, failOld atomic.Bool }

func (f *fussy) Deliver(_ context.Context, entries []sink.Entry) (int, error) {
	for i, e := range entries {
		switch {
		case f.fail.Load(), f.failOld.Load() && e.Again:
			return i, errors.New("the receiver is down")
		case f.refuse.Load() && e.Record.ID == "odd":
			return i, &sink.Refused{Reason: "too odd"}
		}
	}
	return len(entries), nil
}

func (f *fussy) Close() error { return nil }

func TestSinksByREST(t *testing.T) {
	w := newWorld(t)
	f := &fussy{}
	f.refuse.Store(true)
	m, err := sink.New(sink.Options{Dir: t.TempDir(), Trail: w.trail.Trail, Open: func(*config.Sink) (sink.Target, error) { return f, nil }})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close(context.Background()) })
	w.serve(func(d *admin.Deps) { d.Sinks = m })
	require.NoError(t, m.Set([]config.Sink{{Name: "siem", Type: "file", Format: "sluice", Bodies: "full", BodyBytes: 1, Start: "oldest"}}))
	require.NoError(t, w.trail.Trail.Refuse(&audit.Exchange{ID: "odd"}, nil, &audit.Outcome{Result: audit.ResultRefused}))

	const all = "/api/sluice/v1/audit/sinks"
	var list api.SinkList
	look := func() api.Sink {
		r := w.as("eve", "GET", all, "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.NoError(t, json.Unmarshal([]byte(r.body), &list))
		require.Len(t, list.Sinks, 1)
		return list.Sinks[0]
	}
	eventually := func(f func() bool) { t.Helper(); require.Eventually(t, f, time.Minute, 10*time.Millisecond) }
	eventually(func() bool { return look().DeadLetters == 1 && look().Lag == 0 })
	require.Equal(t, "siem", list.Sinks[0].Name)
	require.Equal(t, api.SinkRunning, list.Sinks[0].State)

	var letters api.DeadLetterList
	r := w.as("eve", "GET", all+"/siem/dead-letters", "")
	require.NoError(t, json.Unmarshal([]byte(r.body), &letters))
	require.Equal(t, "too odd", letters.DeadLetters[0].Reason)
	require.Contains(t, w.as("root", "GET", "/api/sluice/v1/status", "").body, "The receiver of the sink siem refused 1 records for good")

	f.refuse.Store(false)
	require.Equal(t, http.StatusAccepted, w.as("root", "POST", all+"/siem/dead-letters/retry", "").status)
	eventually(func() bool { return look().DeadLetters == 0 })

	r = w.as("root", "POST", all+"/siem/replay", `{"firstSequence": 2, "lastSequence": 3}`)
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	eventually(func() bool { s := look(); return s.Replays[0].State == "done" && s.Lag == 0 })
	require.Equal(t, "root", list.Sinks[0].Replays[0].By)
	kinds := []string{}
	require.NoError(t, w.trail.Query(context.Background(), audit.Filter{Kinds: []string{sink.KindReplay, sink.KindRetryLetters}}, func(r *audit.Record) error {
		require.Equal(t, "siem", r.Event.TargetName)
		kinds = append(kinds, r.Event.Kind)
		return nil
	}))
	require.Equal(t, []string{sink.KindRetryLetters, sink.KindReplay}, kinds)

	for body, code := range map[string]string{
		`{}`: "missing_field", `{"firstSequence": 5, "lastSequence": 4}`: "invalid_parameter",
		`{"from": "2026-03-10T08:00:00Z", "to": "2026-03-10T08:00:00Z"}`: "invalid_parameter",
	} {
		r := w.as("root", "POST", all+"/siem/replay", body)
		require.Equal(t, http.StatusBadRequest, r.status, body)
		require.Contains(t, r.body, code)
	}
	for _, path := range []string{"/other/replay", "/other/dead-letters/retry"} {
		require.Equal(t, http.StatusNotFound, w.as("root", "POST", all+path, `{"firstSequence": 1}`).status)
	}
	require.Equal(t, http.StatusNotFound, w.as("root", "GET", all+"/other/dead-letters", "").status)
	require.Equal(t, http.StatusNotFound, w.as("root", "DELETE", all+"/other/replay", "").status)

	require.Contains(t, w.as("root", "DELETE", all+"/siem/replay", "").must(http.StatusNotFound).body, "No replay of this sink is under way.")
	f.failOld.Store(true)
	w.as("root", "POST", all+"/siem/replay", `{"firstSequence": 1}`).must(http.StatusAccepted)
	eventually(func() bool { return look().Replays[0].Error == "the receiver is down" })
	var ended api.ReplayList
	require.NoError(t, json.Unmarshal([]byte(w.as("root", "DELETE", all+"/siem/replay", "").must(http.StatusOK).body), &ended))
	require.Len(t, ended.Replays, 1)
	require.Equal(t, "cancelled", look().Replays[0].State)
	require.NoError(t, w.trail.Query(context.Background(), audit.Filter{Kinds: []string{sink.KindCancelReplay}}, func(r *audit.Record) error {
		require.Equal(t, ended.Replays[0].ID, r.Event.Metadata["replays"])
		kinds = append(kinds, r.Event.Kind)
		return nil
	}))
	require.Equal(t, []string{sink.KindRetryLetters, sink.KindReplay, sink.KindCancelReplay}, kinds)

	f.fail.Store(true)
	require.NoError(t, w.trail.Trail.Event(&audit.Event{Kind: "CreateUser"}))
	eventually(func() bool { return look().State == api.SinkFailing })
	require.Contains(t, w.as("root", "GET", "/api/sluice/v1/status", "").body, "The sink siem of the audit trail fails since")
}
