package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
)

// Client returns an HTTP client for the Go code's own calls. It follows no
// redirect: where a call leads is in the configuration, not in an answer. The
// caller sets a deadline by the request's context.
func (r *Rules) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         r.DialContext,
			TLSClientConfig:     r.TLSConfig(),
			TLSHandshakeTimeout: handshakeTimeout,
			IdleConnTimeout:     idleTimeout,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// TLSConfig verifies servers against Roots. Each call returns a new one.
func (r *Rules) TLSConfig() *tls.Config {
	return &tls.Config{RootCAs: r.pool, MinVersion: tls.VersionTLS12}
}

// DialContext connects to "host:port" by the rules: the address is checked at
// the moment of connecting, so that a name can't change between check and use.
// Its errors are ConnectErrors.
func (r *Rules) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := r.dial(ctx, network, address)
	if err != nil {
		return nil, &ConnectError{err}
	}
	return c, nil
}

func (r *Rules) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: the port is not a number", address)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	place, err := r.Resolve(ctx, host, uint16(port))
	if err != nil {
		return nil, err
	}
	if !place.Proxy.IsValid() {
		return dialFirst(ctx, network, place.Addresses)
	}
	if len(place.Addresses) > 0 {
		address = place.Addresses[0].String()
	}
	return dialProxy(ctx, place.Proxy, address)
}

// dialFirst tries the addresses in turn, IPv4 first.
func dialFirst(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	var last error
	for _, a := range addrs {
		c, err := d.DialContext(ctx, network, a.String())
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, last
}

// dialProxy asks the proxy for a connection to target.
func dialProxy(ctx context.Context, proxy netip.AddrPort, target string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", proxy.String())
	if err != nil {
		return nil, fmt.Errorf("connecting to the proxy: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	if err := connect(c, target); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("asking the proxy for %s: %w", target, err)
	}
	return c, c.SetDeadline(time.Time{})
}

// connect asks for a tunnel (RFC 9110, section 9.3.6).
func connect(c net.Conn, target string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if err := req.Write(c); err != nil {
		return err
	}
	// The other side speaks first only after TLS has begun, so the reader
	// holds nothing of the tunnel.
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	if r.Buffered() > 0 {
		return errors.New("it sent data before the tunnel was used")
	}
	return nil
}
