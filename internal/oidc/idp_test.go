package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/oidc"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// keys are made once: RSA is slow.
var keys = sync.OnceValue(func() (list [3]*rsa.PrivateKey) {
	for i := range list {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list[i] = key
	}
	return list
})

// idp is an identity provider in this process, with a clock that the client
// under test shares.
type idp struct {
	t      *testing.T
	server *httptest.Server
	nano   atomic.Int64

	mu       sync.Mutex // guards the following
	public   []any      // of the JWKS
	down     bool
	fetches  int
	document map[string]any
	code     map[string]any // what the token endpoint answers; nil: it refuses
	form     map[string]string
	basic    string
	userinfo map[string]any
}

func newIDP(t *testing.T) *idp {
	p := &idp{t: t}
	p.nano.Store(start.UnixNano())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /realm/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { p.answer(w, p.document) })
	mux.HandleFunc("GET /realm/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches++
		p.answer(w, map[string]any{"keys": p.public})
	})
	mux.HandleFunc("POST /realm/token", p.token)
	mux.HandleFunc("GET /realm/userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.answer(w, p.userinfo)
	})
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	p.document = map[string]any{
		"issuer": p.issuer(), "jwks_uri": p.issuer() + "/keys", "authorization_endpoint": p.issuer() + "/auth",
		"token_endpoint": p.issuer() + "/token", "userinfo_endpoint": p.issuer() + "/userinfo",
		"end_session_endpoint": p.issuer() + "/logout?x=1",
	}
	p.serves(0)
	return p
}

func (p *idp) issuer() string { return p.server.URL + "/realm" }

func (p *idp) answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (p *idp) with(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *idp) now() time.Time          { return time.Unix(0, p.nano.Load()).UTC() }
func (p *idp) advance(d time.Duration) { p.nano.Add(int64(d)) }

// kid names key i.
func kid(i int) string { return fmt.Sprint("key-", i) }

// serves makes those the keys of the provider.
func (p *idp) serves(list ...int) {
	p.with(func() {
		p.public = nil
		for _, i := range list {
			p.public = append(p.public, jose.JSONWebKey{Key: &keys()[i].PublicKey, KeyID: kid(i), Algorithm: "RS256", Use: "sig"})
		}
	})
}

func (p *idp) options() oidc.Options {
	return oidc.Options{
		Issuer: p.issuer(), Audience: "sluice", ClientID: "web", ClientSecret: "client-secret-canary", Scopes: []string{"openid", "profile"},
		Claims: oidc.DefaultClaims(), Skew: 30 * time.Second, File: filepath.Join(p.t.TempDir(), "oidc.json"),
		RolesMap: map[string][]string{"ai-admins": {"administrator"}, "readers": {"auditor", "reader"}},
		Client:   p.server.Client(), Now: p.now, Log: zap.NewNop(),
	}
}

// provider is a client that has fetched, as Run does at its start.
func (p *idp) provider(o oidc.Options) *oidc.Provider {
	p.t.Helper()
	c, err := oidc.New(o)
	require.NoError(p.t, err)
	require.NoError(p.t, oidc.Fetch(c, p.t.Context()))
	return c
}

// claims are those of a good token, with changes; nil takes one away.
func (p *idp) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": p.issuer(), "sub": "s-1", "aud": "sluice", "preferred_username": "ann", "name": "Ann Lee", "email": "ann@corp.example",
		"iat": p.now().Unix(), "exp": p.now().Add(time.Hour).Unix(), "project": "fraud",
		"groups":       []any{"/science", "arts", "", "/lab/deep"},
		"realm_access": map[string]any{"roles": []any{"readers", "administrator", "offline_access"}},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign makes a token with key i, whose header has what is given.
func (p *idp) sign(i int, claims map[string]any, header ...map[string]any) string {
	p.t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", kid(i)).WithType("JWT")
	for _, h := range header {
		for name, value := range h {
			o = o.WithHeader(jose.HeaderKey(name), value)
		}
	}
	return sign(p.t, jose.SigningKey{Algorithm: jose.RS256, Key: keys()[i]}, o, claims)
}

func sign(t *testing.T, key jose.SigningKey, o *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, o)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)
	return token
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.form = map[string]string{}
	for name := range r.PostForm {
		p.form[name] = r.PostForm.Get(name)
	}
	id, secret, _ := r.BasicAuth()
	p.basic = id + ":" + secret
	if p.code == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"description-canary"}`)
		return
	}
	p.answer(w, p.code)
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
