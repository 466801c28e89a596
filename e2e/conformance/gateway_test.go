package conformance_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/e2e/rig"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// provided answers for every provider: it finds the case to which a request
// belongs by the mark in its body and keeps what it received.
type provided struct {
	mu    sync.Mutex // guards the following fields
	cases map[string]*waiting
}

// waiting is a case under way at the scripted providers.
type waiting struct {
	answer reply
	sent   []sent
}

// mark is how a case is told from others: it is part of a text of the client's.
var mark = regexp.MustCompile(`case-\d{6}`)

// alone is the mark of a case that runs while no other does.
const alone = "alone"

func (p *provided) expect(mark string, answer reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cases[mark] = &waiting{answer: answer}
}

func (p *provided) take(mark string) []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cases[mark]
	delete(p.cases, mark)
	if c == nil {
		return nil
	}
	return c.sent
}

// tokens are paths of token endpoints.
var tokens = []string{"/token", "/oauth/token", "/oidc/v1/token", "/tenant-1/oauth2/v2.0/token"}

func (p *provided) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if slices.Contains(tokens, r.URL.Path) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"`+fetchedToken+`","token_type":"Bearer","expires_in":3600}`)
		return
	}
	s := sent{method: r.Method, url: "https://" + r.Host + r.RequestURI, header: map[string]string{}, body: body}
	if r.TLS == nil {
		s.url = "http://" + r.Host + r.RequestURI
	}
	for name, values := range r.Header {
		s.header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	key := mark.FindString(string(body))
	p.mu.Lock()
	c := p.cases[key]
	if c == nil {
		c = p.cases[alone]
	}
	if c != nil {
		c.sent = append(c.sent, s)
	}
	p.mu.Unlock()
	if c == nil {
		http.Error(w, "no case "+key, http.StatusTeapot)
		return
	}
	for name, value := range c.answer.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", c.answer.contentType)
	w.WriteHeader(c.answer.status)
	flusher, _ := w.(http.Flusher)
	// In pieces: a reply may be cut anywhere.
	for b := c.answer.body; len(b) > 0; {
		n := min(len(b), 1499)
		_, _ = w.Write(b[:n])
		flusher.Flush()
		b = b[n:]
	}
}

// gateway is the whole gateway before the scripted providers.
type gateway struct {
	*rig.Gateway
	provided *provided
}

// startGateway starts it with endpoints. Google's default credentials are a
// service account's.
func startGateway(t *testing.T, endpoints []json.RawMessage) *gateway {
	t.Helper()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", serviceAccountFile(t))
	p := &provided{cases: map[string]*waiting{}}
	hosts := []string{"oauth2.googleapis.com:443", "login.microsoftonline.com:443", "auth.sap.example:443"}
	for _, e := range endpoints {
		tg, _ := target(t, e)
		if host := hostOf(t, tg); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	g := &gateway{provided: p, Gateway: rig.Start(t, rig.Options{
		BareEndpoints: true, Hosts: hosts, Providers: p, Limits: "{ idle_timeout: 30s, drain_timeout: 5s }", MachineIdentity: true,
	})}
	g.Admin("POST", "/api/sluice/v1/apply?isEveryoneAllowed=true", `{"endpoints":[`+join(endpoints)+`]}`)
	return g
}

func join(list []json.RawMessage) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = string(list[i])
	}
	return strings.Join(texts, ",")
}

// clientHeaders are a client's own, none of which may reach a provider.
var clientHeaders = []string{
	"Cookie", "session=client-canary", "X-Client-Own", "client-canary", "User-Agent", "client-canary/1.0",
	"Accept-Language", "client-canary", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"Proxy-Authorization", "Basic client-canary", "X-Forwarded-For", "203.0.113.77",
}

// play sends a client's call through the gateway.
func (g *gateway) play(t *testing.T, key string, c call, answer reply) told {
	t.Helper()
	g.provided.expect(key, answer)
	r, err := g.Do(c.method, c.path, g.UserToken, string(c.body), clientHeaders...)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	out := told{status: r.Status, contentType: r.Header.Get("Content-Type"), header: r.Header, body: r.Body,
		sent: g.provided.take(key), exchange: r.Header.Get("X-Request-Id")}
	if out.exchange == "" {
		t.Errorf("the reply has no x-request-id")
	}
	// Several requests of one call leave at once, in any order.
	slices.SortFunc(out.sent, func(a, b sent) int { return bytes.Compare(a.body, b.body) })
	for i := range out.sent {
		checkLeaks(t, out.sent[i], g.UserToken)
	}
	return out
}

// own are the names of headers that a request to a provider may have besides
// its credentials.
var own = []string{
	"accept", "accept-encoding", "content-type", "content-length", "user-agent", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
	"anthropic-version", "openai-organization", "ai-resource-group", "x-portkey-provider", "x-portkey-config",
}

// credentials are the names of headers with which providers are authenticated to.
var credentials = []string{"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-portkey-api-key"}

// checkLeaks finds what is the client's in a provider's request.
func checkLeaks(t *testing.T, s sent, token string) {
	t.Helper()
	for name, value := range s.header {
		if !slices.Contains(own, name) && !slices.Contains(credentials, name) {
			t.Errorf("the provider got a header that is not its own: %s: %s", name, value)
		}
		for _, canary := range []string{token, "client-canary", "203.0.113.77"} {
			if strings.Contains(value, canary) {
				t.Errorf("the provider got what is the client's in %s: %s", name, value)
			}
		}
	}
	if strings.Contains(string(s.body), token) || strings.Contains(s.url, token) {
		t.Errorf("the provider got the client's token")
	}
}

// serviceAccountFile is a service account's JSON, as Google issues it.
func serviceAccountFile(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "my-gcp-project", "private_key_id": "1", "client_email": "conformance@my-gcp-project.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.googleapis.com/token",
	})
	must(t, err)
	file := filepath.Join(t.TempDir(), "google.json")
	must(t, os.WriteFile(file, text, 0o600))
	return file
}

// hostOf is where a target is reached.
func hostOf(t *testing.T, tg kit.Target) string {
	t.Helper()
	at, err := provider.AddressOf(tg)
	must(t, err)
	return at.Host + ":" + itoa(int(at.Port))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
