package audit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func TestExchangeIsKeptWhole(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: newClock(noon).Now})
	x, o := exchange("one"), answered()
	require.NoError(t, trail.Begin(x, []byte("request")))

	under := query(t, trail, audit.Filter{})
	require.Len(t, under, 1)
	require.Nil(t, under[0].Outcome, "it is under way")
	require.Equal(t, 1, trail.Stats().Open)

	require.NoError(t, trail.End("one", o, []byte("response")))
	r, err := trail.Get(ctx, "one")
	require.NoError(t, err)
	x.Time, o.Time = noon, noon
	require.Equal(t, x, r.Exchange)
	require.Equal(t, o, r.Outcome)
	require.Equal(t, "request", string(r.RequestBody))
	require.Equal(t, "response", string(r.ResponseBody))
	require.Equal(t, audit.KindAccessEndpoint, r.Kind())
	require.EqualValues(t, 2, r.Sequence)
	require.EqualValues(t, 3, r.EndSequence)
	require.Zero(t, trail.Stats().Open)

	report := verified(t, trail)
	require.EqualValues(t, 3, report.Frames)
	require.NoError(t, trail.Close())
	verifiedDir(t, dir)
}

func TestRefusalsAndEvents(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now})
	nobody := &audit.Exchange{ID: "who", Method: "POST", Path: "/v1/chat/completions", ClientAddr: "10.0.0.1:1"}
	require.NoError(t, trail.Refuse(nobody, nil, &audit.Outcome{Result: audit.ResultUnauthenticated, Status: 401, Code: "unknown_token"}))
	require.NoError(t, trail.Refuse(exchange("no"), []byte("may I"), denied()))
	event := &audit.Event{
		Kind: audit.KindUpdateEndpoint, By: bob, ClientAddr: "10.0.0.9:1", RequestID: "adm-1", TargetType: audit.TargetEndpoint,
		TargetID: "dddddddddddddddddddddddd", TargetName: "chat", EndpointType: "llm/v1/chat",
		Changes: []audit.Change{{"model", "gpt-4", "gpt-4o"}, {"openai_api_key", "changed", "changed"}}, Metadata: map[string]string{"a": "b"},
	}
	require.NoError(t, trail.Event(event))

	records := query(t, trail, audit.Filter{Bodies: true})
	require.Equal(t, []string{"who", "no", "adm-1"}, ids(records))
	require.Equal(t, audit.KindDenyEndpoint, records[0].Kind())
	require.Nil(t, records[0].Exchange.Caller)
	require.Equal(t, "may I", string(records[1].RequestBody))
	require.Equal(t, "not_permitted", records[1].Outcome.Code)
	event.Time = noon
	require.Equal(t, event, records[2].Event)
	require.Equal(t, audit.KindUpdateEndpoint, records[2].Kind())
	verified(t, trail)
}

func TestBodiesOfEveryKind(t *testing.T) {
	large := chatBody(30 << 20)
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"none", nil},
		{"empty object", []byte("{}")},
		{"not UTF-8", []byte("\xff\xfe\x00\xc3\x28 \xed\xa0\x80")},
		{"just under compression", []byte(strings.Repeat("x", 191))},
		{"compressed", []byte(strings.Repeat("y", 192))},
		{"1.5 KB", chatBody(1500)},
		{"just under zstd", chatBody(16<<10 - 1)},
		{"zstd", chatBody(100 << 10)},
		{"30 MB", large},
	} {
		for _, mode := range []string{audit.BodiesFull, audit.BodiesNone} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				dir := t.TempDir()
				trail := openTrail(t, audit.Options{Dir: dir, Bodies: mode})
				require.NoError(t, trail.Begin(exchange("x"), c.body))
				require.NoError(t, trail.End("x", answered(), c.body))
				r, err := trail.Get(ctx, "x")
				require.NoError(t, err)
				require.EqualValues(t, len(c.body), r.RequestBytes)
				require.EqualValues(t, len(c.body), r.ResponseBytes)
				want := c.body
				if mode == audit.BodiesNone {
					want = nil
				}
				require.Equal(t, string(want), string(r.RequestBody))
				require.Equal(t, string(want), string(r.ResponseBody))
				verified(t, trail)
				if mode == audit.BodiesNone {
					log, err := os.ReadFile(filepath.Join(dir, trail.Stats().Day+".log"))
					require.NoError(t, err)
					require.Less(t, len(log), 4096)
				}
			})
		}
	}
}

func TestRecordJSON(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now})
	require.NoError(t, trail.Begin(exchange("one"), []byte("\xff")))
	require.NoError(t, trail.End("one", answered(), []byte("fine")))
	r, err := trail.Get(ctx, "one")
	require.NoError(t, err)
	data, err := json.Marshal(r)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/record.json")
	require.NoError(t, err)
	require.JSONEq(t, strings.ReplaceAll(string(want), "TRAIL", trail.ID()), string(data))
	var back audit.Record
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, audit.Unstored(r), &back)
}

func TestWrongCalls(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	require.ErrorIs(t, trail.Begin(&audit.Exchange{}, nil), audit.ErrNoID)
	require.ErrorIs(t, trail.End("x", answered(), nil), audit.ErrNotBegun)
	require.NoError(t, trail.Begin(exchange("x"), nil))
	require.ErrorIs(t, trail.Begin(exchange("x"), nil), audit.ErrDuplicate)
	require.ErrorIs(t, trail.Refuse(exchange("x"), nil, denied()), audit.ErrDuplicate)
	require.NoError(t, trail.End("x", answered(), nil))
	require.ErrorIs(t, trail.End("x", answered(), nil), audit.ErrNotBegun)
	_, err := trail.Get(ctx, "y")
	require.ErrorIs(t, err, audit.ErrNotFound)
	require.NoError(t, trail.Healthy())
	verified(t, trail)

	require.NoError(t, trail.Close())
	require.ErrorIs(t, trail.Begin(exchange("z"), nil), audit.ErrClosed)
	require.ErrorIs(t, trail.Healthy(), audit.ErrClosed)
	require.ErrorIs(t, trail.Close(), audit.ErrClosed)
	require.ErrorIs(t, trail.Query(ctx, audit.Filter{}, nil), audit.ErrClosed)

	_, err = audit.Open(audit.Options{Dir: t.TempDir(), Bodies: "some"})
	require.ErrorContains(t, err, `bodies is "some"`)
}

func TestSecondOpenerIsRefused(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir})
	_, err := audit.Open(audit.Options{Dir: dir})
	require.ErrorIs(t, err, audit.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.NoError(t, trail.Close())
	openTrail(t, audit.Options{Dir: dir})
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	trail := openTrail(t, audit.Options{Dir: dir})
	record(t, trail, "x")
	query(t, trail, audit.Filter{})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), f.Name())
	}
}

func TestRemovedSegmentStopsTheTrail(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir})
	record(t, trail, "x")
	require.NoError(t, os.Remove(filepath.Join(dir, trail.Stats().Day+".log")))
	require.Eventually(t, func() bool { return trail.Healthy() != nil }, time.Minute, 20*time.Millisecond)
	require.ErrorIs(t, trail.Begin(exchange("y"), nil), audit.ErrUnwritable)
}
