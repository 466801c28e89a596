// Package egress holds the rules for everything that leaves: which addresses
// may be reached, by which proxy, verified against which roots. Envoy's
// clusters and the Go code's own calls obey the same rules.
package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Options are the egress settings of the configuration.
type Options struct {
	CAFile string // PEM roots to trust besides the system's; "" for none
	Proxy  string // http://host:port of an HTTP CONNECT proxy; "" for none
	// Resolve sends connections for a host elsewhere, as curl --connect-to:
	// "host" or "host:port" → "address:port". Such an address is allowed
	// wherever it lies, save metadata services. The TLS name stays the host's.
	Resolve      map[string]string
	AllowPrivate bool // hosts may have loopback or private addresses

	// Lookup asks the DNS; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Rules are checked Options. They never change and are safe for use by
// several goroutines.
type Rules struct {
	roots        []byte
	pool         *x509.CertPool
	proxy        string // host:port; "" for none
	resolve      map[string]netip.AddrPort
	allowPrivate bool
	nearDirect   bool // private addresses are reached past the proxy
	lookup       func(ctx context.Context, host string) ([]netip.Addr, error)
}

// New checks the options and reads the roots. The error names the setting.
func New(o Options) (*Rules, error) {
	r := &Rules{allowPrivate: o.AllowPrivate, lookup: o.Lookup}
	if r.lookup == nil {
		r.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	var err error
	if r.proxy, err = proxyAddress(o.Proxy); err != nil {
		return nil, fmt.Errorf("egress.proxy: %w", err)
	}
	if r.resolve, err = overrides(o.Resolve); err != nil {
		return nil, fmt.Errorf("egress.resolve: %w", err)
	}
	if r.roots, r.pool, err = loadRoots(o.CAFile); err != nil {
		return nil, fmt.Errorf("egress.ca_file: %w", err)
	}
	return r, nil
}

// Roots are the PEM certificates that providers are verified against: the
// system's and those of Options.CAFile.
func (r *Rules) Roots() []byte { return r.roots }

// Proxy is host:port of the CONNECT proxy; "" when there is none.
func (r *Rules) Proxy() string { return r.proxy }

func proxyAddress(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", errors.New("this is not a URL; write http://host:port")
	case u.User != nil:
		return "", errors.New("a proxy that wants a password is not supported; write http://host:port")
	case u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return "", errors.New("write http://host:port of a proxy that takes CONNECT")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func overrides(m map[string]string) (map[string]netip.AddrPort, error) {
	out := make(map[string]netip.AddrPort, len(m))
	for host, to := range m {
		addr, err := netip.ParseAddrPort(to)
		if err != nil {
			return nil, fmt.Errorf("%q: %q is not address:port, for example 127.0.0.1:8443", host, to)
		}
		if isMetadata(addr.Addr()) {
			return nil, fmt.Errorf("%q: %w", host, blocked(addr.Addr(), "a metadata service"))
		}
		out[strings.ToLower(host)] = addr
	}
	return out, nil
}

// override returns where connections for host and port are sent instead.
func (r *Rules) override(host string, port uint16) (netip.AddrPort, bool) {
	host = strings.ToLower(host)
	if a, ok := r.resolve[net.JoinHostPort(host, strconv.Itoa(int(port)))]; ok {
		return a, true
	}
	a, ok := r.resolve[host]
	return a, ok
}

// systemRootFiles are where systems keep their roots, as Go's crypto/x509
// looks for them.
var systemRootFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Gentoo, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS, RHEL 7
	"/etc/ssl/cert.pem",                                 // Alpine, macOS
}

// loadRoots returns the system's roots and those of file together, as PEM for
// Envoy and as a pool for Go. A system without roots is allowed when file
// brings some.
func loadRoots(file string) ([]byte, *x509.CertPool, error) {
	var pem []byte
	files := systemRootFiles
	if f := os.Getenv("SSL_CERT_FILE"); f != "" {
		files = []string{f}
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			pem = b
			break
		}
	}
	if file != "" {
		own, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(own) {
			return nil, nil, fmt.Errorf("%s holds no PEM certificate", file)
		}
		pem = append(append(pem, '\n'), own...)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, errors.New("this system has no root certificates: " +
			"install ca-certificates, or name a file with roots")
	}
	return pem, pool, nil
}
