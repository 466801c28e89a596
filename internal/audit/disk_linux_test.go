package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestReadOnlyRemount makes a real file system read-only under a trail, and
// writable again.
func TestReadOnlyRemount(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=32m"); err != nil {
		t.Skip("mounting needs more rights:", err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	dir := filepath.Join(mount, "audit")
	for _, mode := range []string{audit.SyncOS, audit.SyncFsync} {
		c := newClock(noon)
		trail, err := audit.Open(audit.Options{Dir: dir, Sync: mode, Now: c.Now})
		require.NoError(t, err)
		require.NoError(t, trail.Begin(exchange("under way "+mode), []byte("q")))
		// With files open for writing the kernel refuses; a disk that fails is
		// made read-only all the same, as MS_REMOUNT with force would have it.
		err = syscall.Mount("", mount, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		if err == nil {
			require.ErrorIs(t, trail.Begin(exchange("no"), nil), audit.ErrUnwritable)
			require.ErrorIs(t, trail.Healthy(), audit.ErrUnwritable)
			require.NoError(t, syscall.Mount("", mount, "", syscall.MS_REMOUNT, ""))
		} else {
			require.ErrorIs(t, err, syscall.EBUSY)
		}
		c.Add(time.Second)
		require.NoError(t, trail.Healthy())
		require.NoError(t, trail.End("under way "+mode, answered(), nil))
		require.NoError(t, trail.Close())
		verifiedDir(t, dir)
		require.NoError(t, syscall.Mount("", mount, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		_, err = audit.Open(audit.Options{Dir: dir, Sync: mode, Now: c.Now})
		require.ErrorIs(t, err, syscall.EROFS)
		verifiedDir(t, dir)
		require.NoError(t, syscall.Mount("", mount, "", syscall.MS_REMOUNT, ""))
	}
}

// TestFullFileSystem fills a real one.
func TestFullFileSystem(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("mounting needs more rights:", err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	dir := filepath.Join(mount, "audit")
	ballast := filepath.Join(mount, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
	trail, err := audit.Open(audit.Options{Dir: dir})
	require.NoError(t, err)
	defer trail.Close()
	begun := fillUp(t, trail)
	require.Greater(t, len(begun), 5)
	for _, id := range begun {
		require.NoError(t, trail.End(id, answered(), randomBody(30<<10)))
	}
	verified(t, trail)
	require.NoError(t, os.Remove(ballast))
	require.NoError(t, trail.Healthy())
	record(t, trail, "again")
	require.Len(t, query(t, trail, audit.Filter{Results: []string{audit.ResultAnswered}}), len(begun)+1)
	require.NoError(t, trail.Close())
	verifiedDir(t, dir)
}

// TestWatchedFileSystem: a real disk that other files fill refuses requests
// while there is still room to end what is under way.
func TestWatchedFileSystem(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("mounting needs more rights:", err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	dir := filepath.Join(mount, "audit")
	trail, err := audit.Open(audit.Options{Dir: dir, DiskWarn: audit.DiskLimit{Share: 0.5}, DiskStop: audit.DiskLimit{Bytes: 16 << 20}})
	require.NoError(t, err)
	defer trail.Close()
	require.Equal(t, audit.DiskOK, trail.Disk().State)
	require.EqualValues(t, 32<<20, trail.Disk().WarnBytes)
	require.NoError(t, trail.Begin(exchange("under way"), randomBody(1<<20)))

	ballast := filepath.Join(mount, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 40<<20), 0o600))
	require.Eventually(t, func() bool { return errors.Is(trail.Healthy(), audit.ErrNoSpace) }, time.Minute, 10*time.Millisecond)
	require.ErrorIs(t, trail.Begin(exchange("late"), nil), audit.ErrNoSpace)
	require.NoError(t, trail.End("under way", answered(), randomBody(1<<20)))

	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return trail.Healthy() == nil }, time.Minute, 10*time.Millisecond)
	record(t, trail, "again")
	require.Equal(t, []string{"TrailDiskLow stopped", "TrailDiskRecovered ok"}, diskEvents(t, trail))
	verified(t, trail)
}
