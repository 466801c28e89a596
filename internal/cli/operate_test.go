package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func TestAuditCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice")
	g.ok("", "users", "delete", "alice")
	list := g.ok("", "audit", "list")
	assert.Regexp(t, `(?s)DeleteUser +admin +alice.*CreateUser +admin +alice`, list)
	var records []map[string]any
	g.json(&records, "audit", "list", "--limit", "1")
	assert.Len(t, records, 1)
	assert.Contains(t, g.run("", "audit", "show", "none").err, "There is no record")

	now := time.Now()
	require.NoError(t, g.trail.Begin(&audit.Exchange{ID: "x-1", Time: now, EndpointName: "chat", Target: "first"}, nil))
	require.NoError(t, g.trail.End("x-1", &audit.Outcome{
		Time: now, Result: audit.ResultAnswered, Status: 200, InputTokens: 11, OutputTokens: -1, CostNanoUSD: 1_234_567,
		Target: "third", Attempts: []audit.Attempt{{Target: "first", Status: 503}, {Target: "second", Code: "provider_timeout"},
			{Target: "third", Status: 200}},
	}, nil))
	list = g.ok("", "audit", "list")
	assert.Regexp(t, `(?m)^TIME +KIND +USER +SUBJECT +TRIED +RESULT +STATUS +IN +OUT +USD +ID$`, list)
	assert.Regexp(t, `AccessEndpoint +chat +first:503,second:provider_timeout,third +answered +200 +11 +0\.001235 +x-1\n`, list)

	assert.Regexp(t, `AccessEndpoint .*chat`, g.ok("", "audit", "download"))
	file := filepath.Join(g.data, "trail.json")
	assert.Empty(t, g.ok("", "audit", "download", "-o", "json", "--to", file))
	downloaded, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Regexp(t, `^\[\{.*"AccessEndpoint"`, string(downloaded))
	assert.Equal(t, 2, g.run("", "audit", "download", "-o", "csv").code)

	var report struct{ Events int }
	g.json(&report, "audit", "verify")
	assert.Equal(t, 2, report.Events)
	require.NoError(t, g.trail.Close())
	logs, err := filepath.Glob(filepath.Join(g.data, "audit", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	content, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	changed := bytes.Replace(content, []byte("alice"), []byte("mallo"), 1)
	if bytes.Equal(content, changed) { // compressed: change a byte inside
		changed[len(changed)/2] ^= 0xff
	}
	require.NoError(t, os.WriteFile(logs[0], changed, 0o600))
	r := g.run("", "audit", "verify")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.out, "first bad")
	assert.Contains(t, r.err, "the trail is not whole")
}

func TestPolicyAndStatusCommands(t *testing.T) {
	g := newGateway(t)
	assert.Contains(t, g.ok("", "policy", "status"), "revision")
	assert.Contains(t, g.ok("", "policy", "reload"), "revision")
	assert.Regexp(t, `source +built in`, g.ok("", "policy", "show", "default"))
	assert.Equal(t, 1, g.run("", "policy", "show", "other").code)
	g.ok("", "users", "create", "alice")
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m", "--user", "alice")
	assert.Regexp(t, `may call +true`, g.ok("", "policy", "explain", "alice", "chat"))
	assert.Regexp(t, `may call +false\n +because +\w+ `, g.ok("", "policy", "explain", "admin", "chat"))
	assert.Contains(t, g.ok("", "status"), "1.2.3")
	built := g.bare("", "policy", "check")
	assert.Equal(t, 0, built.code, built.err)
	assert.Contains(t, built.out, "coverage")

	dir := filepath.Join(g.data, "bundle")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.rego"), []byte("package sluice.custom\n\nallow if {\n  nothing(\n}\n"), 0o600))
	bad := g.bare("", "policy", "check", dir)
	assert.Equal(t, 1, bad.code)
	assert.Contains(t, bad.err, "bad.rego")
}

func TestUsage(t *testing.T) {
	g := newGateway(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, ""},
		{[]string{"endpoints"}, 0, ""},
		{[]string{"version"}, 0, ""},
		{[]string{"nonsense"}, 2, `"nonsense" is not a command of sluice`},
		{[]string{"endpoints", "nonsense"}, 2, `"nonsense" is not a command of sluice endpoints`},
		{[]string{"endpoints", "get"}, 2, "takes NAME"},
		{[]string{"endpoints", "list", "extra"}, 2, "takes no arguments"},
		{[]string{"endpoints", "list", "--colour"}, 2, "unknown flag"},
		{[]string{"endpoints", "list", "-o", "xml", "--data", g.data}, 2, "table, json"},
		{[]string{"endpoints", "list", "--server", "nowhere", "--data", g.data}, 2, "is not a URL"},
		{[]string{"endpoints", "list", "--server", "http://gateway.example", "--data", g.data}, 2, "in the clear"},
		{[]string{"endpoints", "create", "x", "--data", g.data}, 2, "is required"},
		{[]string{"version", "extra"}, 2, "takes no arguments"},
		{[]string{"tokens", "create", "t", "--expires=-1h", "--data", g.data}, 2, "a time to come"},
		{[]string{"tokens", "list", "--token-file", "/does/not/exist"}, 1, "--token-file"},
		{[]string{"tokens", "list", "--server", "https://127.0.0.1:1", "--data", g.data}, 1, "calling https://127.0.0.1:1"},
		{[]string{"audit", "list", "--limit", "0", "--data", g.data}, 2, "at least 1"},
		{[]string{"audit", "verify", "--data", "/does/not/exist"}, 1, ""},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := g.bare("", c.args...)
			assert.Equal(t, c.code, r.code, r.err)
			assert.Contains(t, r.err, c.says)
		})
	}
	untrusted := g.bare("", "endpoints", "list", "--server", g.url, "--token-file", filepath.Join(g.data, "admin-token"))
	assert.Equal(t, 1, untrusted.code)
	assert.Contains(t, untrusted.err, "not from a trusted CA")
}
