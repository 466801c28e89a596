package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokensCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice", "--role", "auditor")
	r := g.run("", "tokens", "create", "batch", "--user", "alice", "--expires", "24h", "--project", "climate")
	require.Equal(t, 0, r.code, r.err)
	token := strings.TrimSpace(r.out)
	assert.Regexp(t, `^slu_[0-9A-Za-z]+$`, token, "alone on the standard output")
	assert.NotContains(t, r.err, token)

	t.Setenv("SLUICE_TOKEN", token)
	var tokens []struct{ ID, Name, UserName string }
	g.json(&tokens, "tokens", "list")
	require.Len(t, tokens, 1)
	assert.Equal(t, "alice", tokens[0].UserName)
	denied := g.run("", "endpoints", "delete", "x")
	assert.Equal(t, 1, denied.code)
	assert.Contains(t, denied.err, "Your roles do not let you do this")
	t.Setenv("SLUICE_TOKEN", "")

	file := filepath.Join(g.data, "bob-token")
	require.NoError(t, os.WriteFile(file, []byte("old, and for everyone"), 0o644))
	assert.NotContains(t, g.ok("", "tokens", "create", "kept", "--to", file), "slu_")
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	lost := g.run("", "tokens", "create", "lost", "--to", filepath.Join(g.data, "no", "folder"))
	assert.Equal(t, 1, lost.code)
	assert.NotContains(t, g.ok("", "tokens", "list"), "lost", "a token that can't be kept is not made")
	g.ok("", "tokens", "revoke", tokens[0].ID)
	assert.Regexp(t, `batch +alice +climate .* revoked`, g.ok("", "tokens", "list", "--user", "alice"))
	t.Setenv("SLUICE_TOKEN", token)
	assert.Contains(t, g.run("", "tokens", "list").err, "revoked")
}

func TestPeopleCommands(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice", "--full-name", "Alice Doe", "--email", "alice@example.com")
	g.ok("", "users", "update", "alice", "--role", "auditor")
	assert.Regexp(t, `alice +person +auditor +active +alice@example.com +never`, g.ok("", "users", "list", "--search", "doe"))
	g.ok("", "orgs", "create", "science")
	assert.Regexp(t, `members +1\n +alice +member`, g.ok("", "orgs", "members", "add", "science", "alice"))
	assert.Regexp(t, `alice +admin`, g.ok("", "orgs", "members", "role", "science", "alice", "--role", "admin"))
	assert.Regexp(t, `alice +admin +manual`, g.ok("", "orgs", "members", "list", "science"))
	assert.Regexp(t, `alice +person`, g.ok("", "users", "list", "--org", "science"))
	assert.Regexp(t, `organizations +science`, g.ok("", "users", "show", "alice"))
	assert.Regexp(t, `members +0`, g.ok("", "orgs", "members", "remove", "science", "alice"))
	assert.Regexp(t, `name +research`, g.ok("", "orgs", "update", "science", "--name", "research"))
	assert.Regexp(t, `research +0 +manual`, g.ok("", "orgs", "list"))
	assert.Regexp(t, `name +science`, g.ok("", "orgs", "update", "research", "--name", "science"))
	g.ok("", "orgs", "delete", "science")
	assert.NotContains(t, g.ok("", "orgs", "list"), "science")
	g.ok("", "users", "update", "alice", "--disabled", "--name", "alicia")
	assert.Regexp(t, `alicia +person +auditor +disabled`, g.ok("", "users", "list", "--role", "auditor"))
	g.ok("", "users", "delete", "alicia")
	assert.Contains(t, g.run("", "users", "delete", "admin").err, "last user with the role administrator")
}

func TestBoundTokens(t *testing.T) {
	g := newGateway(t)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	var made struct {
		EndpointIDs, Networks []string
		Expires               time.Time
		Token                 string
	}
	g.json(&made, "tokens", "create", "bound", "--endpoint", "chat", "--network", "10.1.0.0/16", "--expires", "90d")
	assert.Len(t, made.EndpointIDs, 1)
	assert.Equal(t, []string{"10.1.0.0/16"}, made.Networks)
	assert.WithinDuration(t, time.Now().Add(90*24*time.Hour), made.Expires, time.Minute)
	assert.Regexp(t, `^slu_`, made.Token)
	assert.Regexp(t, `bound +admin +1 endpoint, 10\.1\.0\.0/16 .* never +expires `, g.ok("", "tokens", "list"))
	g.json(&made, "tokens", "create", "day", "--expires", "2099-12-31")
	assert.Equal(t, 2099, made.Expires.Year())
	assert.Contains(t, g.run("", "tokens", "create", "x", "--endpoint", "nowhere").err, "nowhere")
	for _, bad := range []string{"yesterday", "2001-01-01", "0d", ""} {
		assert.Equal(t, 2, g.run("", "tokens", "create", "x", "--expires", bad).code, bad)
	}
	g.ok("", "tokens", "revoke", "bound")
	assert.NotContains(t, g.ok("", "tokens", "list", "--active"), "bound")
	assert.Contains(t, g.run("", "tokens", "revoke", "bound").err, `no token named "bound"`)
	g.ok("", "tokens", "create", "day")
	assert.Contains(t, g.run("", "tokens", "revoke", "day").err, `2 tokens are named "day"; give the id`)
}

func TestServiceAccounts(t *testing.T) {
	g := newGateway(t)
	assert.Regexp(t, `kind +service-account`, g.ok("", "service-accounts", "create", "robot"))
	g.ok("", "users", "create", "alice")
	assert.NotContains(t, g.ok("", "service-accounts", "list"), "alice")
	assert.NotContains(t, g.ok("", "users", "list", "--kind", "person"), "robot")
	token := strings.TrimSpace(g.ok("", "service-accounts", "tokens", "create", "robot", "batch"))
	assert.Regexp(t, `batch +robot`, g.ok("", "service-accounts", "tokens", "list", "robot"))
	t.Setenv("SLUICE_TOKEN", token)
	assert.Regexp(t, `name +robot`, g.ok("", "whoami"))
	t.Setenv("SLUICE_TOKEN", "")
	g.ok("", "service-accounts", "tokens", "revoke", "batch")
	g.ok("", "service-accounts", "update", "robot", "--full-name", "A robot")
	assert.Regexp(t, `full name +A robot`, g.ok("", "service-accounts", "show", "robot"))
	g.ok("", "service-accounts", "delete", "robot", "--yes")
	assert.Equal(t, 1, g.run("", "service-accounts", "show", "robot").code)
}

// A user who calls himself as an organization is called does not come in by its
// name.
func TestAnAmbiguousOwnerIsRefused(t *testing.T) {
	g := newGateway(t)
	require.Equal(t, 0, g.run("", "users", "create", "Science").code)
	require.Equal(t, 0, g.run("", "orgs", "create", "science").code)
	r := g.run("sk-x", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "m", "--secret", "openai_api_key=-")
	require.Equal(t, 0, r.code, r.err)
	r = g.run("", "endpoints", "permissions", "grant", "chat", "--owner", "science")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "a user and an organization named")
	assert.Contains(t, g.run("", "endpoints", "permissions", "grant", "chat", "--owner", "nobody").err, "no user or organization named")
	require.Equal(t, 0, g.run("", "endpoints", "permissions", "grant", "chat", "--owner", "admin").code)
}

// An owner, who may not list users, shares by name and sees whom by name.
func TestAnOwnerSharesByName(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "olga", "--role", "endpoint-owner")
	g.ok("", "users", "create", "bob")
	g.ok("", "orgs", "create", "science")
	token := strings.TrimSpace(g.ok("", "tokens", "create", "t", "--user", "olga"))
	t.Setenv("SLUICE_TOKEN", token)
	require.Equal(t, 1, g.run("", "users", "list").code)
	g.ok("", "endpoints", "create", "mine", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m", "--user", "bob")
	shown := g.ok("", "endpoints", "permissions", "grant", "mine", "--org", "science", "--user", "olga")
	assert.Regexp(t, `(?m)^users +(bob, olga|olga, bob)$`, shown)
	assert.Regexp(t, `(?m)^organizations +science$`, shown)
	assert.Regexp(t, `(?m)^users +olga$`, g.ok("", "endpoints", "permissions", "revoke", "mine", "--user", "bob"))
	assert.Empty(t, g.run("", "endpoints", "permissions", "show", "mine").err)
	open := g.run("", "endpoints", "permissions", "set", "mine", "--everyone")
	assert.Contains(t, open.err, "Everyone may call it, whoever else is named")
	assert.Empty(t, g.run("", "endpoints", "permissions", "set", "mine", "--everyone=false").err)
	assert.Contains(t, g.run("", "endpoints", "permissions", "grant", "mine", "--user", "nobody").err, `no user named "nobody"`)
	assert.Contains(t, g.ok("", "export", "mine"), "- science\n")
}
