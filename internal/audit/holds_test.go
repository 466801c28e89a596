package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func hold(name, from, to string) audit.Hold {
	return audit.Hold{Name: name, From: from, To: to, Reason: "case 4711", Created: noon, By: "root"}
}

func TestHolds(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir})
	require.NoError(t, err)
	for _, bad := range []audit.Hold{
		hold("", "2026-03-10", ""), hold("a/b", "2026-03-10", ""), hold("a", "10.3.2026", ""), hold("a", "", ""),
		hold("a", "2026-03-10", "x"), hold("a", "2026-03-10", "2026-03-09"), {Name: "a", From: "2026-03-10"},
	} {
		require.ErrorIs(t, trail.AddHold(bad, nil), audit.ErrBadHold, "%+v", bad)
	}
	require.NoError(t, trail.AddHold(hold("b", "2026-03-10", "2026-03-10"), nil))
	require.NoError(t, trail.AddHold(hold("a", "2026-03-10", ""), nil))
	require.ErrorIs(t, trail.AddHold(hold("a", "2026-03-11", ""), nil), audit.ErrHoldExists)
	want := []audit.Hold{hold("a", "2026-03-10", ""), hold("b", "2026-03-10", "2026-03-10")}
	require.Equal(t, want, trail.Holds())
	require.NoError(t, trail.Close())

	info, err := os.Stat(filepath.Join(dir, audit.HoldsFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	list, err := audit.ReadHolds(dir)
	require.NoError(t, err)
	require.Equal(t, want, list)

	trail = openTrail(t, audit.Options{Dir: dir})
	require.NoError(t, trail.RemoveHold("a", nil))
	require.ErrorIs(t, trail.RemoveHold("a", nil), audit.ErrNoHold)
	require.Equal(t, want[1:], trail.Holds())
}

// TestHoldKeepsPartitions: partitions around held ones are dropped, what is
// left is verified, read, followed and recovered, and goes when the hold does.
func TestHoldKeepsPartitions(t *testing.T) {
	c := newClock(noon) // 2026-03-10
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 2}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.AddHold(hold("case", "2026-03-11", "2026-03-11"), nil))
	require.NoError(t, trail.AddHold(hold("other", "2026-03-13", "2026-03-14"), nil))
	days := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return slices.Equal(logs(t, opts.Dir), want) }, time.Minute, 10*time.Millisecond)
		require.Equal(t, want, logs(t, opts.Dir))
	}
	turn := func(day int) { // ends the exchange of the day before, and leaves another one under way
		record(t, trail, name("d", day))
		if day > 0 {
			require.NoError(t, trail.End(name("across", day-1), answered(), []byte("answered")))
		}
		require.NoError(t, trail.Begin(exchange(name("across", day)), []byte("asked")))
		c.Add(24 * time.Hour)
	}
	for day := range 12 {
		turn(day)
	}
	left := []string{"2026-03-11", "2026-03-13", "2026-03-14", "2026-03-20", "2026-03-21", "2026-03-22"}
	want := []string{
		"across-0000", "d-0001", "across-0002", "d-0003", "across-0003", "d-0004",
		"across-0009", "d-0010", "across-0010", "d-0011",
	}
	check := func(trail *audit.Trail) {
		t.Helper()
		days(left...)
		all := query(t, trail, audit.Filter{Results: []string{audit.ResultAnswered}})
		require.ElementsMatch(t, want, ids(all))
		verified(t, trail)
		verifiedDir(t, opts.Dir)
		f, err := trail.Follow(audit.Mark{}, 1000)
		require.NoError(t, err)
		defer f.Close()
		seen := 0
		for {
			ended, _, err := f.Next(ctx, 10)
			require.NoError(t, err)
			if len(ended) == 0 {
				break
			}
			for _, e := range ended {
				if e.Outcome != nil {
					seen++
				}
			}
		}
		require.GreaterOrEqual(t, seen, len(want))
		reader, err := trail.Reader(audit.Mark{})
		require.NoError(t, err)
		defer reader.Close()
		var read []string
		for reader.Behind() > 0 {
			records, err := reader.Ready(ctx, 10, 1<<20)
			require.NoError(t, err)
			for _, r := range records {
				if r.Outcome != nil && r.Outcome.Result == audit.ResultAnswered {
					read = append(read, r.ID)
				}
			}
		}
		require.ElementsMatch(t, want, read)
	}
	check(trail)
	r, err := trail.Get(ctx, "across-0011")
	require.NoError(t, err)
	require.Nil(t, r.Outcome) // under way
	require.NoError(t, trail.Close())
	verifiedDir(t, opts.Dir)

	t.Run("opened again", func(t *testing.T) {
		trail, err = audit.Open(opts)
		require.NoError(t, err)
		check(trail)
	})
	t.Run("indexes lost", func(t *testing.T) {
		require.NoError(t, trail.Close())
		dbs, err := filepath.Glob(filepath.Join(opts.Dir, "*.db"))
		require.NoError(t, err)
		for _, db := range dbs {
			require.NoError(t, os.Remove(db))
		}
		require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, "2026-03-12.db"), nil, 0o600)) // a crash left it
		trail, err = audit.Open(opts)
		require.NoError(t, err)
		require.NoFileExists(t, filepath.Join(opts.Dir, "2026-03-12.db"))
		check(trail)
	})
	t.Run("killed", func(t *testing.T) {
		audit.CrashFiles(trail)
		verifiedDir(t, opts.Dir)
		trail, err = audit.Open(opts)
		require.NoError(t, err)
		check(trail)
	})
	t.Run("taken away", func(t *testing.T) {
		require.NoError(t, trail.Close())
		for _, file := range left[:5] {
			path := filepath.Join(opts.Dir, file+".log")
			require.NoError(t, os.Rename(path, path+".away"))
			report, err := audit.VerifyDir(ctx, opts.Dir)
			require.NoError(t, err)
			require.Error(t, report.Err(), file)
			t.Log(report.Err())
			require.NoError(t, os.Rename(path+".away", path))
		}
		verifiedDir(t, opts.Dir)
		trail, err = audit.Open(opts)
		require.NoError(t, err)
	})
	t.Run("lifted", func(t *testing.T) {
		require.NoError(t, trail.RemoveHold("other", nil))
		days("2026-03-11", "2026-03-20", "2026-03-21", "2026-03-22")
		verified(t, trail)
		c.Add(24 * time.Hour)
		days("2026-03-11", "2026-03-21", "2026-03-22", "2026-03-23")
		verified(t, trail)
		require.NoError(t, trail.RemoveHold("case", nil))
		days("2026-03-21", "2026-03-22", "2026-03-23")
		verified(t, trail)
		require.NoError(t, trail.Close())
		verifiedDir(t, opts.Dir)
	})
}

// TestLostPartition: a partition that somebody took away is found, and told of
// when retention passes it; it does not spoil the trail for ever.
func TestLostPartition(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 2}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	for day := range 2 {
		record(t, trail, name("d", day))
		c.Add(24 * time.Hour)
	}
	record(t, trail, "today")
	require.NoError(t, trail.Close())
	require.NoError(t, os.Remove(filepath.Join(opts.Dir, "2026-03-10.log")))
	report, err := audit.VerifyDir(ctx, opts.Dir)
	require.NoError(t, err)
	require.ErrorContains(t, report.Err(), "no retention removed them")

	c.Add(2 * 24 * time.Hour)
	trail = openTrail(t, opts)
	require.Equal(t, []string{"2026-03-12", "2026-03-14"}, logs(t, opts.Dir))
	report, err = trail.Verify(ctx)
	require.NoError(t, err)
	require.Nil(t, report.Problem)
	require.ErrorContains(t, report.Err(), "were missing")
	c.Add(3 * 24 * time.Hour)
	require.Eventually(t, func() bool { return len(logs(t, opts.Dir)) == 1 }, time.Minute, 10*time.Millisecond)
	verified(t, trail)
}
