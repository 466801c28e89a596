package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// forgedFrames are events that are linked to each other, as a client may send
// them, with numbers from first on, and behind them bytes that keep the body from
// being compressed.
func forgedFrames(t *testing.T, dir string, n int, first uint64) []byte {
	t.Helper()
	data, err := os.ReadFile(segmentOf(t, dir))
	require.NoError(t, err)
	event := data[frameOffsets(t, data)[1]:]
	require.EqualValues(t, 5, event[4], "the first record is an event")
	var frames []byte
	prev := [32]byte(randomBody(32))
	for i := range n {
		var frame []byte
		frame, prev = audit.SealFrame(event, []byte(`{"kind":"Forged"}`), randomBody(200+i), first+uint64(i), prev)
		frames = append(frames, frame...)
	}
	return append(frames, randomBody(3000)...)
}

// TestLinkedFramesInsideABody: a client sends two events that are linked, with
// numbers that are not too far away, and the header of the record that holds them
// is damaged. They are not what the log goes on with.
func TestLinkedFramesInsideABody(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Event(&audit.Event{Kind: "StartGateway", TargetType: "gateway"}))
	record(t, trail, "first")
	body := forgedFrames(t, opts.Dir, 2, query(t, trail, audit.Filter{ID: "first"})[0].Sequence+40)
	require.NoError(t, trail.Begin(exchange("forger"), body))
	require.NoError(t, trail.End("forger", answered(), nil))
	for i := range 60 {
		record(t, trail, name("behind", i))
	}
	want := query(t, trail, audit.Filter{Except: []string{"StartGateway"}})
	require.NoError(t, trail.Close())
	data, err := os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	at := bytes.Index(data, body)
	require.Positive(t, at, "the body is kept as it is")
	offsets := frameOffsets(t, data)
	holder := offsets[slices.IndexFunc(offsets, func(o int) bool { return o > at })-1]
	for _, spoil := range []int{0, 5, 9, 13, 26, 50} {
		dir := copyDir(t, opts.Dir)
		spoilt := bytes.Clone(data)
		spoilt[holder+spoil] ^= 1
		require.NoError(t, os.WriteFile(segmentOf(t, dir), spoilt, 0o600))
		removeIndexes(t, dir)
		trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
		require.Empty(t, query(t, trail, audit.Filter{Kinds: []string{"Forged"}}), "byte %d", spoil)
		require.Empty(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindRecordsMissing, audit.KindTailCut}}), "byte %d", spoil)
		record(t, trail, "more")
		kept := query(t, trail, audit.Filter{Kinds: []string{audit.KindAccessEndpoint}, Except: []string{"Forged"}})
		behind := slices.DeleteFunc(kept, func(r *audit.Record) bool { return r.ID == "forger" || r.ID == "more" })
		require.Equal(t, places(slices.DeleteFunc(slices.Clone(want), func(r *audit.Record) bool { return r.ID == "forger" })), places(behind),
			"byte %d", spoil)
		require.NoError(t, trail.Close())
	}
}

// places are the ids of records and where they are in the trail.
func places(records []*audit.Record) (list []string) {
	for _, r := range records {
		list = append(list, r.ID+" "+r.RecordID)
	}
	return list
}

// TestFrameInsideATornRecord: what was cut off ends within a record of which the
// header is whole. A frame in its body is no record that was lost.
func TestFrameInsideATornRecord(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Event(&audit.Event{Kind: "StartGateway", TargetType: "gateway"}))
	record(t, trail, "first")
	want := places(query(t, trail, audit.Filter{}))
	body := forgedFrames(t, opts.Dir, 1, 1<<62)
	require.NoError(t, trail.Begin(exchange("forger"), body))
	audit.CrashFiles(trail)
	data, err := os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	at := bytes.Index(data, body)
	require.Positive(t, at, "the body is kept as it is")
	offsets := frameOffsets(t, data[:at+len(body)])
	last := len(offsets) - 2
	// The head may have told of the record: the disk had less.
	head := trailHead(t, data, offsets, last-1)
	require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, "head.json"), head, 0o600))
	require.NoError(t, os.Truncate(segmentOf(t, opts.Dir), int64(at+len(body)-100)))
	removeIndexes(t, opts.Dir)

	trail = openTrail(t, opts)
	require.Empty(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindRecordsMissing}}))
	require.Len(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindTailCut}}), 1)
	require.Equal(t, want, places(query(t, trail, audit.Filter{Except: []string{audit.KindTailCut}})))
	record(t, trail, "next")
	next := query(t, trail, audit.Filter{ID: "next"})[0]
	require.Less(t, next.Sequence, uint64(20))
	require.Contains(t, next.RecordID, trail.ID())
	verified(t, trail)
}
