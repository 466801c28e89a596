package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
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

// TestEveryEditIsFound changes segments at random in every way that the report
// has to find, and checks that the place it names is not behind the edit.
func TestEveryEditIsFound(t *testing.T) {
	origin := threeDays(t)
	segments, err := filepath.Glob(filepath.Join(origin, "*.log"))
	require.NoError(t, err)
	require.Len(t, segments, 3)
	rounds := 1000
	if testing.Short() {
		rounds = 300
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	for round := range rounds {
		n := random.IntN(3)
		data, err := os.ReadFile(segments[n])
		require.NoError(t, err)
		edited, what := edit(t, random, bytes.Clone(data))
		if bytes.Equal(edited, data) {
			continue
		}
		at := 0 // the first change
		for at < len(edited) && at < len(data) && edited[at] == data[at] {
			at++
		}
		require.NoError(t, os.WriteFile(segments[n], edited, 0o600))
		report, err := audit.VerifyDir(ctx, origin)
		require.NoError(t, err)
		if report.Err() == nil || report.Problem == nil {
			t.Fatalf("round %d: not found in %s: %s", round, filepath.Base(segments[n]), what)
		}
		if report.Problem.File == filepath.Base(segments[n]) {
			require.LessOrEqual(t, report.Problem.Offset, int64(at), what)
		}
		require.NoError(t, os.WriteFile(segments[n], data, 0o600))
	}
	verifiedDir(t, origin)
}

// edit changes data in a random way.
func edit(t *testing.T, random *rand.Rand, data []byte) (edited []byte, what string) {
	offsets := frameOffsets(t, data)
	frames := len(offsets) - 1
	i := random.IntN(frames)
	from, to := offsets[i], offsets[i+1]
	switch random.IntN(8) {
	case 0, 1:
		at := random.IntN(len(data))
		data[at] ^= byte(1 + random.IntN(255))
		return data, fmt.Sprint("byte ", at)
	case 2:
		return append(data[:from:from], data[to:]...), fmt.Sprint("without frame ", i)
	case 3:
		j := random.IntN(frames)
		inserted := append(bytes.Clone(data[:from]), data[offsets[j]:offsets[j+1]]...)
		return append(inserted, data[from:]...), fmt.Sprintf("frame %d before %d", j, i)
	case 4:
		if i == frames-1 {
			i--
			from, to = offsets[i], offsets[i+1]
		}
		end := offsets[i+2]
		swapped := append(bytes.Clone(data[:from]), data[to:end]...)
		return append(append(swapped, data[from:to]...), data[end:]...), fmt.Sprint("swapped ", i)
	case 5:
		return data[:from], fmt.Sprint("cut before frame ", i)
	case 6:
		cut := random.IntN(len(data))
		return data[:cut], fmt.Sprint("cut at ", cut)
	}
	at := random.IntN(len(data) + 1)
	junk := make([]byte, 1+random.IntN(300))
	for i := range junk {
		junk[i] = byte(random.IntN(256))
	}
	return append(append(bytes.Clone(data[:at]), junk...), data[at:]...), fmt.Sprintf("%d bytes at %d", len(junk), at)
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
