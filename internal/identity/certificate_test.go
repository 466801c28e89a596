package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

// clientCertificate is a certificate as Envoy's header tells of it, and as it
// is read.
func clientCertificate(t *testing.T, cn string, uris, dns []string) (header string, c *identity.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	x := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, DNSNames: dns,
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
	}
	for _, text := range uris {
		u, err := url.Parse(text)
		require.NoError(t, err)
		x.URIs = append(x.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	sum := sha256.Sum256(der)
	return `Hash=00;Cert="` + strings.ReplaceAll(url.QueryEscape(text), "+", "%20") + `"`, &identity.Certificate{
		CommonName: cn, URIs: uris, DNSNames: dns, Fingerprint: hex.EncodeToString(sum[:]), Expires: start.Add(time.Hour),
	}
}

func TestCertificatesAreUsers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"trainer", "batch", "ann"} {
		w.user(name)
	}
	w.Trust(identity.Trust{Certificates: []identity.CertificateRule{
		{URI: "spiffe://corp.example/ns/ml/sa/trainer", User: "Trainer"},
		{URI: "spiffe://corp.example/ns/*/sa/batch", User: "batch"},
		{DNS: "*.people.corp.example", User: "{1}"},
		{CN: "robot-*", User: "{1}"},
	}})
	tests := map[string]struct {
		c    identity.Certificate
		user string
		err  error
	}{
		"by URI":                     {identity.Certificate{URIs: []string{"spiffe://corp.example/ns/ml/sa/trainer"}}, "trainer", nil},
		"by its second URI":          {identity.Certificate{URIs: []string{"x:y", "spiffe://corp.example/ns/ml/sa/trainer"}}, "trainer", nil},
		"by a pattern":               {identity.Certificate{URIs: []string{"spiffe://corp.example/ns/x/sa/batch"}}, "batch", nil},
		"a star is one segment":      {identity.Certificate{URIs: []string{"spiffe://corp.example/ns/x/y/sa/batch"}}, "", identity.ErrUnknownCertificate},
		"a star is not nothing":      {identity.Certificate{URIs: []string{"spiffe://corp.example/ns//sa/batch"}}, "", identity.ErrUnknownCertificate},
		"case of a URI counts":       {identity.Certificate{URIs: []string{"spiffe://corp.example/ns/ml/sa/TRAINER"}}, "", identity.ErrUnknownCertificate},
		"by DNS name":                {identity.Certificate{DNSNames: []string{"ANN.people.corp.example"}}, "ann", nil},
		"a DNS star is one label":    {identity.Certificate{DNSNames: []string{"a.ann.people.corp.example"}}, "", identity.ErrUnknownCertificate},
		"no such user":               {identity.Certificate{DNSNames: []string{"zoe.people.corp.example"}}, "", identity.ErrUnknownCertificate},
		"by common name":             {identity.Certificate{CommonName: "robot-batch"}, "batch", nil},
		"a URI is no common name":    {identity.Certificate{CommonName: "spiffe://corp.example/ns/ml/sa/trainer"}, "", identity.ErrUnknownCertificate},
		"the first rule decides":     {identity.Certificate{CommonName: "robot-ann", URIs: []string{"spiffe://corp.example/ns/a/sa/batch"}}, "batch", nil},
		"nothing in it":              {identity.Certificate{}, "", identity.ErrUnknownCertificate},
		"it has expired since":       {identity.Certificate{CommonName: "robot-ann", Expires: start.Add(-1)}, "", identity.ErrExpiredCertificate},
		"a name that only begins so": {identity.Certificate{CommonName: "robot-"}, "", identity.ErrUnknownCertificate},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.c.Expires.IsZero() {
				tt.c.Expires = start.Add(time.Hour)
			}
			c, err := w.Authenticate(identity.Presented{Certificate: &tt.c})
			require.ErrorIs(t, err, tt.err)
			if tt.err == nil {
				require.Equal(t, tt.user, c.UserName)
				require.Equal(t, identity.CredentialCertificate, c.Credential)
				require.True(t, c.Shared())
			}
		})
	}

	ann, err := w.FindUser(ctx, "ann")
	require.NoError(t, err)
	plain, _ := w.token(identity.Token{UserID: ann.ID})
	trainer := &identity.Certificate{URIs: []string{"spiffe://corp.example/ns/ml/sa/trainer"}, Expires: start.Add(time.Hour)}
	c, err := w.Authenticate(identity.Presented{Credential: plain, Certificate: trainer})
	require.NoError(t, err)
	require.Equal(t, "ann", c.UserName, "the token decides")
	_, err = w.Authenticate(identity.Presented{Credential: sample, Certificate: trainer})
	require.ErrorIs(t, err, identity.ErrUnknownToken, "a bad token is not made good by a certificate")

	_, err = w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	_, err = w.Authenticate(identity.Presented{Certificate: &identity.Certificate{CommonName: "robot-ann", Expires: start.Add(time.Hour)}})
	require.ErrorIs(t, err, identity.ErrDisabledUser)
	w.Trust(identity.Trust{})
	_, err = w.Authenticate(identity.Presented{Certificate: trainer})
	require.ErrorIs(t, err, identity.ErrNoCredential, "without rules certificates say nothing")
}

func TestCertificateRules(t *testing.T) {
	for text, rule := range map[string]identity.CertificateRule{
		"exactly one of":    {User: "x"},
		"exactly one of u":  {URI: "a", CN: "b", User: "x"},
		"want user":         {CN: "b"},
		"at most one":       {CN: "a*b*", User: "x"},
		`no "*" that it`:    {CN: "a", User: "{1}"},
		"the name of a use": {DNS: "*.example"},
	} {
		require.ErrorContains(t, rule.Check(), text)
	}
	require.NoError(t, identity.CertificateRule{CN: "*", User: "u-{1}"}.Check())
}

func TestCertificateText(t *testing.T) {
	_, c := clientCertificate(t, "ann", []string{"spiffe://a/b"}, []string{"ann.example"})
	require.Equal(t, "spiffe://a/b ann.example CN=ann sha256:"+c.Fingerprint, c.String())
}
