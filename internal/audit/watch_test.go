package audit_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/audit"
)

// diskEvents are the states that the trail tells of, in order.
func diskEvents(t *testing.T, trail *audit.Trail) []string {
	t.Helper()
	states := []string{}
	for _, r := range query(t, trail, audit.Filter{Kinds: []string{audit.KindDiskLow, audit.KindDiskRecovered}}) {
		states = append(states, r.Event.Kind+" "+r.Event.Metadata["state"])
	}
	return states
}

func TestDiskWatch(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	var free atomic.Int64
	free.Store(50 << 30)
	trail := openTrail(t, audit.Options{
		Dir: t.TempDir(), Log: zap.New(core),
		DiskWarn: audit.DiskLimit{Bytes: 5 << 30, Share: 0.1}, DiskStop: audit.DiskLimit{Bytes: 1 << 30},
		DiskSpace: func(string) (audit.DiskSpace, error) {
			return audit.DiskSpace{Total: 100 << 30, Free: free.Load()}, nil
		},
	})
	becomes := func(free int64, state string) {
		t.Helper()
		require.Eventually(t, func() bool { d := trail.Disk(); return d.State == state && d.FreeBytes == free }, time.Minute, 10*time.Millisecond)
	}
	require.Equal(t, audit.Disk{State: audit.DiskOK, FreeBytes: 50 << 30, TotalBytes: 100 << 30, WarnBytes: 5 << 30, StopBytes: 1 << 30}, trail.Disk())
	record(t, trail, "1")
	require.NoError(t, trail.Begin(exchange("2"), nil))

	free.Store(4 << 30)
	becomes(4<<30, audit.DiskLow)
	record(t, trail, "3")
	free.Store(1<<30 - 1)
	becomes(1<<30-1, audit.DiskStopped)
	err := trail.Begin(exchange("4"), nil)
	require.ErrorIs(t, err, audit.ErrNoSpace)
	require.ErrorContains(t, err, "audit.disk.stop keeps 1024 MiB")
	require.ErrorIs(t, trail.Refuse(exchange("5"), nil, denied()), audit.ErrNoSpace)
	require.ErrorIs(t, trail.Healthy(), audit.ErrNoSpace)
	require.NoError(t, trail.Event(&audit.Event{Kind: "UpdateEndpoint"})) // an administrator makes room
	require.ErrorIs(t, trail.Healthy(), audit.ErrNoSpace)
	require.NoError(t, trail.End("2", answered(), nil))

	free.Store(1<<30 + 1<<20) // within the margin
	becomes(1<<30+1<<20, audit.DiskStopped)
	free.Store(2 << 30)
	becomes(2<<30, audit.DiskLow)
	require.NoError(t, trail.Healthy())
	record(t, trail, "6")
	free.Store(6 << 30)
	becomes(6<<30, audit.DiskOK)
	require.Eventually(t, func() bool { return len(diskEvents(t, trail)) == 4 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, []string{"TrailDiskLow low", "TrailDiskLow stopped", "TrailDiskRecovered low", "TrailDiskRecovered ok"}, diskEvents(t, trail))
	require.Equal(t, 2, logged.FilterMessage("the disk of the trail is running full").Len())
	verified(t, trail)
}

func TestDiskLimits(t *testing.T) {
	limits := func(warn, stop audit.DiskLimit, total int64) (int64, int64) {
		trail := openTrail(t, audit.Options{Dir: filepath.Join(t.TempDir(), "t"), DiskWarn: warn, DiskStop: stop,
			DiskSpace: func(string) (audit.DiskSpace, error) { return audit.DiskSpace{Total: total, Free: total}, nil }})
		return trail.Disk().WarnBytes, trail.Disk().StopBytes
	}
	warn, stop := limits(audit.DiskLimit{Bytes: 5000, Share: 0.1}, audit.DiskLimit{Share: 0.01}, 20000)
	require.Equal(t, []int64{2000, 200}, []int64{warn, stop})
	warn, stop = limits(audit.DiskLimit{Bytes: 5000, Share: 0.1}, audit.DiskLimit{Bytes: 7}, 1_000_000)
	require.Equal(t, []int64{5000, 7}, []int64{warn, stop})
	warn, stop = limits(audit.DiskLimit{}, audit.DiskLimit{}, 1_000_000)
	require.Equal(t, []int64{0, 0}, []int64{warn, stop})
}

// TestForecast: the disk lasts until the growth has eaten what is free, unless
// retention frees as much.
func TestForecast(t *testing.T) {
	c := newClock(noon)
	var free atomic.Int64
	free.Store(1 << 40)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 100,
		DiskSpace: func(string) (audit.DiskSpace, error) { return audit.DiskSpace{Total: 1 << 40, Free: free.Load()}, nil }}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.Equal(t, audit.Forecast{BytesPerDay: -1, DaysLeft: -1}, trail.Forecast())
	for day := range 5 {
		require.NoError(t, trail.Begin(exchange(name("d", day)), randomBody(1<<20)))
		c.Add(24 * time.Hour)
	}
	require.NoError(t, trail.Close())
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	f := trail.Forecast()
	require.InDelta(t, 1<<20, f.BytesPerDay, 200<<10)
	require.Equal(t, -1, f.DaysLeft) // a hundred days fit, and then retention drops as much
	require.NoError(t, trail.Close())

	free.Store(10 * f.BytesPerDay)
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	require.InDelta(t, 10, trail.Forecast().DaysLeft, 2)
	require.NoError(t, trail.Close())

	opts.RetentionDays = 5
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	require.Equal(t, -1, trail.Forecast().DaysLeft)
	require.NoError(t, trail.AddHold(hold("all", "2026-03-10", ""), nil)) // nothing is dropped any more
	require.InDelta(t, 10, trail.Forecast().DaysLeft, 2)
	require.NoError(t, trail.Close())
}
