package egress_test

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/egress"
)

func TestCheckAddress(t *testing.T) {
	const always, private, open = "never", "private", "open"
	cases := map[string]string{
		// Metadata services, in every spelling.
		"169.254.169.254": always, "::ffff:169.254.169.254": always, "64:ff9b::a9fe:a9fe": always, "2002:a9fe:a9fe::1": always,
		"::169.254.169.254": always, "fd00:ec2::254": always, "fd20:ce::254": always, "169.254.170.2": always, "100.100.100.200": always,
		"168.63.129.16": always, "192.0.0.192": always, "2001:0:a9fe:a9fe::1": always, "2001:0:5ef5:79fb:0:0:5601:5601": always,
		// No machine's.
		"0.0.0.0": always, "0.1.2.3": always, "::": always, "224.0.0.1": always, "ff02::1": always, "255.255.255.255": always, "240.0.0.1": always,
		"fe80::1%eth0": always,
		// Private.
		"127.0.0.1": private, "127.9.9.9": private, "::1": private, "::ffff:127.0.0.1": private, "64:ff9b::7f00:1": private, "10.0.0.1": private,
		"172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "169.254.1.1": private, "fe80::1": private, "fc00::1": private,
		"fd12::1": private, "100.64.0.1": private, "100.127.255.255": private, "198.18.0.1": private, "fec0::1": private, "2002:0a00:0001::1": private,
		"::127.0.0.1": private, "192.0.0.8": private, "64:ff9b:1::1": private,
		// Public.
		"1.1.1.1": open, "172.32.0.1": open, "100.128.0.1": open, "2606:4700::1111": open, "64:ff9b::101:101": open, "2002:0101:0101::1": open,
		"169.253.0.1": open,
	}
	for addr, want := range cases {
		strict := egress.CheckAddress(netip.MustParseAddr(addr), false)
		lax := egress.CheckAddress(netip.MustParseAddr(addr), true)
		require.Equal(t, want != open, strict != nil, "%s: %v", addr, strict)
		require.Equal(t, want == always, lax != nil, "%s: %v", addr, lax)
		if strict != nil {
			require.ErrorIs(t, strict, egress.ErrBlocked)
		}
	}
	require.ErrorIs(t, egress.CheckAddress(netip.Addr{}, true), egress.ErrBlocked)
}

// lookup is a DNS of a few names.
func lookup(names map[string][]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		list, ok := names[host]
		if !ok {
			return nil, errors.New("no such host")
		}
		var out []netip.Addr
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out, nil
	}
}

func rules(t *testing.T, o egress.Options) *egress.Rules {
	t.Helper()
	r, err := egress.New(o)
	require.NoError(t, err)
	return r
}

func TestResolve(t *testing.T) {
	dns := lookup(map[string][]string{
		"api.test": {"1.1.1.2", "2606:4700::1", "1.1.1.1", "1.1.1.2"}, "mixed.test": {"10.0.0.1", "1.1.1.1"},
		"inside.test": {"10.0.0.1"}, "meta.test": {"169.254.169.254"}, "empty.test": {}, "proxy.test": {"10.9.9.9"},
	})
	plain := rules(t, egress.Options{Lookup: dns, Resolve: map[string]string{"Pinned.test": "127.0.0.1:9", "port.test:443": "127.0.0.1:8"}})
	lax := rules(t, egress.Options{Lookup: dns, AllowPrivate: true})
	proxied := rules(t, egress.Options{Lookup: dns, Proxy: "http://proxy.test:3128", Resolve: map[string]string{"pinned.test": "127.0.0.1:9"}})
	cases := []struct {
		name  string
		rules *egress.Rules
		host  string
		want  string // addresses, or the error after "!"
		proxy string
	}{
		{"sorted, once each", plain, "api.test", "1.1.1.1:443 1.1.1.2:443 [2606:4700::1]:443", ""},
		{"private left out", plain, "mixed.test", "1.1.1.1:443", ""},
		{"private refused", plain, "inside.test", "!must not be reached", ""},
		{"private allowed", lax, "inside.test", "10.0.0.1:443", ""},
		{"metadata refused", lax, "meta.test", "!metadata", ""},
		{"unknown", plain, "nope.test", "!no such host", ""},
		{"empty", plain, "empty.test", "!no address", ""},
		{"address", plain, "1.2.3.4", "1.2.3.4:443", ""},
		{"mapped address", lax, "::ffff:10.0.0.1", "10.0.0.1:443", ""},
		{"private address", plain, "127.0.0.1", "!must not be reached", ""},
		{"override", plain, "PINNED.test", "127.0.0.1:9", ""},
		{"override of a port", plain, "port.test", "127.0.0.1:8", ""},
		{"behind a proxy", proxied, "unknown-here.test", "", "10.9.9.9:3128"},
		{"behind a proxy, private", proxied, "inside.test", "!must not be reached", ""},
		{"behind a proxy, override", proxied, "pinned.test", "127.0.0.1:9", "10.9.9.9:3128"},
		{"behind a proxy, address", proxied, "1.2.3.4", "1.2.3.4:443", "10.9.9.9:3128"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.rules.Resolve(t.Context(), c.host, 443)
			if why, bad := strings.CutPrefix(c.want, "!"); bad {
				require.ErrorContains(t, err, why)
				return
			}
			require.NoError(t, err)
			var list []string
			for _, a := range got.Addresses {
				list = append(list, a.String())
			}
			require.Equal(t, c.want, strings.Join(list, " "))
			if c.proxy != "" {
				require.Equal(t, c.proxy, got.Proxy.String())
			}
			require.NoError(t, c.rules.CheckHost(t.Context(), c.host))
		})
	}
	require.ErrorIs(t, plain.CheckHost(t.Context(), "169.254.169.254"), egress.ErrBlocked)
	require.ErrorIs(t, plain.CheckHost(t.Context(), "inside.test"), egress.ErrBlocked)
	require.NoError(t, plain.CheckHost(t.Context(), "port.test"))
	// A proxy resolves names by its own rules, so these never get to it.
	for _, host := range []string{
		"2852039166", "0xa9fea9fe", "0xA9.254.0xa9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.",
		"metadata.google.internal", "Metadata.Google.Internal.", "metadata",
	} {
		require.ErrorIs(t, proxied.CheckHost(t.Context(), host), egress.ErrBlocked, host)
		_, err := proxied.Resolve(t.Context(), host, 80)
		require.ErrorIs(t, err, egress.ErrBlocked, host)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.pem")
	require.NoError(t, os.WriteFile(broken, []byte("not a certificate"), 0o600))
	for want, o := range map[string]egress.Options{
		"egress.proxy: write http":     {Proxy: "https://proxy:3128"},
		"egress.proxy: a proxy that":   {Proxy: "http://user:secret@proxy:3128"},
		"egress.proxy: write http://h": {Proxy: "proxy:3128"},
		"is not address:port":          {Resolve: map[string]string{"a": "b"}},
		"a metadata service":           {Resolve: map[string]string{"a": "169.254.169.254:80"}},
		"egress.ca_file":               {CAFile: "/missing"},
		"holds no PEM certificate":     {CAFile: broken},
	} {
		_, err := egress.New(o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

// provider is an HTTPS server for example.com; ca is what it is verified by.
func provider(t *testing.T) (addr, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Host)
	}))
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, b, 0o600))
	return s.Listener.Addr().String(), ca
}

func get(t *testing.T, r *egress.Rules, url string) (string, error) {
	t.Helper()
	c := r.Client()
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.Status + " " + string(b), err
}

func TestClient(t *testing.T) {
	addr, ca := provider(t)
	to := map[string]string{"example.com": addr, "other.test": addr}
	r := rules(t, egress.Options{CAFile: ca, Resolve: to})
	got, err := get(t, r, "https://example.com/")
	require.NoError(t, err)
	require.Equal(t, "200 OK example.com", got)
	_, err = get(t, r, "https://other.test/")
	require.ErrorContains(t, err, "certificate")
	_, err = get(t, r, "https://"+addr+"/")
	require.ErrorIs(t, err, egress.ErrBlocked)
	got, err = get(t, r, "https://example.com/redirect")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, "302"), "no redirect is followed")
	_, err = get(t, rules(t, egress.Options{Resolve: to}), "https://example.com/")
	require.ErrorContains(t, err, "certificate")
}

// proxy is a CONNECT proxy that leads all to one address.
func proxy(t *testing.T, to, answer string) (url string, asked chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	asked = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				asked <- req.Method + " " + req.RequestURI
				_, _ = io.WriteString(c, "HTTP/1.1 "+answer+"\r\n\r\n")
				up, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer func() { _ = up.Close() }()
				go func() { _, _ = io.Copy(up, r); _ = up.Close() }()
				_, _ = io.Copy(c, up)
			}()
		}
	}()
	return "http://" + l.Addr().String(), asked
}

func TestClientByProxy(t *testing.T) {
	addr, ca := provider(t)
	url, asked := proxy(t, addr, "200 OK")
	r := rules(t, egress.Options{CAFile: ca, Proxy: url, Lookup: lookup(nil)})
	got, err := get(t, r, "https://example.com/")
	require.NoError(t, err)
	require.Equal(t, "200 OK example.com", got)
	require.Equal(t, "CONNECT example.com:443", <-asked)
	_, err = get(t, r, "https://169.254.169.254/")
	require.ErrorIs(t, err, egress.ErrBlocked)
	require.Empty(t, asked)

	url, _ = proxy(t, addr, "407 Proxy Authentication Required")
	_, err = get(t, rules(t, egress.Options{CAFile: ca, Proxy: url, Lookup: lookup(nil)}), "https://example.com/")
	require.ErrorContains(t, err, "407")
}
