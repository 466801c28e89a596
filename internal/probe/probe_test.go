package probe_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/egress"
	"sluice/internal/probe"
	"sluice/internal/simulate"
)

const key = "sk-canary-openai-0a1b2c3d"

// world reaches api.openai.com and others at handlers of the test, as the rules
// of egress say.
func world(t *testing.T, h http.Handler, names ...string) *probe.Prober {
	t.Helper()
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	server, err := simulate.StartTLS(h, ca, names...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	roots := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(roots, ca.PEM(), 0o600))
	to := map[string]string{"api.openai.com": server.Addr, "wrong-name.example": server.Addr, "refused.example": "127.0.0.1:1"}
	for _, name := range names {
		to[name] = server.Addr
	}
	rules, err := egress.New(egress.Options{CAFile: roots, Resolve: to})
	require.NoError(t, err)
	return probe.New(probe.Options{HTTP: rules.Client(), Now: time.Now})
}

func openai(config map[string]string) provider.Target {
	all := map[string]string{"openai_api_key": key}
	for k, v := range config {
		all[k] = v
	}
	return provider.Target{Provider: "openai", Model: "gpt-4o", Config: all}
}

func TestWorks(t *testing.T) {
	p := world(t, simulate.NewOpenAI(simulate.Options{Keys: []string{key}}), "api.openai.com")
	for _, kind := range []string{provider.TypeChat, provider.TypeCompletions, provider.TypeEmbeddings} {
		r := p.Test(t.Context(), openai(nil), kind)
		require.True(t, r.OK, "%s: %+v", kind, r)
		require.Equal(t, 200, r.Status)
		require.Empty(t, r.Code)
	}
	bad := openai(nil)
	bad.Config["openai_api_key"] = "sk-wrong"
	r := p.Test(t.Context(), bad, provider.TypeChat)
	require.Equal(t, "provider_credential_rejected", r.Code)
	require.Equal(t, 401, r.Status)
	require.Contains(t, r.Message, "The provider refuses the key.")
	require.NotContains(t, r.Message, "sk-wrong")
}

func TestOutcomes(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "KEY", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		}
	}
	const isJSON = "application/json"
	failing := func(message string) string { return fmt.Sprintf(`{"error":{"message":%q}}`, message) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		config  map[string]string
		code    string
		text    string
	}{
		"a key in the provider's words": {answer(401, isJSON, failing("Incorrect API key provided: KEY")), nil, "provider_credential_rejected", "The provider refuses the key."},
		"no such model":                 {answer(404, isJSON, failing("The model does not exist")), nil, "provider_model_unknown", "It says: The model does not exist"},
		"rate limited":                  {answer(429, isJSON, failing("slow down")), nil, "provider_rate_limited", "limits its rate"},
		"out of order":                  {answer(500, isJSON, failing("oops")), nil, "provider_error", "status 500"},
		"a web page":                    {answer(200, "text/html", "<html>"), nil, "provider_content_type", "is not the provider's API"},
		"a redirect":                    {answer(302, isJSON, "{}"), nil, "provider_redirected", "redirect"},
		"a reply without end":           {answer(200, isJSON, strings.Repeat("x", 2<<20)), nil, "provider_reply_too_large", "too large"},
		"a broken connection":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "provider_reset", "broke"},
		"a long text":                   {answer(400, isJSON, failing(strings.Repeat("long ", 500))), nil, "provider_rejected_request", "…"},
		"nobody there":                  {answer(200, isJSON, "{}"), map[string]string{"openai_api_base": "https://refused.example/v1"}, "provider_unreachable", "can't be reached"},
		"no such host":                  {answer(200, isJSON, "{}"), map[string]string{"openai_api_base": "https://none.invalid/v1"}, "provider_unreachable", ""},
		"a private address":             {answer(200, isJSON, "{}"), map[string]string{"openai_api_base": "https://127.0.0.1:8443/v1"}, "host_refused", "private"},
		"the metadata service":          {answer(200, isJSON, "{}"), map[string]string{"openai_api_base": "http://169.254.169.254/v1"}, "host_refused", "not allowed"},
		"a certificate of another":      {answer(200, isJSON, "{}"), map[string]string{"openai_api_base": "https://wrong-name.example/v1"}, "provider_tls_failed", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			// The certificate is for api.openai.com alone.
			p := world(t, c.handler, "api.openai.com")
			r := p.Test(t.Context(), openai(c.config), provider.TypeChat)
			require.False(t, r.OK)
			require.Equal(t, c.code, r.Code, "%+v", r)
			require.Contains(t, r.Message, c.text)
			require.Less(t, len(r.Message), 800)
			for _, hidden := range []string{key, "127.0.0.1", "169.254", "dial tcp"} {
				require.NotContains(t, r.Message, hidden)
			}
		})
	}
}

// Some models take no max_tokens: a test must not fail for that.
func TestTriesWithoutALimit(t *testing.T) {
	var bodies []string
	p := world(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(b), "max_tokens") {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":{"message":"Unsupported parameter: 'max_tokens'"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"id":"1","object":"chat.completion","created":1,"model":"o1","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},`+
			`"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	}), "api.openai.com")
	r := p.Test(t.Context(), openai(nil), provider.TypeChat)
	require.True(t, r.OK, "%+v", r)
	require.Len(t, bodies, 2)
	require.Contains(t, bodies[0], `"model":"gpt-4o"`)
}

// A credential that is fetched is fetched, signed with and forgotten.
func TestFetchedCredentials(t *testing.T) {
	var signed string
	p := world(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(403)
		_, _ = io.WriteString(w, `{"message":"refused, `+strings.ReplaceAll(signed, `"`, "")+`"}`)
	}), "bedrock-runtime.us-east-1.amazonaws.com", "oauth2.googleapis.com")
	r := p.Test(t.Context(), provider.Target{Provider: "bedrock", Model: "anthropic.claude-3-haiku-20240307-v1:0", Config: map[string]string{
		"aws_region": "us-east-1", "aws_access_key_id": "AKIDEXAMPLECANARY", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG",
	}}, provider.TypeChat)
	require.Equal(t, "provider_credential_rejected", r.Code, "%+v", r)
	require.Contains(t, signed, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLECANARY/")
	require.NotContains(t, r.Message, "AKIDEXAMPLECANARY")

	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(t, err)
	row, _ := provider.Lookup("vertex")
	if row == nil {
		row, _ = provider.Lookup("vertex_ai")
	}
	require.NotNil(t, row)
	r = p.Test(t.Context(), provider.Target{Provider: row.ID, Model: "gemini-2.0-flash", Config: map[string]string{
		"vertex_project": "p", "vertex_location": "us-central1", "vertex_credentials": string(account),
	}}, provider.TypeChat)
	require.Equal(t, "credential_unavailable", r.Code, "%+v", r)
	require.Contains(t, r.Message, "oauth2.googleapis.com answered 403")
	require.NotContains(t, r.Message, "PRIVATE KEY")
}

func TestNothingToTry(t *testing.T) {
	p := world(t, http.NotFoundHandler(), "api.openai.com")
	for _, target := range []provider.Target{{Provider: "anthropic", Model: "m", Config: map[string]string{"anthropic_api_key": "k"}}, {Provider: "nobody"}} {
		require.Equal(t, "not_testable", p.Test(t.Context(), target, provider.TypeEmbeddings).Code)
	}
}
