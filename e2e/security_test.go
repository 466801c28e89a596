package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// TestAProviderGetsItsCredentialAndNothingOfTheClient looks at what arrived.
func TestAProviderGetsItsCredentialAndNothingOfTheClient(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	for _, way := range [][]string{
		{"Authorization", "Bearer " + g.UserToken}, {"X-Domino-Api-Key", g.UserToken}, {"x-api-key", g.UserToken},
		{"api-key", g.UserToken}, {"x-goog-api-key", g.UserToken},
	} {
		for _, backend := range []string{"openai", "anthropic"} {
			g.OpenAI.Forget()
			g.Anthropic.Forget()
			r := g.Call("POST", "/endpoints/chat-"+backend+"/invocations", "", hello, append(way,
				"Cookie", "session=canary-cookie", "X-Stainless-Lang", "python", "OpenAI-Organization", "canary-org",
				"X-Forwarded-For", "6.6.6.6", "Traceparent", "canary-trace", "User-Agent", "canary-agent", "anthropic-beta", "canary-beta")...)
			require.Equal(t, 200, r.Status, "%s", r.Body)
			provider := map[string]*simulate.Provider{"openai": g.OpenAI, "anthropic": g.Anthropic}[backend]
			require.Len(t, provider.Requests(), 1)
			got := provider.Requests()[0]
			require.Equal(t, "api."+backend+".com", got.Host)
			require.Equal(t, "api."+backend+".com", got.ServerName)
			for name, values := range got.Header {
				for _, v := range values {
					require.NotContains(t, v, g.UserToken, name)
					require.NotContains(t, v, "canary-cookie", name)
					require.NotContains(t, v, "canary-org")
					require.NotContains(t, v, "canary-trace")
					require.NotContains(t, v, "canary-agent")
					require.NotContains(t, v, "canary-beta")
					require.NotContains(t, v, "6.6.6.6")
				}
				require.Contains(t, []string{"Authorization", "X-Api-Key", "Anthropic-Version", "Content-Type", "Content-Length", "User-Agent", "Accept"},
					name, "a header that the provider should not see")
			}
			if backend == "openai" {
				require.Equal(t, "Bearer "+rig.OpenAIKey, got.Header.Get("Authorization"))
			} else {
				require.Equal(t, rig.AnthropicKey, got.Header.Get("X-Api-Key"))
			}
		}
	}
}

// TestNoSecretShowsUpAnywhere greps everything that leaves or is kept for the
// planted secrets.
func TestNoSecretShowsUpAnywhere(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	keyset, err := os.ReadFile(filepath.Join(g.Data, "vault.keyset"))
	require.NoError(t, err)
	secrets := map[string]string{
		"provider key": rig.OpenAIKey, "other provider key": rig.AnthropicKey, "client token": g.UserToken,
		"admin token": g.AdminToken, "vault keyset": strings.TrimSpace(string(keyset)),
	}
	g.Stop() // the first start may print the administrator's token; what follows may not
	g.Launch()
	var seen strings.Builder
	keep := func(r rig.Reply) { fmt.Fprintf(&seen, "%d %v %s\n", r.Status, r.Header, r.Body) }
	create := func(name, provider string, config map[string]string) {
		keep(g.Call("POST", endpoints, g.AdminToken, rig.Endpoint(name, "chat", provider, "m", config)))
	}
	create("a", "openai", map[string]string{"openai_api_key": rig.OpenAIKey})
	create("a", "openai", map[string]string{"openai_api_key": rig.OpenAIKey}) // exists
	create("b", "anthropic", map[string]string{"anthropic_api_key": rig.AnthropicKey})
	create("bad name!", "openai", map[string]string{"openai_api_key": rig.OpenAIKey})
	create("c", "openai", map[string]string{"openai_key": rig.OpenAIKey})
	create("d", "nonsense", map[string]string{"openai_api_key": rig.OpenAIKey})
	keep(g.Call("PATCH", endpoints+"/a", g.AdminToken, `{"modelConfig":{"openai_api_key":"`+rig.OpenAIKey+`","x":1}}`))
	keep(g.Call("POST", endpoints, g.AdminToken, `{"modelConfig":{"openai_api_key":"`+rig.OpenAIKey+`"`))
	for _, f := range []simulate.Act{{}, {Fault: simulate.Fail, Status: 401}, {Fault: simulate.Fail, Status: 500},
		{Fault: simulate.HTML}, {Fault: simulate.Garbage}, {Fault: simulate.ResetHead}} {
		g.OpenAI.Next(f)
		keep(g.Call("POST", "/endpoints/a/invocations", g.UserToken, hello))
		g.Anthropic.Next(f)
		keep(g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"b",`+hello[1:]))
	}
	keep(g.Call("POST", "/endpoints/a/invocations", g.UserToken+"x", hello))
	keep(g.Call("GET", "/api/2.0/endpoints/a?token="+"none", g.UserToken, ""))
	for _, path := range []string{endpoints, endpoints + "/a", "/api/sluice/v1/status", "/api/sluice/v1/tokens", "/api/sluice/v1/users",
		"/api/sluice/v1/policies", "/api/sluice/v1/audit?limit=1000", "/api/aigateway/v1/audit", "/api/2.0/endpoints/", "/v1/models", "/readyz"} {
		keep(g.Call("GET", path, g.AdminToken, ""))
	}
	resp, err := http.Get(g.Metrics + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_ = resp.Body.Close()
	seen.Write(metrics)
	seen.WriteString(configDump(t, g))
	seen.WriteString(processes(t, g))
	seen.WriteString(g.Output())
	for what, secret := range secrets {
		if at := strings.Index(seen.String(), secret); at >= 0 {
			t.Errorf("%s in a reply, the log, the metrics, Envoy's configuration or the process list, after: %q", what,
				seen.String()[max(0, at-300):at])
		}
	}

	for where, text := range exported(t, g) {
		absent(t, secrets, where, text)
	}
	g.Stop()
	err = filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "vault.keyset" || strings.HasSuffix(d.Name(), "-token") {
			return err
		}
		b, err := os.ReadFile(path)
		for what, secret := range secrets {
			require.NotContains(t, string(b), secret, "%s in %s", what, path)
		}
		return err
	})
	require.NoError(t, err)
}

// configDump is Envoy's whole configuration, secrets' names included, read as
// an operator on the machine could.
func configDump(t *testing.T, g *rig.Gateway) string {
	t.Helper()
	args, err := os.ReadFile(filepath.Join("/proc", itoa(g.EnvoyPID()), "cmdline"))
	require.NoError(t, err)
	var dir string
	for _, a := range strings.Split(string(args), "\x00") {
		if strings.HasSuffix(a, ".json") {
			dir = filepath.Dir(a)
		}
	}
	require.NotEmpty(t, dir, "Envoy's command line names its bootstrap file: %q", args)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
	}}}
	resp, err := client.Get("http://envoy/config_dump?include_eds")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(b), "https:api.openai.com:443", "the dump is not the one meant")
	return string(b)
}

// processes are the command lines and environments that the gateway gave
// itself and Envoy, as anybody on the machine with the rights can read them.
func processes(t *testing.T, g *rig.Gateway) string {
	t.Helper()
	var out strings.Builder
	for _, pid := range []int{g.PID(), g.EnvoyPID()} {
		for _, file := range []string{"cmdline", "environ"} {
			b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), file))
			require.NoError(t, err)
			out.Write(b)
		}
	}
	return out.String()
}

// TestWaysAroundThePolicyFail: each raw request must not reach the provider.
func TestWaysAroundThePolicyFail(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	g.Admin("PATCH", endpoints+"/chat-openai/permissions", `{"isEveryoneAllowed":false,"userIds":[]}`)
	auth := "Authorization: Bearer " + g.UserToken + "\r\n"
	body := func(s string) string {
		return fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(s), s)
	}
	forbidden := `{"model":"chat-openai",` + hello[1:]
	for name, request := range map[string]string{
		"plain":                    "POST /endpoints/chat-openai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"encoded slash":            "POST /endpoints/chat-anthropic%2f..%2fchat-openai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"dot segments":             "POST /endpoints/chat-anthropic/../chat-openai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"encoded dots":             "POST /endpoints/chat-anthropic/%2e%2e/chat-openai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"doubled slashes":          "POST //endpoints//chat-openai//invocations HTTP/1.1\r\n" + auth + body(hello),
		"encoded name":             "POST /endpoints/chat%2dopenai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"upper case":               "POST /endpoints/CHAT-OPENAI/invocations HTTP/1.1\r\n" + auth + body(hello),
		"upper-case path":          "POST /ENDPOINTS/chat-openai/INVOCATIONS HTTP/1.1\r\n" + auth + body(hello),
		"backslash":                "POST /endpoints\\chat-openai\\invocations HTTP/1.1\r\n" + auth + body(hello),
		"fragment":                 "POST /endpoints/chat-anthropic/invocations#/../chat-openai HTTP/1.1\r\n" + auth + body(`{"messages":[]}`),
		"absolute form":            "POST https://api.openai.com/endpoints/chat-openai/invocations HTTP/1.1\r\n" + auth + body(hello),
		"route header":             "POST /v1/chat/completions HTTP/1.1\r\nx-gateway-route: https:api.openai.com:443\r\n" + auth + body(forbidden),
		"route header, no token":   "POST /v1/chat/completions HTTP/1.1\r\nx-gateway-route: https:api.openai.com:443\r\n" + body(forbidden),
		"route header, other path": "GET /v1/models/x HTTP/1.1\r\nx-gateway-route: https:api.openai.com:443\r\n" + auth + "\r\n",
		"route header, any case":   "POST /api/x HTTP/1.1\r\nX-Gateway-Route: https:api.openai.com:443\r\nX-Gateway-Endpoint: chat-openai\r\n" + auth + body(forbidden),
		"original path":            "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\nx-envoy-original-path: /endpoints/chat-openai/invocations\r\nx-rewrite-url: /endpoints/chat-openai/invocations\r\n" + auth + body(`{"messages":[]}`),
		"method override":          "GET /endpoints/chat-openai/invocations HTTP/1.1\r\nx-http-method-override: POST\r\n" + auth + body(hello),
		"model denied":             "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body(forbidden),
		"model twice":              "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body(`{"model":"chat-anthropic","model":"chat-openai",`+hello[1:]),
		"model twice, other order": "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body(`{"model":"chat-openai","model":"chat-anthropic",`+hello[1:]),
		"model escaped twice":      "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body(`{"model":"chat-openai","mod\u0065l":"chat-anthropic",`+hello[1:]),
		"model and path differ":    "POST /endpoints/chat-openai/invocations HTTP/1.1\r\n" + auth + body(`{"model":"chat-anthropic",`+hello[1:]),
		"model in the query":       "POST /v1/chat/completions?model=chat-anthropic HTTP/1.1\r\n" + auth + body(forbidden),
		"deep nesting":             "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + body(`{"messages":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+`}`),
		"not UTF-8":                "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body("{\"model\":\"chat-anthropic\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}"),
		"huge number":              "POST /v1/chat/completions HTTP/1.1\r\n" + auth + body(`{"model":"chat-anthropic","max_tokens":1e999999999,`+hello[1:]),
		"both lengths":             "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /endpoints/chat-openai/invocations HTTP/1.1\r\n\r\n",
		"two lengths":              "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
		"bad transfer coding":      "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"space before the colon":   "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"line folding":             "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
		"malformed token":          "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\nAuthorization: Bearer slu_short\r\n" + body(hello),
		"two tokens":               "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\n" + auth + "x-api-key: " + g.AdminToken + "\r\n" + body(hello),
		"token of nobody":          "POST /endpoints/chat-anthropic/invocations HTTP/1.1\r\nAuthorization: Bearer slu_" + strings.Repeat("A", 49) + "\r\n" + body(hello),
	} {
		t.Run(name, func(t *testing.T) {
			g.OpenAI.Forget()
			g.Anthropic.Forget()
			status, text := raw(t, g, request)
			require.True(t, status == 0 || status >= 400, "%d %s", status, text)
			require.Less(t, status, 500, "bad input is the client's fault: %d %s", status, text)
			require.Empty(t, g.OpenAI.Requests(), "the forbidden provider was reached")
			require.Empty(t, g.Anthropic.Requests(), "a request that is refused reached a provider")
		})
	}
	verify(t, g)
}

// raw sends bytes as they are over TLS and reads one reply; status 0 means
// that the connection was closed without one.
func raw(t *testing.T, g *rig.Gateway, request string) (int, string) {
	t.Helper()
	host := strings.TrimPrefix(g.URL, "https://")
	conn, err := tls.Dial("tcp", host, g.TLS())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	line, rest, _ := strings.Cut(request, "\r\n")
	_, _ = io.WriteString(conn, line+"\r\nHost: "+host+"\r\n"+rest)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// TestTokensEnd: expiry and revocation hold for the next request.
func TestTokensEnd(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	self := g.Call("GET", "/api/sluice/v1/users/self", g.UserToken, "").JSON(t)
	issue := func(more string) (token, id string) {
		r := g.Admin("POST", "/api/sluice/v1/tokens", `{"name":"t","userId":"`+self["id"].(string)+`"`+more+`}`).JSON(t)
		return r["token"].(string), r["id"].(string)
	}
	call := func(token string) rig.Reply {
		return g.Call("POST", "/endpoints/practice/invocations", token, hello)
	}
	token, id := issue("")
	require.Equal(t, 200, call(token).Status)
	g.Admin("DELETE", "/api/sluice/v1/tokens/"+id, "")
	r := call(token)
	require.Equal(t, 401, r.Status)
	require.Contains(t, string(r.Body), "revoked_token")

	for life := 2 * time.Second; ; life *= 3 { // longer where this machine needs longer for a call
		token, _ = issue(`,"expires":"` + time.Now().Add(life).UTC().Format(time.RFC3339Nano) + `"`)
		if call(token).Status == 200 {
			break
		}
		require.Less(t, life, time.Minute)
	}
	eventually(t, "the token expires", func() bool { return call(token).Status == 401 })
	require.Contains(t, string(call(token).Body), "expired_token")
}
