package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/extproc/provider"
	"sluice/internal/simulate"
)

// TestNoSecretOfAnyProviderShowsUpAnywhere is TestNoSecretShowsUpAnywhere with
// every provider: keys, the parts of a service account, client secrets, and the
// tokens and sessions that were fetched by them; with the log at its most.
func TestNoSecretOfAnyProviderShowsUpAnywhere(t *testing.T) {
	g := rig.Start(t, rig.Options{AllProviders: true, Config: "log_level: debug\n"})
	var seen strings.Builder
	keep := func(r rig.Reply) { fmt.Fprintf(&seen, "%d %v %s\n", r.Status, r.Header, r.Body) }
	secrets := map[string]string{"client token": g.UserToken}
	for _, e := range g.All.Endpoints() {
		configured(t, secrets, e)
		for _, act := range []simulate.Act{{}, {Fault: simulate.Fail, Status: 401}, {Fault: simulate.Fail, Status: 400}} {
			g.All.By[e.StandIn].Always(&act)
			keep(g.Call("POST", "/gateway/"+e.Name+"/invocations", g.UserToken, asked[e.Type]))
			keep(g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"`+e.Name+`","stream":true,`+hello[1:]))
			keep(g.Call("GET", "/native/"+e.Name+"/v1/models?key="+g.UserToken, g.UserToken, ""))
		}
		g.All.By[e.StandIn].Always(nil)
		// Refused changes, and what is told of them.
		broken := map[string]string{"no_such_parameter": "x"}
		for name, value := range e.Config {
			broken[name] = value
		}
		keep(g.Call("POST", endpoints, g.AdminToken, rig.Endpoint(e.Name+"-broken", e.Type, e.Provider, e.Model, broken)))
		keep(g.Call("GET", "/api/sluice/v1/endpoints/"+e.Name+"/targets", g.AdminToken, ""))
	}
	keep(g.Call("POST", "/api/sluice/v1/apply", g.AdminToken, rig.MLflowYAML(g.All.Endpoints())))
	fetched := fetchedBy(g)
	require.Contains(t, fmt.Sprint(fetched), "google")
	require.Contains(t, fmt.Sprint(fetched), "session")
	for what, value := range fetched {
		secrets[what] = value
	}
	for _, path := range []string{endpoints, "/api/sluice/v1/status", "/api/sluice/v1/providers", "/api/sluice/v1/audit?limit=1000",
		"/api/aigateway/v1/audit", "/api/2.0/endpoints/", "/v1/models", "/readyz"} {
		keep(g.Call("GET", path, g.AdminToken, ""))
	}
	resp, err := http.Get(g.Metrics + "/metrics")
	require.NoError(t, err)
	_, err = io.Copy(&seen, resp.Body)
	require.NoError(t, err)
	_ = resp.Body.Close()
	seen.WriteString(configDump(t, g))
	seen.WriteString(processes(t, g))
	seen.WriteString(g.Output())
	absent(t, secrets, "a reply, the log, the metrics, Envoy's configuration or the process list", seen.String())

	for where, text := range exported(t, g) {
		absent(t, secrets, where, text)
	}
	g.Stop()
	require.NoError(t, filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(d.Name(), "-token") {
			return err
		}
		b, err := os.ReadFile(path)
		absent(t, secrets, d.Name(), string(b))
		return err
	}))
}

var asked = map[string]string{
	"chat": hello, "completions": `{"prompt":"say hello","max_tokens":20}`, "embeddings": `{"input":["say hello"]}`,
}

// configured adds an endpoint's secrets. Of a JSON credential, each line of its
// key is one.
func configured(t *testing.T, secrets map[string]string, e rig.ProviderEndpoint) {
	t.Helper()
	row, known := provider.Lookup(e.Provider)
	require.True(t, known)
	for name, value := range e.Config {
		if !row.IsSecret(name) || len(value) < 8 {
			continue
		}
		var account struct {
			Key string `json:"private_key"`
		}
		if json.Unmarshal([]byte(value), &account) != nil {
			secrets[e.Name+" "+name] = value
			continue
		}
		lines := strings.Split(account.Key, "\n")
		require.Greater(t, len(lines), 10)
		for i, line := range lines[2 : len(lines)-3] {
			secrets[fmt.Sprintf("%s %s, line %d", e.Name, name, i)] = line
		}
	}
}

// fetchedBy are the tokens that providers were shown, and the sessions.
func fetchedBy(g *rig.Gateway) map[string]string {
	found := map[string]string{}
	for name, standIn := range g.All.By {
		for i, r := range standIn.Requests() {
			kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
			if ok && kind == "Bearer" {
				found[fmt.Sprint(name, " token ", i)] = token
			}
			if session := r.Header.Get("X-Amz-Security-Token"); session != "" {
				found[fmt.Sprint(name, " session ", i)] = session
			}
		}
	}
	if len(g.All.By["google-token"].Requests()) > 0 {
		found["google's own"] = string(g.All.By["google-token"].Requests()[0].Body)
	}
	return found
}

// absent looks for secrets in a text.
func absent(t *testing.T, secrets map[string]string, where, text string) {
	t.Helper()
	for what, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s in %s, after: %q", what, where, text[max(0, at-300):at])
		}
	}
}
