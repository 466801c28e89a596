package egress

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// metadataTimeout is short: a metadata service is on the machine's own link
// or nowhere.
const metadataTimeout = 2 * time.Second

// ConnectError is that a connection was not made: refused by the rules, or
// not to be had. Its text holds nothing that the other side sent, save what a
// proxy answered.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return e.Err.Error() }
func (e *ConnectError) Unwrap() error { return e.Err }

// AmbientClient returns an HTTP client for the machine's own identity: AWS's
// default chain, Google's application default credentials. It reaches what
// Client must not, the metadata services and helpers on loopback, directly and
// by no proxy; anything else goes by the rules. It is never for a URL that
// comes from an endpoint: such a URL would be given the machine's credentials.
func (r *Rules) AmbientClient() *http.Client {
	near := &net.Dialer{Timeout: metadataTimeout, Control: onlyNear}
	c := r.Client()
	c.Transport = &ambient{rules: c.Transport, near: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := near.DialContext(ctx, network, address)
			if err != nil {
				return nil, &ConnectError{err}
			}
			return conn, nil
		},
		TLSClientConfig: r.TLSConfig(), TLSHandshakeTimeout: handshakeTimeout, IdleConnTimeout: idleTimeout,
		ResponseHeaderTimeout: handshakeTimeout,
	}}
	return c
}

// ambient sends requests to a near service past the rules.
type ambient struct {
	rules http.RoundTripper
	near  *http.Transport
}

func (a *ambient) RoundTrip(req *http.Request) (*http.Response, error) {
	if isNear(req.URL.Hostname()) {
		return a.near.RoundTrip(req)
	}
	return a.rules.RoundTrip(req)
}

// CloseIdleConnections is what http.Client asks of its transport.
func (a *ambient) CloseIdleConnections() {
	a.near.CloseIdleConnections()
	if c, ok := a.rules.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// isNear reports whether a host is a metadata service or this machine.
func isNear(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.IsLoopback() || isMetadata(addr)
	}
	return name == "localhost" || slices.Contains(metadataNames, name)
}

// onlyNear refuses a near name that leads elsewhere.
func onlyNear(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if a := addr.Addr(); !a.Unmap().IsLoopback() && !isMetadata(a) {
		return blocked(a, "not the address of a metadata service")
	}
	return nil
}
