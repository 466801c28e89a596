package targets

import (
	"crypto/tls"
	"fmt"
	"os"

	"sluice/internal/config"
)

// secure makes TLS settings of a sink's: the roots of egress with its own, and
// its client certificate.
func secure(c *config.SinkTLS, d *Deps) (*tls.Config, error) {
	out := d.Egress.TLSConfig()
	out.ServerName = c.ServerName
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		out.RootCAs = out.RootCAs.Clone()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.Certificate != "" {
		// It is read for each connection: certificates are renewed in place.
		read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
			if err != nil {
				return nil, fmt.Errorf("tls.certificate: %w", err)
			}
			return &pair, nil
		}
		if _, err := read(nil); err != nil {
			return nil, err
		}
		out.GetClientCertificate = read
	}
	return out, nil
}
