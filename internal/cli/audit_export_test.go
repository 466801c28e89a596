package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func TestEvidenceCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice")
	today := time.Now().UTC().Format(time.DateOnly)
	dir := t.TempDir()
	file, offline := filepath.Join(dir, "case.tar.zst"), filepath.Join(dir, "offline.tar.zst")
	r := g.run("", "audit", "export", file, "--from", today)
	require.Zero(t, r.code, r.err)
	assert.Equal(t, "The evidence is in "+file+".\n", r.err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	assert.Contains(t, g.ok("", "audit", "search", "--kind", "ExportEvidence"), "admin")
	g.ok("", "audit", "export", offline, "--from", today, "--to", today, "--offline")

	for _, one := range []string{file, offline} {
		into := one + ".d"
		out := g.ok("", "audit", "import", one, "--into", into)
		assert.Regexp(t, `(?m)^days +1$`, out)
		assert.Regexp(t, `(?m)^asked for +`+today+` to `+today+`$`, out)
		trail, err := audit.OpenRead(into)
		require.NoError(t, err)
		found := 0
		require.NoError(t, trail.Query(t.Context(), audit.Filter{Kinds: []string{"CreateUser"}}, func(*audit.Record) error { found++; return nil }))
		assert.Equal(t, 1, found)
		require.NoError(t, trail.Close())
		g.ok("", "audit", "export", one+".again", "--from", today, "--dir", into)
		assert.Contains(t, g.run("", "audit", "import", one, "--into", into).err, "is not empty")
	}
	assert.Contains(t, g.ok("", "audit", "import", offline, "--into", filepath.Join(dir, "y")), "not signed")

	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data[:len(data)-20], 0o600))
	assert.Contains(t, g.run("", "audit", "import", file, "--into", filepath.Join(dir, "z")).err, "the evidence is damaged")
	assert.NoDirExists(t, filepath.Join(dir, "z"))

	assert.Contains(t, g.run("", "audit", "export", file, "--from", today).err, "is there already")
	g.ok("", "audit", "export", file, "--from", today, "--force")
	assert.Contains(t, g.run("", "audit", "export", filepath.Join(dir, "none"), "--from", "2020-01-01", "--to", "2020-01-02").err, "none of these days")
	for _, bad := range [][]string{{}, {"--from", "x"}, {"--from", today, "--to", "x"}, {"--from", today, "--to", "2020-01-01"}} {
		assert.Equal(t, 2, g.run("", append([]string{"audit", "export", filepath.Join(dir, "bad")}, bad...)...).code)
	}
	assert.Equal(t, 2, g.run("", "audit", "import", file).code)
}
