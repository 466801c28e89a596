package xds

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// serverSecret is the certificate that clients see.
func serverSecret(certPEM, keyPEM []byte) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: secretServer,
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inline(certPEM),
			PrivateKey:       inline(keyPEM),
		}},
	}
}

// rootsSecret is what providers' certificates are verified against. One
// secret serves all clusters: 10,000 copies of the system's roots would not
// fit.
func rootsSecret(rootsPEM []byte) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: secretRoots,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: inline(rootsPEM),
		}},
	}
}

// clientsSecret is what client certificates are verified against. crlPEM is
// empty where no revocations are known.
func clientsSecret(caPEM, crlPEM []byte) *tlsv3.Secret {
	v := &tlsv3.CertificateValidationContext{TrustedCa: inline(caPEM)}
	if len(crlPEM) > 0 {
		v.Crl, v.OnlyVerifyLeafCertCrl = inline(crlPEM), true
	}
	return &tlsv3.Secret{Name: secretClients, Type: &tlsv3.Secret_ValidationContext{ValidationContext: v}}
}

func inline(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}
