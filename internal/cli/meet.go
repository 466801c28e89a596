package cli

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// caPath is where a gateway gives its own CA to whoever asks.
const caPath = "/ui/ca.pem"

const meetTimeout = 30 * time.Second

// meet gets the CA of a gateway that is not known yet, and has it compared.
// Nothing secret is sent before.
func (l *login) meet(cmd *cobra.Command, server string) (string, error) {
	ca, err := fetchCA(cmd.Context(), server)
	if err != nil {
		return "", fmt.Errorf("the certificate of %s is not from a CA that this machine trusts, and the gateway's own CA "+
			"could not be had (%w); name its file with --ca", server, err)
	}
	print := Fingerprint(ca)
	switch {
	case l.fingerprint != "":
		if plainHex(l.fingerprint) != plainHex(print) {
			return "", fmt.Errorf("the CA of %s has the fingerprint %s, not %s: somebody may be in between", server, print, l.fingerprint)
		}
	case interactive(cmd):
		answer, err := ask(cmd, fmt.Sprintf("%s has a CA of its own, %s,\nwith the fingerprint %s.\n"+
			"Trust it? Compare it with what the gateway showed at its start. [y/N] ", server, printable(ca.Subject.CommonName), print))
		if err != nil {
			return "", err
		}
		if a := strings.ToLower(answer); a != "y" && a != "yes" {
			return "", errors.New("the CA is not trusted; nothing was kept")
		}
	default:
		return "", fmt.Errorf("%s has a CA of its own with the fingerprint %s: compare it with what the gateway showed at its "+
			"start, and give it with --ca-fingerprint", server, print)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})), nil
}

// FingerprintPEM is that of the first certificate in PEM.
func FingerprintPEM(text []byte) (string, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("there is no PEM certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return Fingerprint(c), nil
}

// Fingerprint is the SHA-256 of a certificate, as people compare it.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// plainHex takes a fingerprint with or without colons and prefix.
func plainHex(s string) string {
	s, _ = strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "sha256:")
	return strings.ReplaceAll(s, ":", "")
}

// fetchCA asks for the CA over a connection that is not trusted, and returns it
// if the gateway's own certificate is from it.
func fetchCA(ctx context.Context, server string) (*x509.Certificate, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(server, "/")+caPath, nil)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	// What is read is checked below against the fingerprint that a person knows.
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", caPath, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM certificate", caPath)
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", caPath, err)
	}
	return ca, signedBy(ca, resp.TLS.PeerCertificates, u.Hostname())
}

func signedBy(ca *x509.Certificate, chain []*x509.Certificate, host string) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca)
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host})
	return err
}
