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

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
)

func TestAuditCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice")
	g.ok("", "users", "delete", "alice")
	list := g.ok("", "audit", "search")
	assert.Regexp(t, `(?s)DeleteUser +admin +alice.*CreateUser +admin +alice`, list)
	var records []map[string]any
	g.json(&records, "audit", "search", "--limit", "1")
	assert.Len(t, records, 1)
	assert.Contains(t, g.run("", "audit", "show", "none").err, "There is no record")

	now := time.Now()
	require.NoError(t, g.trail.Begin(&audit.Exchange{ID: "x-1", Time: now, EndpointName: "chat", Target: "first"}, nil))
	require.NoError(t, g.trail.End("x-1", &audit.Outcome{
		Time: now, Result: audit.ResultAnswered, Status: 200, InputTokens: 11, OutputTokens: -1, CostNanoUSD: 1_234_567,
		Target: "third", Attempts: []audit.Attempt{{Target: "first", Status: 503}, {Target: "second", Code: "provider_timeout"},
			{Target: "third", Status: 200}},
	}, nil))
	list = g.ok("", "audit", "search")
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
	assert.Regexp(t, `(?m)^api.rego +\d+ +false$`, g.ok("", "policy", "show", "default"))
	assert.Contains(t, g.ok("", "policy", "show", "default", "api.rego"), "\npackage ")
	assert.Equal(t, 1, g.run("", "policy", "show", "default", "other.rego").code)
	assert.Equal(t, 1, g.run("", "policy", "show", "other").code)
	assert.Regexp(t, `tests +\d+ passed, 0 failed`, g.ok("", "policy", "check", "--configured"))
	assert.Equal(t, 2, g.run("", "policy", "check", "--configured", "x").code)
	g.ok("", "users", "create", "alice")
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m", "--user", "alice")
	who := g.run("", "policy", "access", "--endpoint", "chat")
	assert.Regexp(t, `(?m)^alice +chat +true +`, who.out)
	assert.Regexp(t, `(?m)^admin +chat +false +\w+`, who.out)
	assert.Equal(t, "1 of 2 may.\n", who.err)
	assert.Regexp(t, `(?m)^ +chat +false`, g.ok("", "policy", "access", "--role", "auditor", "--endpoint", "chat"))
	for _, bad := range [][]string{{}, {"--user", "alice", "--role", "x"}} {
		assert.Equal(t, 2, g.run("", append([]string{"policy", "access"}, bad...)...).code)
	}
	assert.Regexp(t, `(?m)^administrator +1 +0 +true$`, g.ok("", "roles"))
	assert.Regexp(t, `may: audit +list all, read all`, g.ok("", "roles", "auditor"))
	assert.Equal(t, 1, g.run("", "roles", "king").code)
	assert.Regexp(t, `may call +true`, g.ok("", "policy", "explain", "alice", "chat"))
	assert.Regexp(t, `may call +false\n +because +\w+ `, g.ok("", "policy", "explain", "admin", "chat"))
	status := g.ok("", "status")
	assert.Regexp(t, `(?m)^sluice +true +1\.2\.3 since 20`, status)
	assert.NotContains(t, status, "{", "figures for people, no JSON")
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
		{[]string{"tokens", "list", "--server", "https://127.0.0.1:1", "--data", g.data}, 1, "calling https://127.0.0.1:1: nothing answers there"},
		{[]string{"audit", "search", "--limit", "0", "--data", g.data}, 2, "at least 1"},
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

func TestSettingsCommand(t *testing.T) {
	g := newGateway(t)
	at := time.Now()
	g.settings = api.Settings{Source: "sluice.yaml", Read: at, Pending: []string{"listen"}, Problems: []string{"sluice.yaml:3: no"}, ProblemsAt: &at,
		Settings: []api.Setting{
			{Key: "audit.retention_days", Value: 30}, {Key: "listen", Value: "127.0.0.1:8443", Default: true, Restart: true},
			{Key: "policies", Value: []string{"a"}},
		}}
	all := g.run("", "settings")
	assert.Equal(t, 0, all.code)
	assert.Regexp(t, `(?m)^audit.retention_days +30 +file or flag +at once$`, all.out)
	assert.Regexp(t, `(?m)^listen +127.0.0.1:8443 +default +at a start$`, all.out)
	assert.Regexp(t, `(?m)^policies +\["a"\] +file`, all.out)
	assert.Contains(t, all.err, "listen has another value in the file")
	assert.Contains(t, all.err, "Of the file this is not in force: sluice.yaml:3: no")
	assert.NotContains(t, g.ok("", "settings", "audit"), "listen")
	assert.Equal(t, 1, g.run("", "settings", "nothing").code)
}

func TestEndpointsTest(t *testing.T) {
	g := newGateway(t)
	t.Setenv("MY_KEY", canary)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--secret", "openai_api_key=$MY_KEY",
		"--set", "openai_organization=acme")
	g.probe = func(p provider.Target, kind string) api.TargetTestResult {
		assert.Equal(t, "llm/v1/chat", kind)
		assert.Equal(t, canary, p.Config["openai_api_key"], "a key that is not given is the stored one")
		return api.TargetTestResult{OK: p.Model == "gpt-4", Message: "The model is not known.", Status: 404, Code: "provider_model_unknown"}
	}
	assert.Regexp(t, `works +true`, g.ok("", "endpoints", "test", "chat"))
	no := g.run("", "endpoints", "test", "chat", "--model", "gpt-0")
	assert.Equal(t, 1, no.code)
	assert.Regexp(t, `works +false`, no.out)
	assert.Contains(t, no.err, "The model is not known.")
	assert.Contains(t, g.run("", "endpoints", "test", "chat", "--target", "x").err, `no target of chat named "x"`)
	assert.Equal(t, 2, g.run("", "endpoints", "test", "--type", "llm/v1/chat").code)
	assert.Equal(t, 0, g.run("", "endpoints", "test", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--secret", "openai_api_key=$MY_KEY").code)
}
