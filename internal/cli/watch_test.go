package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/session"
)

// signsIn has a browser that a user has signed in with.
func (g *gateway) signsIn(user, agent string) string {
	g.t.Helper()
	id, known := g.people.UserID(user)
	require.True(g.t, known)
	r := httptest.NewRequest("GET", "https://gateway.test/ui/", nil)
	r.Header.Set("User-Agent", agent)
	r.Header.Set("X-Forwarded-For", "192.0.2.9")
	s, err := g.sessions.Start(context.Background(), httptest.NewRecorder(), r, session.SignIn{UserID: id, Method: session.MethodToken})
	require.NoError(g.t, err)
	return s.ID
}

func TestSessionsCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice")
	phone := g.signsIn("alice", "phone")
	g.signsIn("alice", "laptop")
	g.signsIn("admin", "desk")

	assert.Regexp(t, `(?m)^`+phone+` +alice +token .* 192\.0\.2\.9 +phone$`, g.ok("", "sessions", "list"))
	var list []api.Session
	g.json(&list, "sessions", "list", "--user", "alice", "--sort", "lastSeen", "--descending")
	assert.Len(t, list, 2)
	g.json(&list, "sessions", "list", "--search", "desk")
	require.Len(t, list, 1)
	assert.Equal(t, "admin", list[0].UserName)
	assert.Equal(t, "1 of 3 are shown; --all shows all.\n", g.run("", "sessions", "list", "--limit", "1").err)

	assert.Contains(t, g.ok("", "sessions", "end", phone), "has ended")
	assert.NotContains(t, g.ok("", "sessions", "list"), "phone")
	assert.Equal(t, 1, g.run("", "sessions", "end", phone).code, "it is gone")
	assert.Contains(t, g.ok("", "sessions", "end", "--user", "alice", "--yes"), "1 sessions of alice have ended")
	g.json(&list, "sessions", "list")
	assert.Len(t, list, 1)
	for _, wrong := range [][]string{{}, {phone, "--user", "alice"}, {phone, phone}} {
		assert.Equal(t, 2, g.run("", append([]string{"sessions", "end"}, wrong...)...).code, wrong)
	}
	assert.Contains(t, g.run("", "sessions", "end", "--user", "nobody").err, `no user named "nobody"`)
}

// called has calls of an endpoint by the administrator in the trail.
func (g *gateway) called(endpoint string, times int) {
	g.t.Helper()
	id, _ := g.people.UserID("admin")
	var e api.Endpoint
	g.json(&e, "endpoints", "show", endpoint)
	for n := range times {
		exchange := fmt.Sprintf("%s-%d", endpoint, n)
		require.NoError(g.t, g.trail.Begin(&audit.Exchange{
			ID: exchange, Caller: &identity.Caller{UserID: id, UserName: "admin"}, EndpointID: e.EndpointID, EndpointName: endpoint,
			Provider: "practice", Model: "m", Operation: "chat",
		}, nil))
		require.NoError(g.t, g.trail.End(exchange, &audit.Outcome{
			Result: audit.ResultAnswered, Status: 200, InputTokens: 100, OutputTokens: 20, CachedTokens: -1, ReasoningTokens: -1,
			CacheWriteTokens: -1, CostNanoUSD: 5_000_000, Duration: time.Second,
		}, nil))
	}
	require.NoError(g.t, g.usage.Flush(context.Background()))
}

func TestUsageCommands(t *testing.T) {
	g := newGateway(t)
	for _, name := range []string{"alpha", "beta"} {
		g.ok("", "endpoints", "create", name, "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	}
	g.called("alpha", 1)
	g.called("beta", 3)

	most := g.ok("", "usage", "--by", "endpoint")
	assert.Regexp(t, `(?s)^NAME +REQUESTS .*USD .*\nbeta +3 +0 +0 +0 +300 +60 +0\.015000 .*\nalpha +1 .*\ntotal +4 `, most)
	assert.Regexp(t, `(?m)^\d{4}-\d\d-\d\d +4 `, g.ok("", "usage"), "days")
	assert.Regexp(t, `(?m)^START .*\n\d{4}-\d\d-\d\d \d\d:00 +`, g.ok("", "usage", "--by", "hour", "--since", "2h"))
	var found api.Usage
	names := func(args ...string) (names []string) {
		g.json(&found, append([]string{"usage", "--by", "endpoint"}, args...)...)
		for _, row := range found.Rows {
			names = append(names, row.Name)
		}
		return names
	}
	assert.Equal(t, []string{"beta", "alpha"}, names("--sort", "costNanoUsd"))
	assert.Equal(t, []string{"alpha", "beta"}, names("--sort", "costNanoUsd", "--descending=false"))
	assert.Equal(t, []string{"alpha", "beta"}, names("--sort", "name"))
	assert.Equal(t, []string{"alpha"}, names("--search", "ALPH"))
	assert.Equal(t, []string{"alpha"}, names("--offset", "1", "--limit", "1"))
	assert.Equal(t, []string{"beta"}, names("--endpoint", "beta", "--from", time.Now().UTC().Format(time.DateOnly)))
	assert.EqualValues(t, 3, found.Total.Requests)
	assert.Equal(t, "1 of 2 are shown; --all shows all.\n", g.run("", "usage", "--by", "endpoint", "--limit", "1").err)
	assert.Regexp(t, `(?m)^beta,3,`, g.ok("", "usage", "--by", "endpoint", "-o", "csv"))

	for _, wrong := range [][]string{
		{"--since", "yesterday"}, {"--to", "2030-01-01"}, {"--since", "1h", "--from", "2030-01-01"}, {"--limit", "0"}, {"--sort", "colour"},
	} {
		assert.Equal(t, 2, g.run("", append([]string{"usage"}, wrong...)...).code, wrong)
	}
	assert.Equal(t, 1, g.run("", "usage", "--by", "colour").code)
	assert.Contains(t, g.ok("", "usage", "rebuild"), "being counted anew")
}

func TestAuditListShowsAsMuchAsIsWanted(t *testing.T) {
	g := newGateway(t)
	for _, name := range []string{"alice", "bob", "carol"} {
		g.ok("", "users", "create", name)
	}
	r := g.run("", "audit", "search", "--limit", "2")
	assert.Regexp(t, `(?s)carol.*bob`, r.out)
	assert.NotContains(t, r.out, "alice")
	assert.Equal(t, "2 are shown, and there are more; --all shows all.\n", r.err)
	r = g.run("", "audit", "search", "--all", "--descending=false")
	assert.Regexp(t, `(?s)alice.*bob.*carol`, r.out)
	assert.Empty(t, r.err)
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.DateOnly)
	assert.NotContains(t, g.ok("", "audit", "search", "--from", tomorrow), "alice")
	assert.Contains(t, g.ok("", "audit", "search", "--from", "2020-01-01", "--to", tomorrow), "alice")
	assert.Equal(t, 2, g.run("", "audit", "search", "--since", "0d").code)
	assert.Equal(t, 2, g.run("", "audit", "search", "--limit", "2", "--all").code)
}

// TestChangesAreOfWhatWasRead changes things between the reading and the change
// of a command.
func TestChangesAreOfWhatWasRead(t *testing.T) {
	g := newGateway(t)
	t.Setenv("MY_KEY", canary)
	g.ok("", "users", "create", "alice")
	g.ok("", "service-accounts", "create", "robot")
	g.ok("", "orgs", "create", "science")
	g.ok("", "credentials", "create", "key", "--provider", "openai", "--secret", "openai_api_key=$MY_KEY")
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	g.ok("", "endpoints", "targets", "add", "chat", "spare", "--provider", "practice", "--model", "m", "--order", "1")
	g.ok("", "tokens", "create", "batch")
	var mu sync.Mutex // guards sent
	var sent []string
	g.watch = func(r *http.Request) {
		if r.Method == http.MethodPatch || r.Method == http.MethodDelete {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, r.Header.Get("If-Match"))
			r.Header.Set("If-Match", `"another"`)
		}
	}
	for _, args := range [][]string{
		{"users", "update", "alice", "--full-name", "Alice"},
		{"users", "delete", "alice"},
		{"service-accounts", "update", "robot", "--disabled"},
		{"service-accounts", "delete", "robot"},
		{"orgs", "update", "science", "--name", "research"},
		{"orgs", "delete", "science"},
		{"credentials", "rename", "key", "other"},
		{"credentials", "rotate", "key", "--secret", "openai_api_key=$MY_KEY"},
		{"credentials", "delete", "key"},
		{"endpoints", "update", "chat", "--model", "n"},
		{"endpoints", "disable", "chat"},
		{"endpoints", "permissions", "grant", "chat", "--everyone"},
		{"endpoints", "targets", "set", "chat", "spare", "--order", "2"},
		{"endpoints", "targets", "remove", "chat", "spare"},
		{"endpoints", "delete", "chat"},
		{"tokens", "revoke", "batch"},
	} {
		sent = nil
		r := g.run("", args...)
		assert.Equal(t, 1, r.code, args)
		assert.Contains(t, r.err, "was changed since you read it", args)
		require.Len(t, sent, 1, args)
		assert.NotEmpty(t, sent[0], args)
	}
}
