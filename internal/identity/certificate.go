package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Errors of client certificates.
var (
	ErrUnknownCertificate   = errors.New("the client certificate belongs to no user of this gateway")
	ErrExpiredCertificate   = errors.New("the client certificate has expired")
	ErrMalformedCertificate = errors.New("the client certificate can't be read")
)

// Certificate is a client certificate that Envoy has verified.
type Certificate struct {
	CommonName  string
	URIs        []string // subject alternative names
	DNSNames    []string
	Fingerprint string // SHA-256, in hex
	Expires     time.Time
}

// String tells which certificate it is, for records: "" of nil.
func (c *Certificate) String() string {
	if c == nil {
		return ""
	}
	names := append(append([]string{}, c.URIs...), c.DNSNames...)
	if c.CommonName != "" {
		names = append(names, "CN="+c.CommonName)
	}
	return strings.Join(append(names, "sha256:"+c.Fingerprint), " ")
}

// readCertificate reads Envoy's header. It takes the certificate itself and
// reads the names from that: Envoy writes names into the header as they are, so
// that a name with a semicolon would look like two.
func readCertificate(header []string) (*Certificate, error) {
	if len(header) != 1 {
		return nil, fmt.Errorf("%w: there are %d", ErrMalformedCertificate, len(header))
	}
	_, rest, found := strings.Cut(header[0], `Cert="`)
	encoded, after, closed := strings.Cut(rest, `"`)
	if !found || !closed || after != "" && !strings.HasPrefix(after, ";") {
		return nil, ErrMalformedCertificate
	}
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil, ErrMalformedCertificate
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, ErrMalformedCertificate
	}
	x, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, ErrMalformedCertificate
	}
	sum := sha256.Sum256(block.Bytes)
	c := &Certificate{CommonName: x.Subject.CommonName, DNSNames: x.DNSNames, Fingerprint: hex.EncodeToString(sum[:]), Expires: x.NotAfter}
	for _, u := range x.URIs {
		c.URIs = append(c.URIs, u.String())
	}
	return c, nil
}

// CertificateRule maps certificates to a user. Exactly one of URI, DNS and CN is
// set: a name, in which one "*" may stand for any text without "/" (of a URI) or
// "." (of a DNS name), or for any text (of a common name).
type CertificateRule struct {
	URI, DNS, CN string
	// User is the name of a user; "{1}" stands for what the "*" stands for.
	User string
}

// Check returns an error that says what is wrong with the rule.
func (r CertificateRule) Check() error {
	pattern, set := "", 0
	for _, p := range []string{r.URI, r.DNS, r.CN} {
		if p != "" {
			pattern, set = p, set+1
		}
	}
	switch {
	case set != 1:
		return errors.New("want exactly one of uri, dns and cn")
	case r.User == "":
		return errors.New("want user, the name of a user")
	case strings.Count(pattern, "*") > 1:
		return errors.New(`want at most one "*" in the name`)
	case strings.Contains(r.User, "{1}") && !strings.Contains(pattern, "*"):
		return errors.New(`user has "{1}", and the name has no "*" that it could stand for`)
	}
	return nil
}

// user returns the name of the user that the rule maps a certificate to.
func (r CertificateRule) user(c *Certificate) (string, bool) {
	pattern, names, stop := r.CN, []string{c.CommonName}, ""
	switch {
	case r.URI != "":
		pattern, names, stop = r.URI, c.URIs, "/"
	case r.DNS != "":
		pattern, names, stop = strings.ToLower(r.DNS), c.DNSNames, "."
	}
	for _, name := range names {
		if r.DNS != "" {
			name = strings.ToLower(name)
		}
		if star, ok := match(pattern, name, stop); ok {
			return strings.ReplaceAll(r.User, "{1}", star), true
		}
	}
	return "", false
}

// match compares a name with a pattern and returns what its "*" stands for,
// which is never nothing and never has a stop in it.
func match(pattern, name, stop string) (star string, ok bool) {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return "", name != "" && name == pattern
	}
	if len(name) <= len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return "", false
	}
	star = name[len(before) : len(name)-len(after)]
	return star, stop == "" || !strings.Contains(star, stop)
}

// authenticateCertificate returns the caller that a certificate stands for.
func (s *Store) authenticateCertificate(c *Certificate) (*Caller, error) {
	if len(s.trust.Certificates) == 0 {
		return nil, ErrNoCredential // certificates are asked for, and say nothing
	}
	now := s.now()
	if now.After(c.Expires) { // Envoy looks at it when a connection begins only
		return nil, ErrExpiredCertificate
	}
	snap := s.snap.Load()
	for _, rule := range s.trust.Certificates {
		name, ok := rule.user(c)
		if !ok {
			continue
		}
		u := snap.userNames.get(fold(name))
		if u == nil {
			return nil, fmt.Errorf("%w: there is no user %q", ErrUnknownCertificate, name)
		}
		return snap.derive(derivation{userID: u.ID, credential: CredentialCertificate}, now)
	}
	return nil, ErrUnknownCertificate
}
