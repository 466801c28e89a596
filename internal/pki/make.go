package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a CA that can sign.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// clockSkew is how far a client's clock may be behind ours.
const clockSkew = time.Hour

func makeCA(dir string, now time.Time) (*authority, error) {
	host, _ := os.Hostname()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Sluice local CA " + host, Organization: []string{"Sluice"}},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	cert, key, err := issue(template, nil)
	if err != nil {
		return nil, err
	}
	if err := writePair(dir, CAFile, caKeyFile, cert, key); err != nil {
		return nil, err
	}
	return parseAuthority(cert, key)
}

func makeServer(dir string, ca *authority, names []string, now time.Time) (Pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Sluice", Organization: []string{"Sluice"}},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(serverLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	cert, key, err := issue(template, ca)
	if err != nil {
		return Pair{}, err
	}
	if err := writePair(dir, serverFile, serverKey, cert, key); err != nil {
		return Pair{}, err
	}
	p, _, err := check(cert, key)
	return p, err
}

// issue makes a new P-256 key and a certificate for it, signed by ca, or by
// itself when ca is nil. Both are PEM.
func issue(template *x509.Certificate, ca *authority) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	if ca == nil {
		ca = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func parseAuthority(certPEM, keyPEM []byte) (*authority, error) {
	_, cert, err := check(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, errors.New("this is not a CA with an ECDSA key")
	}
	return &authority{cert: cert, key: key}, nil
}

// writePair replaces both files. The key comes first: a crash between the two
// leaves a pair that does not match, which is made anew (a server's) or
// reported (a CA's), never a key that nobody knows.
func writePair(dir, certName, keyName string, cert, key []byte) error {
	if err := writeFile(filepath.Join(dir, keyName), key); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, certName), cert)
}

// writeFile replaces a file whole or not at all.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
