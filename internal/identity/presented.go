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
	Credential  string // bare, see CredentialFrom; "": none
	Address     string // the client's IP address, as Envoy saw it; "": not known
	Certificate string // the value of CertificateHeader; "": no certificate
}

// PresentedBy reads what a request presents. get returns the values of a header
// given in lower case, address is the client's. Where there is a certificate a
// credential may be absent; other errors are those of CredentialFrom.
func PresentedBy(get func(header string) []string, address string) (Presented, error) {
	p := Presented{Address: address}
	if values := get(CertificateHeader); len(values) == 1 {
		p.Certificate = values[0]
	}
	var err error
	p.Credential, err = CredentialFrom(get)
	if p.Certificate != "" && errors.Is(err, ErrNoCredential) {
		return p, nil
	}
	return p, err
}
