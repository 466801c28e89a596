package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

const hello = `{"messages":[{"role":"user","content":"hello"}]}`

// authority signs client certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key}
}

func (a *authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600))
	return path
}

// revoke writes a list of the serial numbers that are revoked.
func (a *authority) revoke(t *testing.T, path string, serials ...int64) {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// issue makes a client certificate.
func (a *authority) issue(t *testing.T, serial int64, cn, uri string, dns ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn}, DNSNames: dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if uri != "" {
		u, err := url.Parse(uri)
		require.NoError(t, err)
		template.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// with makes the gateway's client show a certificate; nil shows none.
func with(g *rig.Gateway, cert *tls.Certificate) {
	config := g.TLS()
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	g.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
}

const rules = `identity:
  certificates:
    - { uri: "spiffe://corp.example/sa/*", user: "{1}" }
    - { dns: "*.clients.corp.example", user: "{1}" }
    - { cn: root, user: admin }
`

func TestClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	crl := filepath.Join(t.TempDir(), "revoked.pem")
	ca.revoke(t, crl)
	g := rig.Start(t, rig.Options{Config: fmt.Sprintf("tls: { client_ca: %s, client_crl: %s }\n", ca.file(t), crl) + rules})
	g.Admin("POST", "/api/sluice/v1/users", `{"userName":"trainer","kind":"service-account"}`)
	self := func(headers ...string) (int, map[string]any) {
		t.Helper()
		r := g.Call("GET", "/api/sluice/v1/users/self", "", "", headers...)
		return r.Status, r.JSON(t)
	}
	call := func(headers ...string) rig.Reply {
		t.Helper()
		return g.Call("POST", "/endpoints/chat-openai/invocations", "", hello, headers...)
	}

	for name, cert := range map[string]tls.Certificate{
		"by URI":      ca.issue(t, 2, "x", "spiffe://corp.example/sa/trainer"),
		"by DNS name": ca.issue(t, 3, "x", "", "trainer.clients.corp.example"),
	} {
		with(g, &cert)
		status, me := self()
		require.Equal(t, http.StatusOK, status, "%s: %v", name, me)
		require.Equal(t, "trainer", me["userName"], name)
		require.Equal(t, "certificate", me["credential"], name)
		r := call()
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
		exchange := g.Admin("GET", "/api/sluice/v1/audit/"+r.Header.Get("X-Request-Id"), "").JSON(t)["exchange"].(map[string]any)
		assert.Equal(t, "certificate", exchange["credential"])
		assert.Contains(t, exchange["certificate"], "sha256:")
	}

	// A token that is shown beside it decides, and the certificate is recorded.
	trainer := ca.issue(t, 4, "x", "spiffe://corp.example/sa/trainer")
	with(g, &trainer)
	r := g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, hello)
	require.Equal(t, http.StatusOK, r.Status)
	exchange := g.Admin("GET", "/api/sluice/v1/audit/"+r.Header.Get("X-Request-Id"), "").JSON(t)["exchange"].(map[string]any)
	assert.Equal(t, "practice", exchange["caller"].(map[string]any)["userName"])
	assert.Equal(t, "token", exchange["credential"])
	assert.Contains(t, exchange["certificate"], "spiffe://corp.example/sa/trainer")

	// Nobody, and who is not mapped.
	stranger := ca.issue(t, 5, "stranger", "")
	for name, shown := range map[string]*tls.Certificate{"no certificate": nil, "not mapped": &stranger} {
		with(g, shown)
		status, _ := self()
		assert.Equal(t, http.StatusUnauthorized, status, name)
		assert.Equal(t, http.StatusUnauthorized, call().Status, name)
	}

	// Names that Envoy would write into its header as they are open nothing.
	sly := ca.issue(t, 6, "x", "spiffe://corp.example/other;URI=spiffe://corp.example/sa/trainer", `a";Cert="b`)
	with(g, &sly)
	status, _ := self()
	assert.Equal(t, http.StatusUnauthorized, status)

	// The header is Envoy's to write.
	root := ca.issue(t, 7, "root", "")
	forged := `Hash=0;Cert="` + url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate[0]}))) + `"`
	for name, shown := range map[string]*tls.Certificate{"without a certificate": nil, "beside another": &stranger} {
		with(g, shown)
		status, me := self("X-Forwarded-Client-Cert", forged)
		assert.Equal(t, http.StatusUnauthorized, status, "%s: %v", name, me)
		assert.Equal(t, http.StatusUnauthorized, call("X-Forwarded-Client-Cert", forged).Status, name)
	}
	with(g, &root)
	status, me := self()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "admin", me["userName"], "the certificate itself opens it")

	// No provider sees any of it.
	for _, seen := range g.OpenAI.Requests() {
		assert.Empty(t, seen.Header.Get("X-Forwarded-Client-Cert"))
	}

	// Another authority's certificate, and one that was revoked, do not connect.
	other := newAuthority(t).issue(t, 8, "root", "")
	with(g, &other)
	_, err := g.Do("GET", "/healthz", "", "")
	require.Error(t, err)
	ca.revoke(t, crl, 7)
	require.Eventually(t, func() bool {
		with(g, &root)
		_, err := g.Do("GET", "/healthz", "", "")
		return err != nil
	}, time.Minute, 200*time.Millisecond, "the list is read when it changes")
	with(g, &trainer)
	status, _ = self()
	require.Equal(t, http.StatusOK, status)
}

func TestClientCertificatesThatAreRequired(t *testing.T) {
	ca := newAuthority(t)
	g := rig.Start(t, rig.Options{BareEndpoints: true,
		Config: fmt.Sprintf("tls: { client_ca: %s, client_auth: required }\n", ca.file(t)) + rules})
	with(g, nil)
	_, err := g.Do("GET", "/healthz", "", "")
	require.Error(t, err)
	root := ca.issue(t, 2, "root", "")
	with(g, &root)
	r := g.Call("GET", "/api/sluice/v1/users/self", "", "")
	require.Equal(t, http.StatusOK, r.Status)
	require.Equal(t, "admin", r.JSON(t)["userName"])
}

// TestBoundTokens: a token of one endpoint calls that and no other, whatever the
// user may; one of another network calls nothing.
func TestBoundTokens(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	// Envoy tells of a client on its own machine by the machine's address.
	id := g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, hello).Header.Get("X-Request-Id")
	here := g.Admin("GET", "/api/sluice/v1/audit/"+id, "").JSON(t)["exchange"].(map[string]any)["clientAddr"].(string)
	bound := g.Admin("POST", "/api/sluice/v1/tokens", `{"name":"b","endpointNames":["chat-openai"],"networks":["`+here+`"]}`).JSON(t)["token"].(string)
	away := g.Admin("POST", "/api/sluice/v1/tokens", `{"name":"a","networks":["198.51.100.0/24"]}`).JSON(t)["token"].(string)
	for path, want := range map[string]int{
		"/endpoints/chat-openai/invocations":    http.StatusOK,
		"/endpoints/chat-anthropic/invocations": http.StatusForbidden,
	} {
		r := g.Call("POST", path, bound, hello)
		assert.Equal(t, want, r.Status, "%s: %s", path, r.Body)
		if want == http.StatusForbidden {
			assert.Contains(t, string(r.Body), "token_endpoint")
		}
	}
	r := g.Call("POST", "/endpoints/chat-openai/invocations", away, hello)
	assert.Equal(t, http.StatusUnauthorized, r.Status)
	assert.Contains(t, string(r.Body), "wrong_network")
	r = g.Call("POST", "/endpoints/chat-openai/invocations", away, hello, "X-Forwarded-For", "198.51.100.7")
	assert.Equal(t, http.StatusUnauthorized, r.Status, "a client does not choose its address")
}
