package xds_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
	"sluice/internal/pki"
	"sluice/xds"
)

// hosts of the TLS provider's certificate, and one that is not.
var (
	byName     = xds.Upstream{TLS: true, Host: "example.com", Port: 443}
	byWildcard = xds.Upstream{TLS: true, Host: "api.example.com", Port: 443}
	byAddress  = xds.Upstream{TLS: true, Host: "127.0.0.1", Port: 443}
	otherName  = xds.Upstream{TLS: true, Host: "other.test", Port: 443}
	otherIP    = xds.Upstream{TLS: true, Host: "127.0.0.2", Port: 443}
)

// TestProviderIsVerified by the name in its URL, whatever address it has.
func TestProviderIsVerified(t *testing.T) {
	addr, ca := tlsProvider(t)
	all := []xds.Upstream{byName, byWildcard, byAddress, otherName, otherIP}
	to := map[string]string{}
	for _, u := range all {
		to[u.Host] = addr
	}
	w := newWorld(t, func(o *envoytest.Options) { o.CAFile, o.Resolve, o.Upstreams = ca, to, all })
	for _, u := range all[:3] {
		e := w.do(t, call{route: u.Key(), to: "/echo", body: []byte("x")}).echoed(t)
		require.Equal(t, u.Host, e.Host)
		require.Equal(t, "HTTP/2.0", e.Proto, "what the provider offers by ALPN")
	}
	for _, u := range all[3:] {
		w.do(t, call{route: u.Key(), to: "/echo", body: []byte("x")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
		w.proc.story().with(func(s *seen) { require.Contains(t, s.head["x-gateway-local"], "CERTIFICATE_VERIFY_FAILED") })
	}
}

// TestUntrustedProvider has a certificate of a CA that nobody named.
func TestUntrustedProvider(t *testing.T) {
	addr, _ := tlsProvider(t)
	w := newWorld(t, func(o *envoytest.Options) {
		o.Resolve, o.Upstreams = map[string]string{byName.Host: addr}, []xds.Upstream{byName}
	})
	w.do(t, call{route: byName.Key(), to: "/echo", body: []byte("x")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
}

// connectProxy is a tiny HTTP CONNECT proxy that leads everything to one
// address and notes what it was asked for.
func connectProxy(t *testing.T, to string) (url string, asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var list []string
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		mu.Lock()
		list = append(list, req.Host)
		mu.Unlock()
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer func() { _ = up.Close() }()
		_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(up, r); _ = up.Close() }()
		_, _ = io.Copy(c, up)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), list...)
	}
}

// TestProxy is asked for the host by name, and for an address where the
// configuration says one; TLS is with the provider, through it.
func TestProxy(t *testing.T) {
	addr, ca := tlsProvider(t)
	url, asked := connectProxy(t, addr)
	w := newWorld(t, func(o *envoytest.Options) {
		o.CAFile, o.Proxy, o.Upstreams = ca, url, []xds.Upstream{byName, byWildcard, otherName}
		o.Resolve = map[string]string{byWildcard.Host: addr}
	})
	for _, u := range []xds.Upstream{byName, byWildcard} {
		require.Equal(t, u.Host, w.do(t, call{route: u.Key(), to: "/echo", body: []byte("x")}).echoed(t).Host)
	}
	w.do(t, call{route: otherName.Key(), to: "/echo", body: []byte("x")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
	require.Contains(t, asked(), "example.com:443")
	require.Contains(t, asked(), addr)
}

// TestServerCertificate is replaced without a restart, and a bad one refused.
func TestServerCertificate(t *testing.T) {
	w := newWorld(t)
	before := serial(t, w)
	dir := t.TempDir()
	p, _, err := pki.Ensure(dir, nil, time.Now())
	require.NoError(t, err)
	require.Error(t, w.Plane.SetCertificate(p.Cert, []byte("no key")))
	require.Equal(t, before, serial(t, w))
	require.NoError(t, w.Plane.SetCertificate(p.Cert, p.Key))
	envoytest.Eventually(t, time.Minute, func() bool { return serial(t, w) != before }, func() any { return before })
	require.Zero(t, w.Envoy.Status().Restarts)

	dump, err := w.Envoy.Admin().ConfigDump(t.Context())
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(dir, "server.key"))
	require.NoError(t, err)
	require.NotContains(t, string(dump), strings.Split(string(key), "\n")[1], "Envoy shows the private key")
}

func serial(t *testing.T, w *world) string {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only looks
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestServerTLS takes TLS 1.2 and up only.
func TestServerTLS(t *testing.T) {
	w := newWorld(t)
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "https://"), &tls.Config{
			RootCAs: w.Roots, MinVersion: tls.VersionTLS10, MaxVersion: version, //nolint:gosec // that is the test
		})
		require.Equal(t, ok, err == nil, "%x: %v", version, err)
		if err == nil {
			_ = c.Close()
		}
	}
}

// TestTLSFacts are told of an encrypted connection to who answers for it, and
// to nobody else; what a client says in their place is removed.
func TestTLSFacts(t *testing.T) {
	w := newWorld(t)
	ask := func(base, serverName string, version uint16) (facts string, provider http.Header) {
		client := w.Client("http/1.1")
		config := client.Transport.(*http.Transport).TLSClientConfig
		config.ServerName, config.MaxVersion, config.InsecureSkipVerify = serverName, version, true
		defer client.CloseIdleConnections()
		c := call{route: w.provider.Key(), to: "/echo", body: []byte("x"), header: http.Header{"X-Gateway-Tls": {"TLSv9 made up"}}}
		req := w.request(t.Context(), t, c)
		u, err := req.URL.Parse(base + "/v1/chat/completions")
		require.NoError(t, err)
		req.URL, req.Host = u, u.Host
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		w.proc.story().with(func(s *seen) { facts = s.request["x-gateway-tls"] })
		return facts, reply{status: resp.StatusCode, header: resp.Header, body: body}.echoed(t).Header
	}
	facts, got := ask(w.URL, "gw.example", tls.VersionTLS13)
	require.Regexp(t, `^TLSv1\.3 TLS_\w+ gw\.example$`, facts)
	require.NotContains(t, got, "X-Gateway-Tls")
	facts, _ = ask(w.URL, "", tls.VersionTLS12)
	require.Regexp(t, `^TLSv1\.2 ECDHE-\S+ $`, facts)
	facts, _ = ask(w.URL, "a b\r\nx-forwarded-for: 10.0.0.1", tls.VersionTLS13)
	require.Regexp(t, `^\S+ \S+ invalid:\S+$`, facts, "a name with a line break makes no header of its own")
	facts, _ = ask(w.PlainURL, "", 0)
	require.Empty(t, facts)
}
