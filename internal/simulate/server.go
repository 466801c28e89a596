package simulate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Hosts are the providers' own names that a stand-in can serve.
var Hosts = [...]string{"api.openai.com", "api.anthropic.com", "my-azure.openai.azure.com"}

// CA is a certificate authority for tests, valid for a day.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// NewCA makes a certificate authority that starts an hour before now.
func NewCA(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the CA's key: %w", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("signing the CA's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	return &CA{certificate: certificate, key: key,
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// PEM returns the CA's certificate.
func (c *CA) PEM() []byte { return c.pem }

// Pool returns the CA as the only trusted root.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.certificate)
	return pool
}

// Issue makes a server certificate for DNS names and IP addresses.
func (c *CA) Issue(hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generating a server's key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "stand-in provider"},
		NotBefore: c.certificate.NotBefore, NotAfter: c.certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.certificate, &key.PublicKey, c.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a server's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// IssueFiles makes a server certificate as Issue does and keeps it in dir, as
// PEM files that only this user can read.
func (c *CA) IssueFiles(dir string, hosts ...string) (certFile, keyFile string, err error) {
	pair, err := c.Issue(hosts...)
	if err != nil {
		return "", "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", "", fmt.Errorf("rendering the key: %w", err)
	}
	certFile, keyFile = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	for file, block := range map[string]pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(&block), 0o600); err != nil {
			return "", "", fmt.Errorf("writing the certificate: %w", err)
		}
	}
	return certFile, keyFile, nil
}

// Server is a provider on a loopback port.
type Server struct {
	// Addr is "127.0.0.1:port".
	Addr string
	// URL is Addr with its scheme.
	URL  string
	http *http.Server
	done chan struct{}
}

// Start serves h without TLS.
func Start(h http.Handler) (*Server, error) { return start(h, nil) }

// StartTLS serves h over TLS, HTTP/1.1 and HTTP/2, with a certificate of the CA
// for the hosts; without hosts, for Hosts.
func StartTLS(h http.Handler, ca *CA, hosts ...string) (*Server, error) {
	if len(hosts) == 0 {
		hosts = Hosts[:]
	}
	certificate, err := ca.Issue(hosts...)
	if err != nil {
		return nil, err
	}
	return start(h, &certificate)
}

func start(h http.Handler, certificate *tls.Certificate) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Server{Addr: listener.Addr().String(), http: newHTTPServer(h, certificate), done: make(chan struct{})}
	s.URL = "http://" + s.Addr
	serve := s.http.Serve
	if certificate != nil {
		s.URL = "https://" + s.Addr
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	go func() {
		defer close(s.done)
		_ = serve(listener) // always http.ErrServerClosed: nothing else closes the listener
	}()
	return s, nil
}

// Close ends the server and its connections, and waits until it is done.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the stand-in: %w", err)
	}
	return nil
}

func newHTTPServer(h http.Handler, certificate *tls.Certificate) *http.Server {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0)} // refused handshakes are what tests are for
	if certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	}
	return server
}

// RefusedAddr returns a loopback address on which nobody listens.
func RefusedAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("freeing the port: %w", err)
	}
	return addr, nil
}
