package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of Ensure in its folder. Keys are secret; all are 0600.
const (
	CAFile     = "ca.pem" // what clients trust
	caKeyFile  = "ca.key"
	serverFile = "server.pem" // the server's certificate alone
	serverKey  = "server.key"
)

const (
	caLife     = 10 * 365 * 24 * time.Hour
	serverLife = 397 * 24 * time.Hour // the longest that browsers take
	// renewBefore is how long before its end a certificate is made anew.
	renewBefore = 30 * 24 * time.Hour
)

// Ensure returns the server's pair and the path of the CA certificate that
// clients trust. What is missing in dir, broken, near its end, or lacks one of
// the names is made: the CA lasts 10 years, the server certificate 397 days.
// The server certificate always has the names localhost, 127.0.0.1, ::1 and
// this machine's; hosts are further names or addresses, of which empty and
// unspecified ones (0.0.0.0, ::) are passed over.
func Ensure(dir string, hosts []string, now time.Time) (p Pair, caFile string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Pair{}, "", fmt.Errorf("making the certificate folder: %w", err)
	}
	ca, err := ensureCA(dir, now)
	if err != nil {
		return Pair{}, "", fmt.Errorf("making the local CA: %w", err)
	}
	names := serverNames(hosts)
	p, ok := goodServer(dir, ca.cert, names, now)
	if !ok {
		if p, err = makeServer(dir, ca, names, now); err != nil {
			return Pair{}, "", fmt.Errorf("making the server certificate: %w", err)
		}
	}
	return p, filepath.Join(dir, CAFile), nil
}

// ensureCA returns the CA in dir, made when it is missing or near its end. One
// that is broken is an error: clients trust it, so it is not replaced unasked.
func ensureCA(dir string, now time.Time) (*authority, error) {
	certFile, keyFile := filepath.Join(dir, CAFile), filepath.Join(dir, caKeyFile)
	cert, certErr := os.ReadFile(certFile)
	key, keyErr := os.ReadFile(keyFile)
	switch {
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return makeCA(dir, now)
	case certErr != nil:
		return nil, certErr
	case keyErr != nil:
		return nil, keyErr
	}
	ca, err := parseAuthority(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are not a CA (remove both to have a new one made): %w", certFile, keyFile, err)
	}
	if now.Add(renewBefore).After(ca.cert.NotAfter) {
		return makeCA(dir, now)
	}
	return ca, nil
}

// goodServer returns the server's pair in dir if it can go on being used.
func goodServer(dir string, ca *x509.Certificate, names []string, now time.Time) (Pair, bool) {
	cert, err := os.ReadFile(filepath.Join(dir, serverFile))
	if err != nil {
		return Pair{}, false
	}
	key, err := os.ReadFile(filepath.Join(dir, serverKey))
	if err != nil {
		return Pair{}, false
	}
	p, leaf, err := check(cert, key)
	if err != nil || leaf.CheckSignatureFrom(ca) != nil {
		return Pair{}, false
	}
	if now.Before(leaf.NotBefore) || now.Add(renewBefore).After(leaf.NotAfter) {
		return Pair{}, false
	}
	for _, n := range names {
		if leaf.VerifyHostname(n) != nil {
			return Pair{}, false
		}
	}
	return p, true
}

// serverNames are the names and addresses of the server certificate.
func serverNames(hosts []string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if h, err := os.Hostname(); err == nil && validName(h) {
		names = append(names, strings.ToLower(h))
	}
	for _, h := range hosts {
		ip := net.ParseIP(h)
		if (ip != nil && ip.IsUnspecified()) || (ip == nil && !validName(h)) {
			continue
		}
		if h = strings.ToLower(h); !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return names
}

// validName reports whether a certificate can have the DNS name.
func validName(h string) bool {
	return h != "" && len(h) <= 253 && !strings.ContainsFunc(h, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
