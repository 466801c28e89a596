// Package rig starts the whole gateway as a user would, the real Envoy
// included, before stand-in providers under the providers' own host names, for
// the tests of this folder.
package rig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/audit/audittest"
	"sluice/internal/freeport"
	"sluice/internal/simulate"
)

// The providers' keys: canaries that must show up nowhere but at the provider.
const (
	OpenAIKey    = "sk-canary-openai-0a1b2c3d4e5f"
	AnthropicKey = "sk-ant-canary-6a7b8c9d0e1f"
)

// Options change how a gateway is started.
type Options struct {
	Listen string // address; empty: a free port
	Data   string // folder; empty: a new one of the test's
	Config string // YAML appended to the generated file, top-level keys
	// BareEndpoints leaves the catalog as the first start makes it.
	BareEndpoints bool
	Limits        string // value of limits:, empty: one that no busy machine reaches
	// CA is the file of the CA that signed the configured certificate; empty
	// where the gateway makes its own.
	CA string
	// Hosts are further providers, "host:port", all answered by Providers: those
	// on port 443 over TLS under the host's own name, the others without TLS.
	Hosts     []string
	Providers http.Handler
	// Resolve adds to egress.resolve: "host:port" to "address:port".
	Resolve map[string]string
	// AllProviders starts a stand-in for every provider (see Providers) in place
	// of Hosts, and makes an endpoint for each of its types.
	AllProviders bool
	// MachineIdentity allows endpoints the gateway's own cloud identity.
	MachineIdentity bool
}

// Gateway is a running gateway and the providers behind it.
type Gateway struct {
	URL, Metrics         string
	Data, CAFile, Config string
	AdminToken           string // presented by Admin
	UserToken            string // of the user "practice"
	OpenAI, Anthropic    *simulate.Provider
	HTTP                 *http.Client // trusts the gateway's CA, HTTP/1.1
	All                  *Providers   // with Options.AllProviders

	t   testing.TB
	cmd *exec.Cmd
	out *output
	// exited is closed when the process has ended.
	exited chan struct{}
}

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("SLUICE_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	dir, err := os.MkdirTemp("", "sluice-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "sluice")
	cmd := exec.Command("go", "build", "-o", bin, "sluice/cmd/sluice")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, msg)
	}
	return bin, nil
})

// Binary is the path of the gateway's program.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Start starts providers and gateway and makes the endpoints chat-openai,
// chat-anthropic, completions-openai, completions-anthropic and
// embeddings-openai. Everything is stopped when the test ends.
func Start(t testing.TB, o Options) *Gateway {
	t.Helper()
	g := &Gateway{t: t, Data: o.Data,
		OpenAI:    simulate.NewOpenAI(simulate.Options{Keys: []string{OpenAIKey}}),
		Anthropic: simulate.NewAnthropic(simulate.Options{Keys: []string{AnthropicKey}}),
	}
	if g.Data == "" {
		g.Data = filepath.Join(t.TempDir(), "data")
	}
	if o.AllProviders {
		g.All = NewProviders(t, g)
		o.Hosts, o.Providers = g.All.Hosts(), g.All
	}
	g.configure(o)
	// When the gateway has stopped, what it recorded is held to the schema.
	t.Cleanup(func() { audittest.Trail(t, filepath.Join(g.Data, "audit")) })
	g.Launch()
	if !o.BareEndpoints {
		g.makeEndpoints()
	}
	if o.AllProviders {
		for _, e := range g.All.Endpoints() {
			g.Admin("POST", "/api/aigateway/v1/endpoints", e.Body())
		}
	}
	return g
}

func (g *Gateway) configure(o Options) {
	t := g.t
	t.Helper()
	ca, err := simulate.NewCA(time.Now())
	must(t, err)
	openai, err := simulate.StartTLS(g.OpenAI, ca)
	must(t, err)
	anthropic, err := simulate.StartTLS(g.Anthropic, ca)
	must(t, err)
	t.Cleanup(func() { _ = openai.Close(); _ = anthropic.Close() })

	dir := t.TempDir()
	roots := filepath.Join(dir, "providers.pem")
	must(t, os.WriteFile(roots, ca.PEM(), 0o600))
	listen, metrics := freeport.Address(t), freeport.Address(t)
	if o.Listen != "" {
		listen = o.Listen
	}
	limits := o.Limits
	if limits == "" {
		limits = "{ idle_timeout: 20s, drain_timeout: 20s }"
	}
	g.Config = filepath.Join(dir, "sluice.yaml")
	yaml := fmt.Sprintf("listen: %s\nmetrics_listen: %s\ndata: %s\nlimits: %s\negress:\n  ca_file: %s\n  machine_identity: %t\n  resolve:\n",
		listen, metrics, g.Data, limits, roots, o.MachineIdentity)
	for host, to := range map[string]string{
		"api.openai.com": openai.Addr, "my-azure.openai.azure.com": openai.Addr, "api.anthropic.com": anthropic.Addr,
		"wrong-name.example": openai.Addr, "refused.example": freeport.Address(t),
	} {
		yaml += fmt.Sprintf("    %s: %q\n", host, to)
	}
	for host, to := range o.Resolve {
		yaml += fmt.Sprintf("    %q: %q\n", host, to)
	}
	for host, to := range startHosts(t, ca, o) {
		yaml += fmt.Sprintf("    %q: %q\n", host, to)
	}
	must(t, os.WriteFile(g.Config, []byte(yaml+o.Config), 0o600))
	g.URL, g.Metrics = "https://"+listen, "http://"+metrics
	g.CAFile = o.CA
	if o.CA == "" {
		g.CAFile = filepath.Join(g.Data, "ca.pem")
	}
}

// startHosts serves the further providers, and says where each host is.
func startHosts(t testing.TB, ca *simulate.CA, o Options) map[string]string {
	t.Helper()
	at := map[string]string{}
	if len(o.Hosts) == 0 {
		return at
	}
	names := make([]string, 0, len(o.Hosts))
	for _, host := range o.Hosts {
		name, _, err := net.SplitHostPort(host)
		must(t, err)
		names = append(names, name)
	}
	secure, err := simulate.StartTLS(o.Providers, ca, names...)
	must(t, err)
	plain, err := simulate.Start(o.Providers)
	must(t, err)
	t.Cleanup(func() { _ = secure.Close(); _ = plain.Close() })
	for _, host := range o.Hosts {
		at[host] = plain.Addr
		if strings.HasSuffix(host, ":443") {
			at[host] = secure.Addr
		}
	}
	return at
}

// Launch starts the process and waits until it serves. It is also used to
// start it again after Kill or Stop.
func (g *Gateway) Launch() {
	g.t.Helper()
	g.out = &output{}
	g.cmd = exec.Command(Binary(g.t), "run", "--config", g.Config)
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.out
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	must(g.t, g.cmd.Start())
	g.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) { _ = cmd.Wait(); close(exited) }(g.cmd, g.exited)
	g.t.Cleanup(g.Stop)
	g.await()
	g.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: g.TLS(), MaxIdleConnsPerHost: 64}}
	g.AdminToken, g.UserToken = g.token("admin-token"), g.token("practice-token")
}

// TLS trusts the gateway's CA and nothing else.
func (g *Gateway) TLS() *tls.Config {
	ca, err := os.ReadFile(g.CAFile)
	must(g.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func (g *Gateway) await() {
	g.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !announced(g.out.String()) {
		select {
		case <-g.exited:
			g.t.Fatalf("the gateway ended at its start:\n%s", g.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway does not serve:\n%s", g.out)
		}
	}
}

// announced says whether the whole announcement is there, up to its last line: a pipe may give it in pieces.
func announced(out string) bool {
	_, rest, _ := strings.Cut(out, "Sluice is serving at")
	_, rest, found := strings.Cut(rest, "Health: ")
	return found && strings.Contains(rest, "\n")
}

func (g *Gateway) token(file string) string {
	b, err := os.ReadFile(filepath.Join(g.Data, file))
	must(g.t, err)
	return strings.TrimSpace(string(b))
}

// Output is what the process printed and logged since Launch.
func (g *Gateway) Output() string { return g.out.String() }

// PID is the gateway's process.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Signal sends a signal to the gateway's process.
func (g *Gateway) Signal(s syscall.Signal) { _ = g.cmd.Process.Signal(s) }

// Exited is closed when the process has ended.
func (g *Gateway) Exited() <-chan struct{} { return g.exited }

// Kill ends the process as kill -9 does and waits for its end.
func (g *Gateway) Kill() {
	g.Signal(syscall.SIGKILL)
	<-g.exited
	g.races()
}

// races fails the test when the race detector that the gateway was built with has
// spoken: it does so on the standard error alone.
func (g *Gateway) races() {
	if out := g.out.String(); strings.Contains(out, "WARNING: DATA RACE") {
		g.t.Errorf("the gateway has a data race:\n%s", out)
	}
}

// Stop ends the process as an operator does, and prints its log when the test
// has failed.
func (g *Gateway) Stop() {
	g.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(60 * time.Second):
		g.t.Errorf("the gateway does not stop:\n%s", g.out)
		g.Kill()
	}
	g.races()
	if g.t.Failed() {
		g.t.Logf("the gateway's output:\n%s", g.out)
		g.out.reset()
	}
}

// Reply is a whole HTTP reply.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the body.
func (r Reply) JSON(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("the reply is not a JSON object: %v\n%s", err, r.Body)
	}
	return v
}

// Do sends one request with the token, which may be empty, and reads the reply.
func (g *Gateway) Do(method, path, token, body string, headers ...string) (Reply, error) {
	req, err := http.NewRequest(method, g.URL+path, strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := g.HTTP.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return Reply{resp.StatusCode, resp.Header, b}, err
}

// Call is Do for a request that must get through.
func (g *Gateway) Call(method, path, token, body string, headers ...string) Reply {
	g.t.Helper()
	r, err := g.Do(method, path, token, body, headers...)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// Admin calls REST as the administrator and wants a 200.
func (g *Gateway) Admin(method, path, body string) Reply {
	g.t.Helper()
	r := g.Call(method, path, g.AdminToken, body)
	if r.Status != http.StatusOK {
		g.t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	return r
}

// Endpoint is the body of a create.
func Endpoint(name, kind, provider, model string, config map[string]string) string {
	b, _ := json.Marshal(map[string]any{
		"endpointName": name, "endpointType": "llm/v1/" + kind, "modelProvider": provider, "modelName": model,
		"modelConfig": config, "endpointPermissions": map[string]any{"isEveryoneAllowed": true, "userIds": []string{}},
	})
	return string(b)
}

func (g *Gateway) makeEndpoints() {
	g.t.Helper()
	openai := map[string]string{"openai_api_key": OpenAIKey}
	anthropic := map[string]string{"anthropic_api_key": AnthropicKey}
	for _, body := range []string{
		Endpoint("chat-openai", "chat", "openai", "gpt-4o-mini", openai),
		Endpoint("chat-anthropic", "chat", "anthropic", "claude-sonnet-4-5", anthropic),
		Endpoint("completions-openai", "completions", "openai", "gpt-3.5-turbo-instruct", openai),
		Endpoint("completions-anthropic", "completions", "anthropic", "claude-2.1", anthropic),
		Endpoint("embeddings-openai", "embeddings", "openai", "text-embedding-3-small", openai),
	} {
		g.Admin("POST", "/api/aigateway/v1/endpoints", body)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex // guards the following field
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Reset()
}
