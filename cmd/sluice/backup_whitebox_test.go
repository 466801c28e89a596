package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/state"
)

func TestABackupWritesOverNothingUnasked(t *testing.T) {
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "kept.backup")
	db, err := state.Open(filepath.Join(data, "sluice.db"))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(file, []byte("another backup"), 0o600))
	write := func(flags ...string) error {
		cmd := backupCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append([]string{file, "--data", data}, flags...))
		return cmd.Execute()
	}
	require.ErrorContains(t, write(), "--force")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "another backup", string(kept))
	require.NoError(t, write("--force"))

	again := restoreCommand()
	again.SetArgs([]string{file, "--data", filepath.Join(dir, "again")})
	require.NoError(t, again.Execute())
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
