package audit_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

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
