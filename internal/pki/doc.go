// Package pki keeps the server certificate: a local CA and a certificate made
// by it where none is configured (Ensure), or configured files (Load), watched
// for change (Watch).
package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// Errors of Load, wrapped with the file and what to do.
var (
	ErrExpired  = errors.New("the certificate has expired")
	ErrNotYet   = errors.New("the certificate is not valid yet")
	ErrMismatch = errors.New("certificate and key do not make a pair")
)

// Pair is a certificate chain and its key, PEM, checked to belong together.
type Pair struct {
	Cert     []byte
	Key      []byte    // secret
	NotAfter time.Time // end of the first certificate of the chain
}

// Load reads a certificate chain and its key, and checks that they belong
// together and that the certificate is valid now.
func Load(certFile, keyFile string, now time.Time) (Pair, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return Pair{}, fmt.Errorf("reading the certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return Pair{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	p, leaf, err := check(cert, key)
	if err != nil {
		return Pair{}, fmt.Errorf("%w: %s, %s: %w", ErrMismatch, certFile, keyFile, err)
	}
	switch {
	case now.After(leaf.NotAfter):
		return Pair{}, fmt.Errorf("%w: %s ended %s", ErrExpired, certFile, leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return Pair{}, fmt.Errorf("%w: %s begins %s", ErrNotYet, certFile, leaf.NotBefore.Format(time.RFC3339))
	}
	return p, nil
}

// check parses a pair and returns its first certificate.
func check(cert, key []byte) (Pair, *x509.Certificate, error) {
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return Pair{}, nil, err
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return Pair{}, nil, err
	}
	return Pair{Cert: cert, Key: key, NotAfter: leaf.NotAfter}, leaf, nil
}
