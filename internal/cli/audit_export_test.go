package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	assert.Equal(t, "It is in "+file+".\n", r.err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	assert.Contains(t, g.ok("", "audit", "search", "--kind", "CreateHold,ExportEvidence"), "admin")
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

func TestExportOfRecords(t *testing.T) {
	g := newGateway(t)
	now := time.Now()
	require.NoError(t, g.trail.Begin(&audit.Exchange{ID: "x-1", Time: now, EndpointName: "chat", Bodies: audit.BodiesFull},
		[]byte(`{"q":"write to jane.doe@example.com, jane.doe@example.com"}`)))
	require.NoError(t, g.trail.End("x-1", &audit.Outcome{Time: now, Result: audit.ResultAnswered, Status: 200}, []byte(`{"a":"done"}`)))
	g.ok("", "users", "create", "alice")
	dir, today := t.TempDir(), now.UTC().Format(time.DateOnly)
	n := 0
	export := func(args ...string) []map[string]any {
		t.Helper()
		n++
		file := filepath.Join(dir, fmt.Sprint(n, ".ndjson"))
		g.ok("", append([]string{"audit", "export", file, "--from", today, "--format", "ndjson"}, args...)...)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var records []map[string]any
		for line := range strings.Lines(string(text)) {
			var r map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			records = append(records, r)
		}
		return records
	}
	body := func(r []map[string]any) string {
		require.Len(t, r, 1)
		text, _ := r[0]["requestBody"].(string)
		return text
	}
	assert.Equal(t, "CreateUser", export("--kind", "CreateUser")[0]["eventKind"])
	assert.Equal(t, "x-1", export()[0]["id"], "oldest first")
	assert.Empty(t, body(export("--endpoint", "chat")))
	assert.Contains(t, body(export("--endpoint", "chat", "--bodies", "full")), "jane.doe@example.com")
	redacted := body(export("--endpoint", "chat", "--bodies", "redacted"))
	assert.NotContains(t, redacted, "jane")
	marks := regexp.MustCompile(`\[[a-z-]*email[^\]]*\]|<[^>]*email[^>]*>`).FindAllString(redacted, -1)
	require.Len(t, marks, 2, redacted)
	assert.Equal(t, marks[0], marks[1])

	evidence := filepath.Join(dir, "case")
	g.ok("", "audit", "export", evidence, "--from", today)
	g.ok("", "audit", "import", evidence, "--into", evidence+".d")
	assert.Equal(t, redacted == "", body(export("--dir", evidence+".d", "--endpoint", "chat", "--bodies", "redacted")) == "")
	assert.Contains(t, g.ok("", "audit", "show", "x-1", "--dir", evidence+".d"), "jane.doe@example.com")
	assert.Contains(t, g.run("", "audit", "show", "none", "--dir", evidence+".d").err, "no such record")
	for _, bad := range [][]string{{"--format", "xml"}, {"--user", "alice"}, {"--format", "ndjson", "--bodies", "some"}} {
		assert.Equal(t, 2, g.run("", append([]string{"audit", "export", filepath.Join(dir, "bad"), "--from", today}, bad...)...).code, bad)
	}
}
