package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// logs returns the days that have a segment.
func logs(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	days := []string{}
	for _, p := range paths {
		days = append(days, strings.TrimSuffix(filepath.Base(p), ".log"))
	}
	return days
}

func TestDayTurns(t *testing.T) {
	c := newClock(time.Date(2026, 3, 10, 23, 59, 59, 0, time.UTC))
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "before")
	require.NoError(t, trail.Begin(exchange("across"), []byte("asked yesterday")))
	c.Add(2 * time.Second)
	record(t, trail, "after")
	require.NoError(t, trail.End("across", answered(), []byte("answered today")))
	c.Add(-time.Hour) // the clock is set back: the partition stays
	record(t, trail, "back")
	require.Equal(t, []string{"2026-03-10", "2026-03-11"}, logs(t, opts.Dir))
	require.Equal(t, "2026-03-11", trail.Stats().Day)

	check := func(trail *audit.Trail) {
		all := query(t, trail, audit.Filter{})
		require.Equal(t, []string{"back", "before", "across", "after"}, ids(all))
		day := query(t, trail, audit.Filter{To: time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)})
		require.Equal(t, []string{"back", "before", "across"}, ids(day))
		r, err := trail.Get(ctx, "across")
		require.NoError(t, err)
		require.Equal(t, "asked yesterday", string(r.RequestBody))
		require.Equal(t, "answered today", string(r.ResponseBody))
		verified(t, trail)
	}
	check(trail)
	require.NoError(t, trail.Close())
	trail = openTrail(t, opts)
	require.Equal(t, "2026-03-11", trail.Stats().Day)
	check(trail)
}

func TestDayTurnsWithoutTraffic(t *testing.T) {
	c := newClock(noon)
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: c.Now})
	c.Add(24 * time.Hour)
	require.Eventually(t, func() bool { return trail.Stats().Day == "2026-03-11" }, time.Minute, 10*time.Millisecond)
	verified(t, trail)
}

func TestRetention(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 2}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Begin(exchange("long"), []byte("gone")))
	require.NoError(t, trail.Begin(exchange("lost"), nil))
	for day := range 6 {
		record(t, trail, name("d", day))
		query(t, trail, audit.Filter{})
		c.Add(24 * time.Hour)
	}
	record(t, trail, "today")
	want := []string{"2026-03-14", "2026-03-15", "2026-03-16"}
	require.Eventually(t, func() bool { return len(logs(t, opts.Dir)) == 3 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, want, logs(t, opts.Dir))
	dropped := query(t, trail, audit.Filter{Kinds: []string{audit.KindPartitionDropped}})
	require.Equal(t, "2026-03-13", dropped[len(dropped)-1].Event.TargetName)

	// Its request half was dropped while it was under way.
	require.NoError(t, trail.End("long", answered(), []byte("here")))
	r, err := trail.Get(ctx, "long")
	require.NoError(t, err)
	require.Equal(t, &audit.Exchange{ID: "long", Time: noon}, r.Exchange)
	require.Equal(t, "here", string(r.ResponseBody))
	verified(t, trail)
	audit.CrashFiles(trail)
	verifiedDir(t, opts.Dir)
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	r, err = trail.Get(ctx, "lost")
	require.NoError(t, err)
	require.Equal(t, audit.ResultInterrupted, r.Outcome.Result)
	require.Zero(t, verified(t, trail).UnderWay)
	require.NoError(t, trail.Close())
	verifiedDir(t, opts.Dir)

	c.Add(10 * 24 * time.Hour) // at Open
	trail = openTrail(t, opts)
	require.Equal(t, []string{"2026-03-26"}, logs(t, opts.Dir))
	require.Len(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindPartitionDropped}}), 3)
	verified(t, trail)

	t.Run("removed by hand", func(t *testing.T) {
		c.Add(24 * time.Hour)
		record(t, trail, "next")
		require.NoError(t, trail.Close())
		verifiedDir(t, opts.Dir)
		require.NoError(t, os.Remove(filepath.Join(opts.Dir, "2026-03-26.log")))
		report, err := audit.VerifyDir(ctx, opts.Dir)
		require.NoError(t, err)
		require.ErrorContains(t, report.Err(), "no retention removed them")
	})
}

func TestWithoutRetentionAllIsKept(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "x")
	require.NoError(t, trail.Close())
	c.Add(3000 * 24 * time.Hour)
	trail = openTrail(t, opts)
	require.Equal(t, 2, trail.Stats().Partitions)
	require.Equal(t, []string{"x"}, ids(query(t, trail, audit.Filter{})))
}

// TestRetentionWithinABatch: retention drops a record between the moments at which
// it was found and is handed on. Those behind it are handed on all the same.
func TestRetentionWithinABatch(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now, RetentionDays: 2})
	for day, id := range []string{"a", "b", "c"} {
		c.Set(noon.AddDate(0, 0, day))
		record(t, trail, id)
	}
	var seen []string
	err := trail.Query(ctx, audit.Filter{Text: []string{`{"q":`}, Bodies: true}, func(r *audit.Record) error {
		seen = append(seen, r.ID)
		if r.ID == "a" {
			c.Set(noon.AddDate(0, 0, 4))
			record(t, trail, "now")
			require.Eventually(t, func() bool { return len(logs(t, dir)) == 2 }, time.Minute, 10*time.Millisecond)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, seen)
}
