package cli_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/extproc/provider"
	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/cli"
	"sluice/internal/identity"
	"sluice/internal/keeper"
	"sluice/internal/session"
	"sluice/internal/state"
	"sluice/internal/trailkeys"
	"sluice/internal/usage"
	"sluice/internal/vault"
	"sluice/policies"
)

const canary = "sk-canary-77e1"

// gateway is the control server over TLS, with the data folder that a command
// on the same machine would find.
type gateway struct {
	t    *testing.T
	data string
	url  string
	// disconnect breaks all connections off.
	disconnect func()
	// ways is what the gateway says of how to sign in.
	ways        api.SignIn
	settings    api.Settings
	probe       func(t provider.Target, kind string) api.TargetTestResult
	certificate *x509.Certificate
	watch       func(*http.Request) // sees, and may change, each request; nil: nobody does
	mux         *http.ServeMux      // for what is not the control server's
	trail       *audit.Trail
	usage       *usage.Usage
	sessions    *session.Manager
	people      *identity.Store
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, data: t.TempDir()}
	t.Chdir(g.data)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(g.data, "config"))
	g.ways = api.SignIn{Methods: []string{api.SignInToken}}
	g.mux = http.NewServeMux()
	server := httptest.NewTLSServer(g.mux)
	t.Cleanup(server.Close)
	g.url, g.certificate, g.disconnect = server.URL, server.Certificate(), server.CloseClientConnections
	handler := g.handler()
	g.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if g.watch != nil {
			g.watch(r)
		}
		handler.ServeHTTP(w, r)
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(g.data, "ca.pem"), ca, 0o600))
	g.mux.HandleFunc("GET /ui/ca.pem", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ca) })
	return g
}

func (g *gateway) handler() http.Handler {
	db, err := state.Open(filepath.Join(g.data, "sluice.db"))
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = db.Close() })
	keys, err := vault.OpenLocal(filepath.Join(g.data, "vault.keyset"))
	require.NoError(g.t, err)
	people, err := identity.NewStore(db, time.Now, catalog.NewID)
	require.NoError(g.t, err)
	endpoints, err := catalog.NewStore(db, keys, time.Now, catalog.NewID)
	require.NoError(g.t, err)
	people.OnRemove(endpoints.Forget)
	g.people = people
	g.trail, err = audit.Open(audit.Options{Dir: filepath.Join(g.data, "audit"), Now: time.Now})
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = g.trail.Close() })
	g.usage, err = usage.Open(usage.Options{Path: filepath.Join(g.data, "usage.db"), Trail: g.trail})
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = g.usage.Close() })
	g.sessions, err = session.New(session.Options{
		DB: db, Callers: people, Now: time.Now, NewID: catalog.NewID, Log: zap.NewNop(),
		Limits: session.Limits{Idle: time.Hour, Absolute: 12 * time.Hour, PerUser: 10},
	})
	require.NoError(g.t, err)
	policy, err := policies.New(policies.Options{Timeout: time.Minute})
	require.NoError(g.t, err)

	ctx := context.Background()
	admins, err := people.CreateUser(ctx, identity.User{Name: "admin", Roles: []string{identity.RoleAdministrator}})
	require.NoError(g.t, err)
	token, _, err := people.IssueToken(ctx, identity.Token{Name: "test", UserID: admins.ID})
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(filepath.Join(g.data, "admin-token"), []byte(token+"\n"), 0o600))
	keep := keeper.New(keeper.Options{Catalog: endpoints, Vaults: vault.NewSet(keys), Record: g.trail.Event, Now: time.Now, Log: zap.NewNop()}, time.Hour)
	running, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = keep.Run(running) }()
	g.t.Cleanup(func() { cancel(); <-ended })
	signer, err := trailkeys.Open(ctx, trailkeys.Options{DB: db, Vault: vault.NewSet(keys), Now: time.Now, Log: zap.NewNop()})
	require.NoError(g.t, err)
	require.NoError(g.t, g.trail.SetSigner(signer))
	return admin.New(admin.Deps{
		Vault: keep, TrailKeys: signer,
		Identity: people, Catalog: endpoints, Policy: policy, Trail: g.trail, Usage: g.usage, Sessions: g.sessions,
		Activate:   func(context.Context, *catalog.Endpoint) error { return nil },
		CheckHost:  func(context.Context, string) error { return nil },
		Components: func() []admin.Component { return nil },
		SignIn:     func() api.SignIn { return g.ways },
		Settings:   func() api.Settings { return g.settings },
		Probe: func(_ context.Context, t provider.Target, kind string) api.TargetTestResult {
			return g.probe(t, kind)
		},
		Version: "1.2.3", Now: time.Now, NewID: catalog.NewID, Log: zap.NewNop(),
	})
}

// result is what one command did.
type result struct {
	code     int
	out, err string
}

// run runs a command that speaks to the gateway; stdin is what it reads.
func (g *gateway) run(stdin string, args ...string) result {
	return g.bare(stdin, append(args, "--server", g.url, "--data", g.data)...)
}

// bare runs a command as it is given.
func (g *gateway) bare(stdin string, args ...string) result {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	code := cli.Execute(ctx, cli.Program{Version: "1.2.3"}, args, strings.NewReader(stdin), &out, &errOut)
	r := result{code: code, out: out.String(), err: errOut.String()}
	assert.NotContains(g.t, r.out+r.err, canary, args)
	return r
}

// ok wants success and returns the output.
func (g *gateway) ok(stdin string, args ...string) string {
	g.t.Helper()
	r := g.run(stdin, args...)
	require.Equal(g.t, 0, r.code, "%v: %s%s", args, r.out, r.err)
	return r.out
}

// json wants success and reads the output as JSON.
func (g *gateway) json(into any, args ...string) {
	g.t.Helper()
	out := g.ok("", append(args, "-o", "json")...)
	require.NoError(g.t, json.Unmarshal([]byte(out), into), out)
}

func TestEndpointsCommands(t *testing.T) {
	g := newGateway(t)
	key := filepath.Join(g.data, "key")
	require.NoError(t, os.WriteFile(key, []byte(canary+"\n"), 0o600))
	create := []string{"endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4"}
	shown := g.ok("", append(create, "--secret", "openai_api_key=file:"+key, "--set", "openai_organization=acme",
		"--limit-calls", "5", "--limit-period", "2 minutes")...)
	assert.Contains(t, shown, "openai_api_key       (set, not shown)")
	assert.Contains(t, shown, "acme")
	assert.Equal(t, 1, g.run("", create...).code, "it exists, and the key is missing")

	g.ok("", "users", "create", "alice")
	g.ok("", "orgs", "create", "science", "--member", "alice")
	permissions := g.ok("", "endpoints", "permissions", "set", "chat", "--user", "Alice", "--org", "science")
	assert.Contains(t, permissions, "everyone       false")
	assert.Regexp(t, `users +alice\norganizations +science`, permissions)
	var p struct {
		UserIDs, OrganizationIDs, Roles []string
		IsEveryoneAllowed               bool
	}
	g.json(&p, "endpoints", "permissions", "set", "chat", "--user=")
	assert.Empty(t, p.UserIDs)
	assert.Len(t, p.OrganizationIDs, 1)
	g.json(&p, "endpoints", "permissions", "grant", "chat", "--user", "alice", "--role", "auditor", "--everyone")
	assert.Len(t, p.UserIDs, 1)
	assert.Len(t, p.OrganizationIDs, 1, "what is not named stays")
	assert.True(t, p.IsEveryoneAllowed)
	g.json(&p, "endpoints", "permissions", "revoke", "chat", "--user", "alice", "--org", "science", "--everyone")
	assert.Empty(t, p.UserIDs)
	assert.Empty(t, p.OrganizationIDs)
	assert.False(t, p.IsEveryoneAllowed)
	assert.Equal(t, []string{"auditor"}, p.Roles)
	assert.Regexp(t, `roles +auditor`, g.ok("", "endpoints", "permissions", "show", "chat"))
	assert.Contains(t, g.run("", "endpoints", "permissions", "grant", "chat", "--user", "nobody").err, `no user named "nobody"`)
	assert.Equal(t, 2, g.run("", "endpoints", "permissions", "revoke", "chat").code)

	g.ok(canary+"-2\n", "endpoints", "update", "chat", "--model", "gpt-5", "--secret", "openai_api_key=-")
	var e struct {
		ModelName   string
		ModelConfig map[string]string
		Limit       *struct{ Calls int }
	}
	g.json(&e, "endpoints", "show", "chat")
	assert.Equal(t, "gpt-5", e.ModelName)
	assert.Equal(t, map[string]string{"openai_organization": "acme"}, e.ModelConfig, "what is not named stays")
	assert.Equal(t, 5, e.Limit.Calls)
	g.ok("", "endpoints", "update", "chat", "--limit-calls", "0", "--set", "openai_organization=")
	g.json(&e, "endpoints", "show", "chat", "--output", "json")

	list := g.ok("", "endpoints", "list")
	assert.Regexp(t, `(?m)^NAME +TYPE +PROVIDER +MODEL +TARGETS +STATE +CREATED\nchat +llm/v1/chat +openai +gpt-5 +1 +on `, list)
	var all []map[string]any
	g.json(&all, "endpoints", "list", "--search", "nothing")
	assert.Equal(t, []map[string]any{}, all)
	g.ok("", "endpoints", "delete", "chat")
	missing := g.run("", "endpoints", "show", "chat")
	assert.Equal(t, 1, missing.code)
	assert.Contains(t, missing.err, "sluice: The endpoint 'chat' is not present")
}

func TestSecretsAreNotArguments(t *testing.T) {
	g := newGateway(t)
	t.Setenv("MY_KEY", canary)
	t.Setenv("EMPTY", "")
	create := func(secret ...string) result {
		args := []string{"endpoints", "create", "x", "--type", "llm/v1/chat", "--provider", "openai", "--model", "m"}
		for _, s := range secret {
			args = append(args, "--secret", s)
		}
		return g.run("", args...)
	}
	for name, c := range map[string]struct {
		secrets []string
		code    int
		says    string
	}{
		"a value":           {[]string{"openai_api_key=" + canary}, 2, "list of processes"},
		"no key":            {[]string{canary}, 2, "--secret takes"},
		"not set":           {[]string{"openai_api_key=env:NOT_SET"}, 1, "NOT_SET is not set"},
		"empty":             {[]string{"openai_api_key=env:EMPTY"}, 1, "is empty"},
		"no file":           {[]string{"openai_api_key=file:/does/not/exist"}, 1, "reading the secret openai_api_key"},
		"standard in twice": {[]string{"openai_api_key=-", "b=-"}, 2, "one key only"},
	} {
		t.Run(name, func(t *testing.T) {
			r := create(c.secrets...)
			assert.Equal(t, c.code, r.code)
			assert.Contains(t, r.err, c.says)
		})
	}
	assert.Equal(t, 0, create("openai_api_key=$MY_KEY").code)
}

func TestApplyCommand(t *testing.T) {
	g := newGateway(t)
	t.Setenv("OPENAI_API_KEY", canary)
	key := filepath.Join(g.data, "anthropic.key")
	require.NoError(t, os.WriteFile(key, []byte(canary+"\n"), 0o600))
	file := `
endpoints:
  - name: chat
    endpoint_type: llm/v1/chat
    model: {provider: openai, name: gpt-4, config: {openai_api_key: $OPENAI_API_KEY}}
  - name: claude
    endpoint_type: llm/v1/chat
    model: {provider: anthropic, name: claude-3, config: {anthropic_api_key: ` + key + `}}
    colour: red
`
	path := filepath.Join(g.data, "mlflow.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	r := g.run("", "apply", "-f", path)
	require.Equal(t, 0, r.code, r.err)
	assert.Regexp(t, `chat +created\nclaude +created\n`, r.out)
	assert.Contains(t, r.err, "mlflow.yaml:9:5: endpoints[1].colour")
	var p struct{ IsEveryoneAllowed bool }
	g.json(&p, "endpoints", "permissions", "show", "chat")
	assert.True(t, p.IsEveryoneAllowed)

	assert.Regexp(t, `chat +unchanged\nclaude +updated`, g.ok(strings.Replace(file, "claude-3", "claude-4", 1), "apply", "-f", "-"))
	g.ok(strings.ReplaceAll(file, "name: chat", "name: shy"), "apply", "--private", "-f", "-")
	g.json(&p, "endpoints", "permissions", "show", "shy")
	assert.False(t, p.IsEveryoneAllowed)

	bad := g.run(file+"routes: [{name: r, task_type: llm/v1/chat, destinations: [{name: chat, traffic_percentage: 99}]}]\n", "apply", "-f", "-")
	assert.Equal(t, 1, bad.code)
	assert.Contains(t, bad.err, "routes[0].destinations: the traffic percentages must be 100 in sum, but they are 99")
	split := file + "routes: [{name: split, task_type: llm/v1/chat, destinations: [{name: chat, traffic_percentage: 60}, " +
		"{name: claude, traffic_percentage: 40}]}]\n"
	assert.Regexp(t, `chat +unchanged\nclaude +unchanged\nsplit +created\n`, g.ok(split, "apply", "-f", "-"))
	assert.Regexp(t, `chat +unchanged\nclaude +unchanged\nsplit +unchanged\n`, g.ok(split, "apply", "-f", "-"))
	assert.Regexp(t, `chat +0 +60 +openai +gpt-4 +on\nclaude +0 +40 +anthropic +claude-3 +on\n`, g.ok("", "endpoints", "targets", "list", "split"))
	assert.Equal(t, 1, g.run("", "apply", "-f", "/does/not/exist").code)
	assert.Equal(t, 2, g.run("", "apply").code)
}
