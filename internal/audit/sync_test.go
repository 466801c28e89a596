package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func roomyDisk() *disk {
	d := &disk{ahead: true}
	d.room.Store(1 << 30)
	return d
}

// TestSyncedBeforeItCounts: with fsync a record is on the disk when the call
// returns, and callers that come together share one sync.
func TestSyncedBeforeItCounts(t *testing.T) {
	d := roomyDisk()
	dir := t.TempDir()
	trail := openOn(t, d, audit.Options{Dir: dir, Sync: audit.SyncFsync})
	require.NoError(t, trail.Begin(exchange("1"), []byte("q")))
	require.Equal(t, fileSize(t, segmentOf(t, dir)), d.synced.Load())
	require.NoError(t, trail.End("1", answered(), nil))
	require.Equal(t, fileSize(t, segmentOf(t, dir)), d.synced.Load())
	before := trail.Stats()
	var done sync.WaitGroup
	for w := range 32 {
		done.Go(func() {
			for n := range 20 {
				record(t, trail, fmt.Sprintf("%d-%d", w, n))
			}
		})
	}
	done.Wait()
	after := trail.Stats()
	require.Less(t, after.Syncs-before.Syncs, (after.Frames-before.Frames)/2, "they share syncs")
	verified(t, trail)

	os := openOn(t, roomyDisk(), audit.Options{Dir: t.TempDir()})
	record(t, os, "1")
	require.Zero(t, os.Stats().Syncs)
	_, err := audit.Open(audit.Options{Dir: t.TempDir(), Sync: "always"})
	require.ErrorContains(t, err, "sync")
}

// TestFailedSync: nothing of what could not be got onto the disk is in the log,
// and the segment is opened anew before it is written again.
func TestFailedSync(t *testing.T) {
	for _, drops := range []bool{false, true} {
		t.Run(fmt.Sprint("drops ", drops), func(t *testing.T) {
			c := newClock(noon)
			d := roomyDisk()
			dir := t.TempDir()
			trail := openOn(t, d, audit.Options{Dir: dir, Sync: audit.SyncFsync, Now: c.Now})
			record(t, trail, "1")
			require.NoError(t, trail.Begin(exchange("2"), nil))
			size, opened := fileSize(t, segmentOf(t, dir)), d.opened.Load()
			d.drops.Store(drops)
			d.tired.Store(true)
			require.ErrorIs(t, trail.End("2", answered(), nil), audit.ErrUnwritable)
			require.Equal(t, size, fileSize(t, segmentOf(t, dir)))
			require.ErrorIs(t, trail.Begin(exchange("3"), nil), audit.ErrUnwritable)
			require.ErrorIs(t, trail.Healthy(), audit.ErrUnwritable)
			require.Greater(t, d.opened.Load(), opened)
			verified(t, trail)
			d.tired.Store(false)
			c.Add(time.Second) // it is not tried at every call
			require.NoError(t, trail.Healthy())
			require.NoError(t, trail.End("2", answered(), nil))
			record(t, trail, "3")
			require.Equal(t, []string{"1", "2", "3"}, ids(query(t, trail, audit.Filter{})))
			require.NoError(t, trail.Close())
			require.EqualValues(t, 3, verifiedDir(t, dir).Exchanges)
		})
	}
}

// TestFailedSyncBehindTheRequests: without fsync records counted before the disk
// had them. They are written again, if they are still there; if not the log is
// refused, and the next start tells.
func TestFailedSyncBehindTheRequests(t *testing.T) {
	c := newClock(noon)
	d := roomyDisk()
	dir := t.TempDir()
	trail := openOn(t, d, audit.Options{Dir: dir, Now: c.Now})
	record(t, trail, "1")
	audit.KeepHead(trail)
	record(t, trail, "2")
	d.tired.Store(true)
	audit.KeepHead(trail)
	require.ErrorIs(t, trail.Healthy(), audit.ErrUnwritable)
	require.ErrorIs(t, trail.Begin(exchange("no"), nil), audit.ErrUnwritable)
	d.tired.Store(false)
	c.Add(time.Second)
	require.NoError(t, trail.Healthy())
	require.Equal(t, fileSize(t, segmentOf(t, dir)), d.synced.Load(), "all is on the disk again")
	record(t, trail, "3")
	verified(t, trail)

	d.drops.Store(true)
	d.tired.Store(true)
	audit.KeepHead(trail)
	d.tired.Store(false)
	c.Add(time.Second)
	err := trail.Begin(exchange("no"), nil)
	require.ErrorIs(t, err, audit.ErrUnwritable)
	require.ErrorContains(t, err, "Start the gateway again")
	audit.CrashFiles(trail)
	trail = openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	require.Equal(t, []string{"1", "2", ""}, ids(query(t, trail, audit.Filter{})), "3 was not on the disk; it was cut off")
	record(t, trail, "4")
	verified(t, trail)
}

// TestFailedSyncOfAHold: the system tells once that it could not get something onto
// the disk. It tells whoever adds a hold: the segment is not trusted any more, and
// the hold stands.
func TestFailedSyncOfAHold(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		t.Run(fmt.Sprint("lasting ", lasting), func(t *testing.T) {
			c := newClock(noon)
			d := roomyDisk()
			dir := t.TempDir()
			trail := openOn(t, d, audit.Options{Dir: dir, Now: c.Now})
			record(t, trail, "1")
			opened := d.opened.Load()
			d.tired.Store(lasting)
			d.faint.Store(!lasting)
			require.NoError(t, trail.AddHold(hold("case", "2026-03-10", ""), nil))
			require.Greater(t, d.opened.Load(), opened, "the segment is opened anew")
			if lasting {
				require.ErrorIs(t, trail.Begin(exchange("no"), nil), audit.ErrUnwritable)
				d.tired.Store(false)
				c.Add(time.Second)
			}
			require.NoError(t, trail.Healthy())
			require.Equal(t, fileSize(t, segmentOf(t, dir)), d.synced.Load(), "all was written again")
			want := []audit.Hold{hold("case", "2026-03-10", "")}
			require.Equal(t, want, trail.Holds())
			record(t, trail, "2")
			audit.CrashFiles(trail)
			trail = openTrail(t, audit.Options{Dir: dir, Now: c.Now})
			require.Equal(t, want, trail.Holds())
			require.NoError(t, trail.RemoveHold("case", nil))
			verified(t, trail)
		})
	}
}

// BenchmarkSync measures what it takes until both halves of an exchange are
// written, in both modes, for one caller and for 32.
func BenchmarkSync(b *testing.B) {
	request, response := chatBody(1500), chatBody(600)
	for _, mode := range []string{audit.SyncOS, audit.SyncFsync} {
		for _, callers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d", mode, callers), func(b *testing.B) {
				dir := b.TempDir()
				if base := os.Getenv("SLUICE_AUDIT_BENCH_DIR"); base != "" {
					var err error
					dir, err = os.MkdirTemp(filepath.Clean(base), "sync-")
					require.NoError(b, err)
					defer os.RemoveAll(dir)
				}
				trail := openTrail(b, audit.Options{Dir: dir, Sync: mode})
				audit.StopIndexer(trail)
				took := make([][]time.Duration, callers)
				var n atomic.Int64
				var done sync.WaitGroup
				b.ResetTimer()
				for w := range callers {
					done.Go(func() {
						x, o := exchange(""), answered()
						for {
							i := n.Add(1)
							if i > int64(b.N) {
								return
							}
							x.ID = fmt.Sprintf("7c3e9f1a-%08x-4d52-9a11-0242ac120002", i)
							start := time.Now()
							if err := trail.Begin(x, request); err != nil {
								b.Error(err)
							}
							if err := trail.End(x.ID, o, response); err != nil {
								b.Error(err)
							}
							took[w] = append(took[w], time.Since(start))
						}
					})
				}
				done.Wait()
				b.StopTimer()
				all := slices.Concat(took...)
				slices.Sort(all)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
				b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
				s := trail.Stats()
				b.ReportMetric(float64(s.Frames)/float64(max(s.Syncs, 1)), "frames/sync")
			})
		}
	}
}
