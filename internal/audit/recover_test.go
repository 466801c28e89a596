package audit_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// copyDir copies a trail, so that one can be broken in many ways.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// frameOffsets returns where each frame of a segment starts, and its end.
func frameOffsets(t testing.TB, data []byte) []int {
	t.Helper()
	offsets := []int{0}
	for off := 0; off < len(data); {
		off += audit.HeaderSize + int(binary.LittleEndian.Uint32(data[off+8:])) + int(binary.LittleEndian.Uint32(data[off+12:]))
		offsets = append(offsets, off)
	}
	require.Equal(t, len(data), offsets[len(offsets)-1])
	return offsets
}

func segmentOf(t testing.TB, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	return logs[len(logs)-1]
}

func TestInterruptedExchangesAreEnded(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Begin(exchange("yesterday"), []byte("old")))
	c.Add(24 * time.Hour)
	record(t, trail, "whole")
	require.NoError(t, trail.Begin(exchange("today"), []byte("new")))
	audit.CrashFiles(trail)
	require.Equal(t, 2, verifiedDir(t, opts.Dir).UnderWay)

	c.Add(time.Hour)
	trail = openTrail(t, opts)
	for _, id := range []string{"yesterday", "today"} {
		r, err := trail.Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, audit.ResultInterrupted, r.Outcome.Result)
		require.Equal(t, c.Now(), r.Outcome.Time)
		require.EqualValues(t, audit.Unknown, r.Outcome.InputTokens)
		require.Len(t, r.RequestBody, 3)
	}
	require.Len(t, query(t, trail, audit.Filter{}), 3)
	require.Zero(t, verified(t, trail).UnderWay)
	require.ErrorIs(t, trail.End("today", answered(), nil), audit.ErrNotBegun)
}

func TestTornTailAtEveryByte(t *testing.T) {
	c := newClock(noon)
	origin := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: origin, Now: c.Now})
	require.NoError(t, err)
	record(t, trail, "kept")
	require.NoError(t, trail.Begin(&audit.Exchange{ID: "begun"}, nil)) // a small one: every byte is tried
	audit.CrashFiles(trail)
	// As a process that dies between two checkpoints leaves it: the head is
	// older than the last frame.
	whole, err := os.ReadFile(segmentOf(t, origin))
	require.NoError(t, err)
	offsets := frameOffsets(t, whole)
	last := offsets[len(offsets)-2]
	headOf := trailHead(t, whole, offsets, len(offsets)-3)
	require.NoError(t, os.WriteFile(filepath.Join(origin, "head.json"), headOf, 0o600))

	for size := last + 1; size < len(whole); size++ {
		if inside := size - last; inside > audit.HeaderSize+8 && size < len(whole)-8 && inside%times(5, 1) != 0 {
			continue // of the content each fifth byte, but with SLUICE_LONG
		}
		dir := copyDir(t, origin)
		require.NoError(t, os.Truncate(segmentOf(t, dir), int64(size)))
		if size%3 == 0 { // with the index, and without
			require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-10.db")))
		}
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.NoError(t, report.Err(), "a torn tail is no damage")
		require.EqualValues(t, size-last, report.TailBytes)

		trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
		require.NoError(t, err)
		records := query(t, trail, audit.Filter{})
		require.Len(t, records, 2)
		require.Equal(t, "kept", records[0].ID)
		require.Equal(t, audit.KindTailCut, records[1].Kind())
		aside, err := os.ReadFile(filepath.Join(dir, records[1].Event.Metadata["file"]))
		require.NoError(t, err)
		require.Equal(t, whole[last:size], aside)
		record(t, trail, "begun")
		verified(t, trail)
		require.NoError(t, trail.Close())
		verifiedDir(t, dir)
	}
}

// TestTornLastPages: what a power failure leaves at the end: pages of zeros, of
// garbage, or of what was there before.
func TestTornLastPages(t *testing.T) {
	c := newClock(noon)
	origin := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: origin, Now: c.Now})
	require.NoError(t, err)
	record(t, trail, "kept")
	require.NoError(t, trail.Begin(exchange("long"), nil))
	require.NoError(t, trail.End("long", answered(), randomBody(3<<20)))
	audit.CrashFiles(trail)
	whole, err := os.ReadFile(segmentOf(t, origin))
	require.NoError(t, err)
	offsets := frameOffsets(t, whole)
	last := offsets[len(offsets)-4] // the response half and its two pieces
	require.NoError(t, os.WriteFile(filepath.Join(origin, "head.json"), trailHead(t, whole, offsets, len(offsets)-5), 0o600))
	const page = 4096
	for name, fill := range map[string]func([]byte){
		"zeros":   func(p []byte) { clear(p) },
		"garbage": func(p []byte) { copy(p, randomBody(page)) },
		"old":     func(p []byte) { copy(p, whole[:min(len(p), offsets[3])]) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{last/page + 1, last/page + 200, (len(whole) - 1) / page} {
				dir := copyDir(t, origin)
				data := bytes.Clone(whole)
				for at := n * page; at < len(data); at += page {
					fill(data[at:min(at+page, len(data))])
				}
				require.NoError(t, os.WriteFile(segmentOf(t, dir), data, 0o600))
				require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-10.db"))) // a power failure: it is not trusted
				trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
				require.NoError(t, err)
				records := query(t, trail, audit.Filter{Except: []string{audit.KindTailCut}})
				require.Equal(t, []string{"kept", "long"}, ids(records), "%v %+v", n, records[len(records)-1].Event)
				require.Equal(t, audit.ResultInterrupted, records[1].Outcome.Result)
				require.Len(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindTailCut}}), 1)
				record(t, trail, "more")
				verified(t, trail)
				require.NoError(t, trail.Close())
			}
		})
	}
}

// TestClockStepsUnderLoad sets the clock back and forward over midnight while
// many write: nothing is lost, nothing twice, and the chain goes on.
func TestClockStepsUnderLoad(t *testing.T) {
	c := newClock(time.Date(2026, 3, 10, 23, 59, 0, 0, time.UTC))
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, trail.SetSigner(newSigner(1)))
	const writers, each = 8, 60
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			for n := range each {
				id := name(fmt.Sprint("w", w), n)
				if err := trail.Begin(exchange(id), []byte("q")); err != nil {
					t.Error(err)
				}
				if w == 0 && n%5 == 4 {
					// Forward by two minutes or a day, back by as much and by an hour.
					c.Add([]time.Duration{2 * time.Minute, -2 * time.Minute, 24 * time.Hour, -time.Hour, -23 * time.Hour, 2 * time.Hour}[n/5%6])
				}
				if err := trail.End(id, answered(), []byte("a")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	seen := map[string]int{}
	for _, r := range query(t, trail, audit.Filter{Except: []string{audit.KindCheckpoint}}) {
		seen[r.ID]++
	}
	require.Len(t, seen, writers*each)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
	require.NoError(t, verified(t, trail).Err())
	require.NoError(t, trail.Close())
	require.NoError(t, signedWith(t, dir, newSigner(1).Public()).Err())
	days, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.Greater(t, len(days), 1)
}

// trailHead builds the head file as it was after frame n of a segment.
func trailHead(t testing.TB, data []byte, offsets []int, n int) []byte {
	t.Helper()
	frame := data[offsets[n]:]
	return fmt.Appendf(nil, `{"sequence":%d,"hash":"%x","day":"2026-03-10","offset":%d,"clean":false}`,
		binary.LittleEndian.Uint64(frame[24:]), frame[104:136], offsets[n+1])
}

func TestLostRecordsAreTold(t *testing.T) {
	opts := audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "1")
	record(t, trail, "2")
	require.NoError(t, trail.Close())
	data, err := os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(segmentOf(t, opts.Dir), int64(frameOffsets(t, data)[3])))

	trail = openTrail(t, opts)
	record(t, trail, "3")
	report, err := trail.Verify(ctx)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), audit.ErrNotWhole)
	require.Nil(t, report.Problem)
	require.Len(t, report.Losses, 1)
	require.EqualValues(t, 4, report.Losses[0].FirstMissed)
	require.EqualValues(t, 5, report.Losses[0].LastMissed)
	require.Equal(t, "1", query(t, trail, audit.Filter{})[0].ID)
	require.Len(t, trail.Damaged(), 1)
}

func TestSegmentWithoutAStart(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Begin(exchange("1"), nil))
	audit.CrashFiles(trail)
	require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, "2026-03-11.log"), nil, 0o600))

	c.Add(24 * time.Hour)
	trail = openTrail(t, opts)
	record(t, trail, "2")
	require.Equal(t, []string{"1", "", "2"}, ids(query(t, trail, audit.Filter{})))
	verified(t, trail)
}

func TestIndexIsRebuilt(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	write := func(trail *audit.Trail, day int) {
		for i := range 20 {
			record(t, trail, name("d", day*100+i))
		}
		require.NoError(t, trail.Begin(exchange(name("late", day)), nil))
		c.Add(24 * time.Hour)
		require.NoError(t, trail.End(name("late", day), answered(), nil))
	}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	for day := range 3 {
		write(trail, day)
	}
	record(t, trail, "last")
	want := query(t, trail, audit.Filter{Bodies: true})
	require.Len(t, want, 64)
	require.NoError(t, trail.Close())

	for _, c := range []struct {
		name  string
		spoil func(path string, other []byte) error
	}{
		{"untouched", func(string, []byte) error { return nil }},
		{"removed", func(path string, _ []byte) error { return os.Remove(path) }},
		{"not a database", func(path string, _ []byte) error { return os.WriteFile(path, []byte("what is this, and why?"), 0o600) }},
		{"empty", func(path string, _ []byte) error { return os.Truncate(path, 0) }},
		{"of another segment", func(path string, other []byte) error { return os.WriteFile(path, other, 0o600) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyDir(t, opts.Dir)
			indexes, err := filepath.Glob(filepath.Join(dir, "*.db"))
			require.NoError(t, err)
			require.Len(t, indexes, 4)
			last, err := os.ReadFile(indexes[3])
			require.NoError(t, err)
			for _, path := range indexes {
				require.NoError(t, c.spoil(path, last))
			}
			trail := openTrail(t, audit.Options{Dir: dir, Now: opts.Now})
			require.Equal(t, want, query(t, trail, audit.Filter{Bodies: true}))
			record(t, trail, "more")
			require.Len(t, query(t, trail, audit.Filter{}), 65)
			verified(t, trail)
		})
	}
}

// TestRecoveredSaysHowItEnded: whether the process before closed the trail, and
// what it left under way.
func TestRecoveredSaysHowItEnded(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir})
	require.Equal(t, audit.Recovery{First: true, Orderly: true}, trail.Recovered())
	require.NoError(t, trail.Begin(exchange("one"), nil))
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)), "as after kill -9")
	require.NoError(t, trail.End("one", answered(), nil))
	require.NoError(t, trail.Close())

	trail = openTrail(t, audit.Options{Dir: dir})
	require.Equal(t, audit.Recovery{Orderly: true}, trail.Recovered())
	require.Equal(t, audit.Recovery{Interrupted: 1}, openTrail(t, audit.Options{Dir: copied}).Recovered())
}
