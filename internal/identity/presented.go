package identity

import "errors"

// Kinds of credential, for Caller.Credential.
const (
	CredentialToken       = "token"
	CredentialJWT         = "jwt"
	CredentialCertificate = "certificate"
	CredentialSession     = "session"
)

// CertificateHeader is the header, in lower case, in which Envoy tells of the
// client certificate that it has verified. Envoy removes it when a client sends
// it, and the routes remove it towards providers.
const CertificateHeader = "x-forwarded-client-cert"

// Presented is what a request brings to say who is asking.
type Presented struct {
	Credential  string       // bare, see CredentialFrom; "": none
	Address     string       // the client's IP address, as Envoy saw it; "": not known
	Certificate *Certificate // that Envoy has verified; nil: none
}

// CertificateOf names the client certificate of a request for records: "" where
// there is none that can be read. get is that of PresentedBy.
func CertificateOf(get func(header string) []string) string {
	values := get(CertificateHeader)
	if len(values) == 0 {
		return ""
	}
	c, err := readCertificate(values)
	if err != nil {
		return ""
	}
	return c.String()
}

// PresentedBy reads what a request presents. get returns the values of a header
// given in lower case, address is the client's. Where there is a certificate a
// credential may be absent; a certificate that can't be read is
// ErrMalformedCertificate. Other errors are those of CredentialFrom.
func PresentedBy(get func(header string) []string, address string) (Presented, error) {
	p := Presented{Address: address}
	var err error
	if values := get(CertificateHeader); len(values) > 0 {
		if p.Certificate, err = readCertificate(values); err != nil {
			return p, err
		}
	}
	p.Credential, err = CredentialFrom(get)
	if p.Certificate != nil && errors.Is(err, ErrNoCredential) {
		return p, nil
	}
	return p, err
}
