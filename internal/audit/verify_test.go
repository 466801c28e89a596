package audit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// threeDays writes a trail of three partitions and closes it.
func threeDays(t testing.TB) string {
	t.Helper()
	c := newClock(noon)
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	for day := range 3 {
		for i := range 4 {
			record(t, trail, name("x", 10*day+i))
		}
		require.NoError(t, trail.Refuse(exchange(name("no", day)), chatBody(500), denied()))
		require.NoError(t, trail.Event(&audit.Event{Kind: "CreateUser", TargetName: name("u", day)}))
		require.NoError(t, trail.Begin(exchange(name("late", day)), chatBody(300)))
		if day < 2 {
			c.Add(24 * time.Hour)
		}
	}
	require.NoError(t, trail.Close())
	verifiedDir(t, dir)
	return dir
}

func TestRemovedFilesAreFound(t *testing.T) {
	origin := threeDays(t)
	for _, c := range []struct{ file, reason string }{
		{"2026-03-10.log", "the segment before it is missing or another|no retention removed them"},
		{"2026-03-11.log", "no retention removed them"},
		{"2026-03-12.log", "missing at the end"},
		{"head.json", "the head of the trail is missing"},
	} {
		t.Run(c.file, func(t *testing.T) {
			dir := copyDir(t, origin)
			require.NoError(t, os.Remove(filepath.Join(dir, c.file)))
			report, err := audit.VerifyDir(ctx, dir)
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), audit.ErrNotWhole)
			require.Regexp(t, c.reason, report.Problem.Reason)
		})
	}
	t.Run("an index", func(t *testing.T) {
		dir := copyDir(t, origin)
		require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-12.db")))
		verifiedDir(t, dir)
	})
	t.Run("the index is a second witness of the end", func(t *testing.T) {
		dir := copyDir(t, origin)
		data, err := os.ReadFile(segmentOf(t, dir))
		require.NoError(t, err)
		offsets := frameOffsets(t, data)
		n := len(offsets) - 3
		require.NoError(t, os.Truncate(segmentOf(t, dir), int64(offsets[n+1])))
		kept := bytes.ReplaceAll(trailHead(t, data, offsets, n), []byte("2026-03-10"), []byte("2026-03-12"))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "head.json"), kept, 0o600))
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.ErrorContains(t, report.Err(), "missing at the end")
	})
}

func TestReportNamesTheFirstBadRecord(t *testing.T) {
	dir := threeDays(t)
	path := filepath.Join(dir, "2026-03-11.log")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	offsets := frameOffsets(t, data)
	data[offsets[4]+audit.HeaderSize+9] ^= 1 // in the meta data of the fifth record
	require.NoError(t, os.WriteFile(path, data, 0o600))
	report, err := audit.VerifyDir(ctx, dir)
	require.NoError(t, err)
	first, err := os.ReadFile(filepath.Join(dir, "2026-03-10.log"))
	require.NoError(t, err)
	require.Equal(t, &audit.Problem{
		File: "2026-03-11.log", Offset: int64(offsets[4]), Sequence: uint64(len(frameOffsets(t, first)) - 1 + 5),
		Reason: "the content does not match its checksum",
	}, report.Problem)
}

// TestRunningTrailKnowsItsEnd: with the trail open, removing what was written
// last is found though head and index are removed as well.
func TestRunningTrailKnowsItsEnd(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: newClock(noon).Now})
	record(t, trail, "1")
	record(t, trail, "2")
	data, err := os.ReadFile(segmentOf(t, dir))
	require.NoError(t, err)
	offsets := frameOffsets(t, data)
	require.NoError(t, os.Truncate(segmentOf(t, dir), int64(offsets[3])))
	report, err := trail.Verify(ctx)
	require.NoError(t, err)
	require.ErrorContains(t, report.Err(), "missing at the end")
}

func TestTheSameIDTwiceIsFound(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	record(t, trail, "1")
	record(t, trail, "2")
	record(t, trail, "1")
	report, err := trail.Verify(ctx)
	require.NoError(t, err)
	require.ErrorContains(t, report.Err(), `"1" was recorded before`)
	require.EqualValues(t, 6, report.Problem.Sequence)
}

func TestVerifyHeedsItsContext(t *testing.T) {
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err := audit.VerifyDir(stopped, threeDays(t))
	require.ErrorIs(t, err, context.Canceled)
}
