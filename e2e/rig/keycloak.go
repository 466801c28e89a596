package rig

import (
	"bytes"
	_ "embed" // the realm
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/freeport"
)

// keycloakVersion is that of tools/fetch-keycloak.
const keycloakVersion = "26.5.0"

// keycloakRealm has the users ann, bob, carol and admin, whose passwords are
// NAME-password; the groups science, science/physics and arts; and the clients
// sluice-web (code flow, secret web-secret), sluice-cli (public), batch (service
// account, secret batch-secret), brief (tokens of two seconds) and elsewhere
// (tokens for another audience).
//
//go:embed testdata/keycloak-realm.json
var keycloakRealm []byte

// Keycloak is a running Keycloak with the realm corp.
type Keycloak struct {
	URL    string // http://localhost:PORT
	Issuer string // of the realm

	t    testing.TB
	home string
	addr string // 127.0.0.1:PORT
	cmd  *exec.Cmd
	done chan struct{}
	log  string
}

// StartKeycloak starts Keycloak, which takes some ten seconds, and stops it when
// the test ends. Where tools/fetch-keycloak has not fetched it the test is
// skipped, unless CI is true.
func StartKeycloak(t testing.TB) *Keycloak {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	dist := filepath.Join(filepath.Dir(file), "../../.tools/keycloak-"+keycloakVersion)
	dist, err := filepath.EvalSymlinks(dist)
	if err == nil {
		_, err = os.Stat(filepath.Join(dist, "ok"))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Keycloak is missing: run tools/fetch-keycloak (%v)", err)
		}
		t.Skip("SKIPPED: Keycloak is missing, so nothing of signing in with it is tested: run tools/fetch-keycloak (needs a JDK and Maven)")
	}
	k := &Keycloak{t: t, home: t.TempDir(), addr: freeport.Address(t)}
	_, port, err := net.SplitHostPort(k.addr)
	must(t, err)
	k.URL = "http://localhost:" + port
	k.Issuer = k.URL + "/realms/corp"
	// A home of its own, for the database; the program is shared.
	// kc.sh takes the folder above its own, links resolved, for the home.
	script, err := os.ReadFile(filepath.Join(dist, "bin", "kc.sh"))
	must(t, err)
	must(t, os.Mkdir(filepath.Join(k.home, "bin"), 0o700))
	must(t, os.WriteFile(filepath.Join(k.home, "bin", "kc.sh"), script, 0o600))
	for _, name := range []string{"conf", "lib", "providers", "themes"} {
		must(t, os.Symlink(filepath.Join(dist, name), filepath.Join(k.home, name)))
	}
	imports := filepath.Join(k.home, "data", "import")
	must(t, os.MkdirAll(imports, 0o700))
	must(t, os.WriteFile(filepath.Join(imports, "corp.json"), keycloakRealm, 0o600))
	t.Cleanup(k.Stop)
	k.Start()
	return k
}

// Start starts it again after Stop, with the same address and data.
func (k *Keycloak) Start() {
	k.t.Helper()
	_, port, err := net.SplitHostPort(k.addr)
	must(k.t, err)
	k.log = filepath.Join(k.t.TempDir(), "keycloak.log")
	log, err := os.Create(k.log)
	must(k.t, err)
	defer log.Close()
	k.cmd = exec.Command("sh", filepath.Join(k.home, "bin", "kc.sh"), "start", "--optimized", "--import-realm", "--cache=local",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+port, "--hostname="+k.URL)
	k.cmd.Env = append(os.Environ(), "JAVA_OPTS_KC_HEAP=-Xms128m -Xmx512m",
		"KC_BOOTSTRAP_ADMIN_USERNAME=root", "KC_BOOTSTRAP_ADMIN_PASSWORD=root-password")
	k.cmd.Dir = k.home
	k.cmd.Stdout, k.cmd.Stderr = log, log
	// Java runs in place of the shell: it ends with the test.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	must(k.t, k.cmd.Start())
	done := make(chan struct{})
	k.done = done
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(done) }(k.cmd)
	k.await()
}

func (k *Keycloak) await() {
	k.t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for {
		resp, err := http.Get(k.Issuer + "/.well-known/openid-configuration")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-k.done:
			k.fail("Keycloak ended")
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			k.fail("Keycloak is not ready after four minutes")
		}
	}
}

func (k *Keycloak) fail(what string) {
	k.t.Helper()
	text, _ := os.ReadFile(k.log)
	k.t.Fatalf("%s:\n%s", what, text)
}

// Stop stops it; the data stays.
func (k *Keycloak) Stop() {
	if k.cmd == nil {
		return
	}
	_ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-k.done:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL)
		<-k.done
	}
	k.cmd = nil
}

// Options are a gateway's that trusts this Keycloak, with more keys of
// identity.oidc in YAML's flow style, "" for none.
func (k *Keycloak) Options(more string) Options {
	if more != "" {
		more = ", " + more
	}
	return Options{
		Resolve: map[string]string{strings.TrimPrefix(k.URL, "http://"): k.addr},
		Config: fmt.Sprintf("identity:\n  oidc: { issuer: %q, audience: sluice, client_id: sluice-web, client_secret: web-secret,"+
			" cli_client_id: sluice-cli, name: Keycloak, roles_map: { ai-admins: administrator, ai-readers: auditor }%s }\n", k.Issuer, more),
	}
}

// UserToken is an access token that a user's name and password were given for.
func (k *Keycloak) UserToken(client, user string) string {
	k.t.Helper()
	return k.grant("corp", url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {user + "-password"}, "scope": {"openid"},
	})
}

// ClientToken is an access token of a client that acts for itself.
func (k *Keycloak) ClientToken(client, secret string) string {
	k.t.Helper()
	return k.grant("corp", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}})
}

func (k *Keycloak) grant(realm string, form url.Values) string {
	k.t.Helper()
	resp, err := http.PostForm(k.URL+"/realms/"+realm+"/protocol/openid-connect/token", form)
	must(k.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(k.t, err)
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &token); err != nil || token.Access == "" {
		k.t.Fatalf("Keycloak gave no token: %s", body)
	}
	return token.Access
}

// Admin calls Keycloak's admin API below the realm corp, and decodes the reply
// into out, which may be nil.
func (k *Keycloak) Admin(method, path string, in, out any) {
	k.t.Helper()
	body, err := json.Marshal(in)
	must(k.t, err)
	if in == nil {
		body = nil
	}
	req, err := http.NewRequest(method, k.URL+"/admin/realms/corp"+path, bytes.NewReader(body))
	must(k.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+k.grant("master", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"root"}, "password": {"root-password"},
	}))
	resp, err := http.DefaultClient.Do(req)
	must(k.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(k.t, err)
	if resp.StatusCode >= http.StatusBadRequest {
		k.t.Fatalf("%s %s: Keycloak answered %d: %s", method, path, resp.StatusCode, text)
	}
	if out != nil {
		must(k.t, json.Unmarshal(text, out))
	}
}

// keyProvider is a component that makes signing keys.
type keyProvider struct {
	ID         string              `json:"id,omitempty"`
	Name       string              `json:"name"`
	ProviderID string              `json:"providerId"`
	Type       string              `json:"providerType"`
	Parent     string              `json:"parentId"`
	Config     map[string][]string `json:"config"`
}

// RotateKey makes a new active RSA key for signatures; with remove, the keys
// before it are withdrawn.
func (k *Keycloak) RotateKey(name string, remove bool) {
	k.t.Helper()
	const keys = "org.keycloak.keys.KeyProvider"
	var all []keyProvider
	k.Admin("GET", "/components?type="+keys, nil, &all)
	var realm struct {
		ID string `json:"id"`
	}
	k.Admin("GET", "", nil, &realm)
	k.Admin("POST", "/components", keyProvider{
		Name: name, ProviderID: "rsa-generated", Type: keys, Parent: realm.ID,
		Config: map[string][]string{
			"priority": {fmt.Sprint(1000 + len(all))}, "enabled": {"true"}, "active": {"true"}, "algorithm": {"RS256"}, "keySize": {"2048"},
		},
	}, nil)
	for _, p := range all {
		if remove && p.ProviderID == "rsa-generated" {
			k.Admin("DELETE", "/components/"+p.ID, nil, nil)
		}
	}
}
