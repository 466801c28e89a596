package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
)

// TestVerifyCommand: with the key that was kept, a trail that was changed is
// found, though its own keys were replaced; ranges and folders can be given.
func TestVerifyCommand(t *testing.T) {
	g := newGateway(t)
	kept := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(kept, []byte(g.ok("", "audit", "keys", "-o", "json")), 0o600))
	var keys api.TrailKeys
	g.json(&keys, "audit", "keys")
	require.True(t, keys.Signing)
	require.Contains(t, g.ok("", "audit", "keys", "rotate"), "is signed with the key")
	require.Contains(t, g.ok("", "audit", "keys"), "signs now")
	require.NoError(t, g.trail.Checkpoint())

	for _, args := range [][]string{
		{"--key", kept}, {"--key", keys.Keys[0].Key}, {"--from", "1", "--to", "2"}, {"--from", "2020-01-01"}, {},
		{"--dir", filepath.Join(g.data, "audit"), "--to", "2100-01-01T00:00:00Z"},
	} {
		require.Contains(t, g.ok("", append([]string{"audit", "verify"}, args...)...), "signed by", args)
	}
	remote := g.run("", "audit", "verify", "--remote", "--key", kept)
	require.Zero(t, remote.code, remote.err)
	require.Contains(t, remote.out, "signed by")
	require.Equal(t, 1, g.run("", "audit", "verify", "--remote", "--from", "1000000").code)
	require.Equal(t, 2, g.run("", "audit", "verify", "--remote", "--from", "5", "--to", "2").code)
	var report audit.Report
	g.json(&report, "audit", "verify", "--key", kept)
	require.Len(t, report.Signatures.Keys, 2, "the one vouches for the other")
	for _, args := range [][]string{
		{"--key", "x"}, {"--from", "yesterday"}, {"--from", "5", "--to", "2"}, {"--from", "2100-01-01"}, {"x"},
	} {
		require.Equal(t, 2, g.run("", append([]string{"audit", "verify"}, args...)...).code, args)
	}
	require.Equal(t, 1, g.run("", "audit", "verify", "--from", "1000000").code)

	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(filepath.Join(g.data, "audit"))))
	logs, err := filepath.Glob(filepath.Join(copied, "*.log"))
	require.NoError(t, err)
	data, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(logs[0], data, 0o600))
	r := g.run("", "audit", "verify", "--dir", copied)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out, "first bad")
	require.Equal(t, 1, g.run("", "audit", "verify", "--dir", filepath.Join(copied, "none")).code)
}
