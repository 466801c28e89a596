package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin/api"
	"sluice/internal/cli"
)

// home gives the test a folder of profiles of its own, and takes the data folder
// out of sight.
func (g *gateway) home() (file string) {
	dir := filepath.Join(g.t.TempDir(), "config")
	g.t.Setenv("XDG_CONFIG_HOME", dir)
	g.t.Chdir(g.t.TempDir())
	return filepath.Join(dir, "sluice", "profiles.json")
}

func (g *gateway) adminToken() string {
	token, err := os.ReadFile(filepath.Join(g.data, "admin-token"))
	require.NoError(g.t, err)
	return strings.TrimSpace(string(token))
}

func TestLogin(t *testing.T) {
	g := newGateway(t)
	file := g.home()
	token := g.adminToken()
	print := cli.Fingerprint(g.certificate)

	r := g.bare(token, "login", "--server", g.url, "--token-stdin")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, print, "it says what to compare")
	r = g.bare(token, "login", "--server", g.url, "--token-stdin", "--ca-fingerprint", "sha256:"+strings.Repeat("0", 64))
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "somebody may be in between")
	assert.NoFileExists(t, file)
	r = g.bare("slu_wrong", "login", "--server", g.url, "--token-stdin", "--ca-fingerprint", print)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "does not let you in")
	assert.NoFileExists(t, file)

	r = g.bare(token+"\n", "login", "--server", g.url+"/", "--token-stdin", "--ca-fingerprint", strings.ToUpper(print))
	require.Equal(t, 0, r.code, r.err)
	assert.Contains(t, r.out, "Signed in to "+g.url+" as admin.")
	assert.NotContains(t, r.out+r.err, token)
	for name, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), name)
	}

	assert.Regexp(t, `(?m)^name +admin$`, g.bare("", "whoami").out)
	assert.Equal(t, 0, g.bare("", "endpoints", "list").code)
	assert.Equal(t, 0, g.bare("", "endpoints", "list", "--server", g.url).code, "the profile's own server")
	other := g.bare("", "endpoints", "list", "--server", "https://127.0.0.1:1")
	assert.Contains(t, other.err, "you have not signed in", "the token goes to no other server")

	r = g.bare(token, "login", "--profile", "second", "--token-stdin", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"))
	require.Equal(t, 0, r.code, r.err)
	list := g.bare("", "profiles", "list").out
	assert.Regexp(t, `(?m)^ +default +`+g.url+` +admin +token$`, list)
	assert.Regexp(t, `(?m)^\* +second +`, list)
	assert.NotContains(t, g.bare("", "profiles", "list", "-o", "json").out, token)
	assert.Contains(t, g.bare("", "profiles", "use", "default").out, "default")
	assert.Equal(t, 1, g.bare("", "profiles", "use", "third").code)

	t.Setenv("SLUICE_TOKEN", "slu_wrong")
	assert.Equal(t, 1, g.bare("", "whoami").code, "the environment is before the profile")
	tokenFile := filepath.Join(g.data, "admin-token")
	assert.Equal(t, 0, g.bare("", "whoami", "--token-file", tokenFile).code, "and flags before the environment")
	t.Setenv("SLUICE_TOKEN", "")
	assert.Contains(t, g.bare("", "logout").out, "Signed out")
	signedOut := g.bare("", "whoami")
	assert.Equal(t, 1, signedOut.code)
	assert.Contains(t, signedOut.err, "sluice login --profile default")
	assert.Equal(t, 0, g.bare("", "whoami", "--profile", "second").code)
	t.Setenv("SLUICE_PROFILE", "second")
	assert.Equal(t, 0, g.bare("", "whoami").code)
	t.Setenv("SLUICE_PROFILE", "")
	require.Equal(t, 0, g.bare(token, "login", "--token-stdin").code, "server and CA are known")
	assert.Equal(t, 0, g.bare("", "whoami").code)
	assert.Equal(t, 0, g.bare("", "profiles", "delete", "default").code)
	assert.NotContains(t, g.bare("", "profiles", "list").out, "default")
}

func TestLoginUsage(t *testing.T) {
	g := newGateway(t)
	file := g.home()
	for says, args := range map[string][]string{
		"nobody to ask for the token": {"--ca", filepath.Join(g.data, "ca.pem")},
		"go with --oidc":              {"--device"},
		"a profile has a name":        {"--profile", "../x"},
		"none of the others can be":   {"--oidc", "--token-stdin"},
		"in the clear":                {"--server", "http://gateway.example", "--token-file", filepath.Join(g.data, "admin-token")},
	} {
		r := g.bare("", append([]string{"login", "--server", g.url}, args...)...)
		assert.Equal(t, 2, r.code, r.err)
		assert.Contains(t, r.err, says)
	}
	r := g.bare("", "login", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"), "--oidc")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "has no identity provider")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	assert.Contains(t, g.bare("", "whoami").err, "repair it or take it away")
}

// issuer is an identity provider that gives a token of the gateway as its ID
// token.
type issuer struct {
	*httptest.Server
	t       *testing.T
	idToken string
	life    int // seconds
	renewed int
	asked   url.Values // of the last request for a token
}

func newIssuer(t *testing.T, idToken string) *issuer {
	i := &issuer{t: t, idToken: idToken, life: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.json(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token",
			"device_authorization_endpoint": i.URL + "/device"})
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		assert.NotEmpty(t, r.FormValue("code_challenge"))
		i.json(w, map[string]any{"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": i.URL + "/code", "interval": 1, "expires_in": 60})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		assert.Equal(t, "S256", q.Get("code_challenge_method"))
		http.Redirect(w, r, q.Get("redirect_uri")+"?code=c&state="+q.Get("state"), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseForm())
		i.asked = r.PostForm
		assert.Equal(t, "sluice-cli", r.FormValue("client_id"))
		if r.FormValue("grant_type") == "refresh_token" {
			i.renewed++
			if r.FormValue("refresh_token") != "refresh-"+fmt.Sprint(i.renewed) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				i.json(w, map[string]any{"error": "invalid_grant"})
				return
			}
		} else {
			assert.NotEmpty(t, r.FormValue("code_verifier"))
		}
		i.json(w, map[string]any{"access_token": "opaque", "id_token": i.idToken, "token_type": "Bearer", "expires_in": i.life,
			"refresh_token": "refresh-" + fmt.Sprint(i.renewed+1)})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	assert.NoError(i.t, json.NewEncoder(w).Encode(v))
}

func TestLoginByIdentityProvider(t *testing.T) {
	g := newGateway(t)
	file := g.home()
	i := newIssuer(t, g.adminToken())
	g.ways = api.SignIn{Methods: []string{api.SignInToken, api.SignInOIDC}, Issuer: i.URL, ClientID: "sluice-cli"}
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	in := []string{"login", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"), "--oidc"}

	r := g.bare("", in...)
	require.Equal(t, 0, r.code, r.err)
	assert.Contains(t, r.err, "ABCD-EFGH")
	assert.Contains(t, r.out, "as admin")
	assert.Contains(t, g.bare("", "profiles", "list").out, "oidc")
	assert.Equal(t, 0, g.bare("", "whoami").code)
	assert.Zero(t, i.renewed)

	i.life = 10 // shorter than what is renewed before
	out := g.throughBrowser(append(in, "--browser"))
	assert.Contains(t, out, "as admin")
	assert.Equal(t, "authorization_code", i.asked.Get("grant_type"))
	assert.Equal(t, 0, g.bare("", "whoami").code)
	assert.Equal(t, 0, g.bare("", "whoami").code, "with the new refresh token")
	assert.Equal(t, 2, i.renewed)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(kept, []byte("refresh-3"), []byte("refresh-0")), 0o600))
	ended := g.bare("", "whoami")
	assert.Equal(t, 1, ended.code)
	assert.Contains(t, ended.err, "sluice login --oidc --profile default (invalid_grant)")
}

// TestOneRenewalForCommandsAtOnce has commands find a token that is about to
// end: its refresh token is good for one renewal.
func TestOneRenewalForCommandsAtOnce(t *testing.T) {
	g := newGateway(t)
	g.home()
	i := newIssuer(t, g.adminToken())
	g.ways = api.SignIn{Methods: []string{api.SignInOIDC}, Issuer: i.URL, ClientID: "sluice-cli"}
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	i.life = 10
	require.Equal(t, 0, g.bare("", "login", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"), "--oidc").code)
	i.life = 3600
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			r := g.bare("", "whoami")
			assert.Equal(t, 0, r.code, r.err)
		})
	}
	all.Wait()
	assert.Equal(t, 1, i.renewed)
}

// throughBrowser signs in as a browser does that opens the address that the
// command shows, and returns what the command says.
func (g *gateway) throughBrowser(args []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	errOut, said := io.Pipe()
	var out bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- cli.Execute(ctx, cli.Program{}, args, strings.NewReader(""), &out, said)
		_ = said.Close()
	}()
	lines := bufio.NewScanner(errOut)
	for lines.Scan() {
		address := lines.Text()
		if !strings.HasPrefix(address, "http") {
			continue
		}
		u, err := url.Parse(address)
		require.NoError(g.t, err)
		forged, err := http.Get(u.Query().Get("redirect_uri") + "?code=evil&state=guessed")
		require.NoError(g.t, err)
		require.Equal(g.t, http.StatusBadRequest, forged.StatusCode)
		_ = forged.Body.Close()
		resp, err := http.Get(address)
		require.NoError(g.t, err)
		page, err := io.ReadAll(resp.Body)
		require.NoError(g.t, err)
		_ = resp.Body.Close()
		assert.Contains(g.t, string(page), "close this page")
	}
	require.Equal(g.t, 0, <-code, out.String())
	return out.String()
}

// The token of a data folder is for the gateway on this machine: it does not go
// to another that is named, or that the environment names.
func TestATokenOfTheDataFolderStaysHere(t *testing.T) {
	g := newGateway(t)
	g.home()
	require.NoError(t, os.MkdirAll("data", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join("data", "admin-token"), []byte(g.adminToken()), 0o600))
	const elsewhere = "https://gateway.invalid"
	r := g.bare("", "endpoints", "list", "--server", elsewhere)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "is for the gateway on this machine")
	t.Setenv("SLUICE_SERVER", elsewhere)
	assert.Contains(t, g.bare("", "endpoints", "list").err, "is for the gateway on this machine")
	assert.Contains(t, g.bare("", "endpoints", "list", "--data", "data").err, "calling "+elsewhere, "both are named")
	t.Setenv("SLUICE_SERVER", "")
	assert.Equal(t, 0, g.bare("", "endpoints", "list", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem")).code)
}

// A gateway that names an issuer of bad faith can't have the browser opened at
// any kind of address, nor the code sent in the clear.
func TestAnIssuersAddressesAreHTTPS(t *testing.T) {
	g := newGateway(t)
	g.home()
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "device_authorization_endpoint"} {
		for _, address := range []string{"file:///etc/passwd", "http://idp.example/x", "--help", "javascript:alert(1)", "x://127.0.0.1/"} {
			mux := http.NewServeMux()
			s := httptest.NewServer(mux)
			mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
				said := map[string]any{"issuer": s.URL, "authorization_endpoint": s.URL, "token_endpoint": s.URL}
				said[name] = address
				assert.NoError(t, json.NewEncoder(w).Encode(said))
			})
			g.ways = api.SignIn{Methods: []string{api.SignInOIDC}, Issuer: s.URL, ClientID: "sluice-cli"}
			r := g.bare("", "login", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"), "--oidc", "--device")
			assert.Equal(t, 1, r.code)
			assert.Contains(t, r.err, "is not https", address)
			s.Close()
		}
	}
}
