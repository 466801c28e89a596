package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/cli"
	"sluice/internal/identity"
)

// call writes the record of a call of a model.
func (g *gateway) call(id, user, endpoint string) {
	g.t.Helper()
	now := time.Now()
	require.NoError(g.t, g.trail.Begin(&audit.Exchange{
		ID: id, Time: now, EndpointID: "id-of-" + endpoint, EndpointName: endpoint, Provider: "openai", Model: "gpt-4o", ClientAddr: "192.0.2.1",
		Caller: &identity.Caller{UserID: "id-of-" + user, UserName: user, Organizations: []string{"org-of-" + user}, Project: "churn", Execution: "run"},
	}, []byte(`{"q":"Question of `+id+`"}`)))
	require.NoError(g.t, g.trail.End(id, &audit.Outcome{Time: now, Result: audit.ResultAnswered, Status: 200}, []byte(`{}`)))
}

func TestAuditSearch(t *testing.T) {
	g := newGateway(t)
	for i := range 5 {
		g.call(fmt.Sprintf("x-%d", i), []string{"alice", "bob"}[i%2], []string{"chat", "chat", "embed"}[i%3])
	}
	searches := map[string][]string{
		"--user alice":                        {"x-4", "x-2", "x-0"},
		"--user alice --endpoint chat":        {"x-4", "x-0"},
		"--organization org-of-bob --limit 1": {"x-3"},
		"--provider openai --status 2xx --model gpt-4o --project churn --execution run --result answered --kind AccessEndpoint --address 192.0.2.1 --endpoint embed": {"x-2"},
		"--text QUESTION --text x-3":            {"x-3"},
		"--target embed --target-type endpoint": {"x-2"},
		"--target-id id-of-embed --all":         {"x-2"},
		"--id x-1":                              {"x-1"},
		"--user carol":                          {},
		"--user alice --descending=false":       {"x-0", "x-2", "x-4"},
	}
	check := func(dir ...string) {
		for flags, want := range searches {
			args := append(append([]string{"audit", "search"}, strings.Fields(flags)...), dir...)
			var records []struct{ ID string }
			g.json(&records, args...)
			ids := []string{}
			for _, r := range records {
				ids = append(ids, r.ID)
			}
			assert.Equal(t, want, ids, "%s %v", flags, dir)
			lines := strings.Count(g.ok("", append(args, "-o", "ndjson")...), `"recordId"`)
			assert.Equal(t, len(want), lines, "%s %v", flags, dir)
		}
	}
	check()
	assert.NotContains(t, g.ok("", "audit", "search", "-o", "json"), "Question of")
	assert.Contains(t, g.ok("", "audit", "search", "-o", "json", "--bodies", "--id", "x-1"), "Question of x-1")
	assert.Equal(t, 2, g.run("", "audit", "search", "-o", "xml").code)
	assert.Equal(t, 2, g.run("", "audit", "search", "--dir", "audit", "--status", "bad").code)
	for _, where := range [][]string{{}, {"--dir", filepath.Join(g.data, "audit")}} {
		r := g.run("", append([]string{"audit", "search", "--kind", "CreateTokens"}, where...)...)
		assert.NotZero(t, r.code, where)
		assert.Contains(t, r.err, `no records of the kind "CreateTokens"`, where)
		assert.Contains(t, r.err, "CreateToken,", where)
	}
	require.NoError(t, g.trail.Close())
	check("--dir", filepath.Join(g.data, "audit"))
	assert.Equal(t, 1, g.run("", "audit", "search", "--dir", t.TempDir()).code)
}

func TestAuditTailShowsTheLast(t *testing.T) {
	g := newGateway(t)
	for i := range 5 {
		g.call(fmt.Sprintf("x-%d", i), "alice", "chat")
	}
	assert.Regexp(t, `(?s)^TIME +KIND.*x-3\n.*x-4\n$`, g.ok("", "audit", "tail", "-n", "2"))
	assert.Equal(t, 3, strings.Count(g.ok("", "audit", "tail", "-n", "3", "-o", "ndjson"), "\n"))
	assert.Equal(t, 2, g.run("", "audit", "tail", "-n", "-1").code)
	assert.Equal(t, 2, g.run("", "audit", "tail", "-o", "csv").code)
}

// shown is the output of a command that runs.
type shown struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (s *shown) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *shown) ids(t *testing.T) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []string{}
	for _, line := range strings.Split(strings.TrimSpace(s.buf.String()), "\n") {
		var r struct{ ID string }
		if line != "" && assert.NoError(t, json.Unmarshal([]byte(line), &r)) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// TestAuditTailGoesOn breaks the connection off again and again while records
// come: each is shown once, in order.
func TestAuditTailGoesOn(t *testing.T) {
	g := newGateway(t)
	g.call("x-before", "alice", "chat")
	ctx, cancel := context.WithCancel(t.Context())
	var out shown
	ended := make(chan int)
	go func() {
		ended <- cli.Execute(ctx, cli.Program{Version: "1.2.3"}, []string{"audit", "tail", "-f", "-o", "ndjson", "--endpoint", "chat",
			"--server", g.url, "--data", g.data}, strings.NewReader(""), &out, &bytes.Buffer{})
	}()
	seen := func(n int) func() bool { return func() bool { return len(out.ids(t)) >= n } }
	require.Eventually(t, seen(1), time.Minute, 5*time.Millisecond)
	want := []string{"x-before"}
	for i := range 120 {
		id := fmt.Sprintf("x-%03d", i)
		g.call(id, "alice", "chat")
		g.call("other-"+id, "alice", "embed")
		want = append(want, id)
		if i%20 == 10 {
			g.disconnect()
		}
		time.Sleep(2 * time.Millisecond)
	}
	require.Eventually(t, seen(len(want)), time.Minute, 10*time.Millisecond)
	time.Sleep(100 * time.Millisecond) // for what must not come
	require.Equal(t, want, out.ids(t))
	cancel()
	require.Equal(t, 0, <-ended)
}
