package audit_test

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// disk is a disk that the test fills, breaks and mends.
type disk struct {
	room   atomic.Int64 // bytes of all segments together; writes beyond are cut off
	ahead  bool         // it can take room ahead
	broken atomic.Bool  // writes fail half-way
	stuck  atomic.Bool  // and can't be cut off
	tired  atomic.Bool  // what is written does not reach the disk
	drops  atomic.Bool  // and is gone then
	faint  atomic.Bool  // the next sync fails, and those behind it do not
	opened atomic.Int64 // files
	synced atomic.Int64 // how far the file that was synced last is on the disk
}

// onDisk is a file of such a disk. Room taken ahead counts.
type onDisk struct {
	audit.File
	disk  *disk
	taken int64
}

func (d *disk) open(path string, flag int) (audit.File, error) {
	f, err := audit.OpenDisk(path, flag)
	d.opened.Add(1)
	return &onDisk{File: f, disk: d}, err
}

func (f *onDisk) Preallocate(off, n int64) error {
	if !f.disk.ahead {
		return audit.ErrNoPreallocation
	}
	if off+n > f.disk.room.Load() {
		return syscall.ENOSPC
	}
	f.taken = max(f.taken, off+n)
	return nil
}

func (f *onDisk) WriteAt(b []byte, off int64) (int, error) {
	if f.disk.broken.Load() {
		n, _ := f.File.WriteAt(b[:len(b)/2], off)
		return n, syscall.EIO
	}
	if room := max(f.disk.room.Load(), f.taken) - off; room < int64(len(b)) {
		n, _ := f.File.WriteAt(b[:max(room, 0)], off)
		return n, syscall.ENOSPC
	}
	return f.File.WriteAt(b, off)
}

func (f *onDisk) Sync() error { return f.sync(f.File.Sync) }

func (f *onDisk) Datasync() error { return f.sync(f.File.Datasync) }

func (f *onDisk) sync(do func() error) error {
	info, err := f.File.Stat()
	if err != nil {
		return err
	}
	if f.disk.faint.CompareAndSwap(true, false) {
		return syscall.EIO
	}
	if !f.disk.tired.Load() {
		f.disk.synced.Store(info.Size())
		return do()
	}
	if lost := info.Size() - f.disk.synced.Load(); f.disk.drops.Load() && lost > 0 {
		if _, err := f.File.WriteAt(make([]byte, lost), f.disk.synced.Load()); err != nil {
			return err
		}
	}
	return syscall.EIO
}

func (f *onDisk) Truncate(size int64) error {
	if f.disk.stuck.Load() {
		return syscall.EROFS
	}
	f.taken = size
	return f.File.Truncate(size)
}

func openOn(t *testing.T, d *disk, opts audit.Options) *audit.Trail {
	t.Helper()
	trail, err := audit.OpenWith(opts, d.open)
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	return trail
}

// fillUp begins exchanges until the disk has no room.
func fillUp(t *testing.T, trail *audit.Trail) []string {
	t.Helper()
	var begun []string
	for n := 0; ; n++ {
		id := name("f", n)
		err := trail.Begin(exchange(id), randomBody(20<<10))
		if err != nil {
			require.ErrorIs(t, err, audit.ErrNoSpace)
			require.ErrorIs(t, trail.Healthy(), audit.ErrNoSpace)
			require.ErrorIs(t, trail.Refuse(exchange("no"), randomBody(100<<10), denied()), audit.ErrNoSpace)
			return begun
		}
		begun = append(begun, id)
	}
}

// TestFullDisk: what was accepted can be ended though the disk is full, what
// was not leaves nothing behind, and all goes on when there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{ahead: true}
	d.room.Store(4 << 20)
	trail := openOn(t, d, audit.Options{Dir: dir})
	begun := fillUp(t, trail)
	require.Greater(t, len(begun), 10)
	verified(t, trail)
	for i, id := range begun {
		require.NoError(t, trail.End(id, answered(), randomBody(i*400)))
	}
	require.Equal(t, begun, ids(query(t, trail, audit.Filter{Results: []string{audit.ResultAnswered}})))
	verified(t, trail)

	d.room.Store(64 << 20)
	require.NoError(t, trail.Healthy())
	record(t, trail, "again")
	require.NoError(t, trail.Close())
	verifiedDir(t, dir)
}

// TestFullDiskAndALargeAnswer: an answer that does not fit is an error, after
// which the outcome alone still fits.
func TestFullDiskAndALargeAnswer(t *testing.T) {
	d := &disk{ahead: true}
	d.room.Store(4 << 20)
	trail := openOn(t, d, audit.Options{Dir: t.TempDir()})
	begun := fillUp(t, trail)
	for _, id := range begun {
		require.ErrorIs(t, trail.End(id, answered(), randomBody(6<<20)), audit.ErrNoSpace)
	}
	for _, id := range begun {
		o := answered()
		o.Result, o.Status, o.Code = audit.ResultGatewayError, 503, "audit_unavailable"
		require.NoError(t, trail.End(id, o, nil))
	}
	require.Zero(t, verified(t, trail).UnderWay)
}

// TestFullDiskAtMidnight: the new day can't start, the old one is ended.
func TestFullDiskAtMidnight(t *testing.T) {
	d := &disk{ahead: true}
	d.room.Store(4 << 20)
	c := newClock(noon)
	trail := openOn(t, d, audit.Options{Dir: t.TempDir(), Now: c.Now})
	begun := fillUp(t, trail)
	c.Set(noon.AddDate(0, 0, 1))
	d.room.Store(1000)
	require.ErrorIs(t, trail.Begin(exchange("no"), nil), audit.ErrNoSpace)
	for _, id := range begun {
		require.NoError(t, trail.End(id, answered(), nil))
	}
	d.room.Store(64 << 20)
	record(t, trail, "yes")
	require.Equal(t, "2026-03-11", trail.Stats().Day)
	verified(t, trail)
}

// TestFullDiskWithoutRoomAhead: half-written records are cut off.
func TestFullDiskWithoutRoomAhead(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	d.room.Store(1 << 20)
	trail := openOn(t, d, audit.Options{Dir: dir})
	begun := fillUp(t, trail)
	require.Greater(t, len(begun), 10)
	size := fileSize(t, segmentOf(t, dir))
	require.Error(t, trail.Begin(exchange("no"), randomBody(100<<10)))
	require.Equal(t, size, fileSize(t, segmentOf(t, dir)))
	verifiedDir(t, dir)
	d.room.Store(64 << 20)
	for _, id := range begun {
		require.NoError(t, trail.End(id, answered(), nil))
	}
	require.NoError(t, trail.Healthy())
	verified(t, trail)
}

// TestBrokenDisk: a half-written record that can't be cut off stops the log
// until it can.
func TestBrokenDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{ahead: true}
	d.room.Store(64 << 20)
	trail := openOn(t, d, audit.Options{Dir: dir})
	record(t, trail, "1")
	require.NoError(t, trail.Begin(exchange("2"), nil))
	d.broken.Store(true)
	d.stuck.Store(true)
	require.ErrorIs(t, trail.End("2", answered(), nil), audit.ErrUnwritable)
	d.broken.Store(false)
	require.ErrorIs(t, trail.End("2", answered(), nil), audit.ErrUnwritable)
	require.ErrorIs(t, trail.Begin(exchange("3"), nil), audit.ErrUnwritable)
	require.ErrorIs(t, trail.Healthy(), audit.ErrUnwritable)
	require.EqualValues(t, 3, trail.Stats().Failures)
	d.stuck.Store(false)
	require.NoError(t, trail.Healthy())
	require.NoError(t, trail.End("2", answered(), nil))
	record(t, trail, "3")
	require.NoError(t, trail.Close())
	require.EqualValues(t, 3, verifiedDir(t, dir).Exchanges)
}

// TestOpenOnAFullDisk fails and leaves nothing in the way of the next try.
func TestOpenOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{ahead: true}
	_, err := audit.OpenWith(audit.Options{Dir: dir}, d.open)
	require.ErrorIs(t, err, audit.ErrNoSpace)
	d.room.Store(64 << 20)
	trail := openOn(t, d, audit.Options{Dir: dir})
	record(t, trail, "1")
	verified(t, trail)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
