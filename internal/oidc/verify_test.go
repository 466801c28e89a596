package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
	"sluice/internal/oidc"
)

func TestGoodToken(t *testing.T) {
	idp := newIDP(t)
	c, err := idp.provider(idp.options()).Verify(t.Context(), idp.sign(0, idp.claims(nil)))
	require.NoError(t, err)
	require.Equal(t, &oidc.Claims{
		Subject: idp.issuer() + " s-1", UserName: "ann", FullName: "Ann Lee", Email: "ann@corp.example", Project: "fraud",
		Organizations: []string{"science", "arts", "lab/deep"}, Roles: []string{"auditor", "reader"},
		Issued: start, Expires: start.Add(time.Hour),
	}, c, "a role that is not mapped, be it named administrator, gives none")
}

func TestTokensThatAreTaken(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	for name, token := range map[string]string{
		"several audiences":           idp.sign(0, idp.claims(map[string]any{"aud": []any{"account", "sluice"}})),
		"an access token of RFC 9068": idp.sign(0, idp.claims(nil), map[string]any{"typ": "at+jwt"}),
		"its long form":               idp.sign(0, idp.claims(nil), map[string]any{"typ": "application/at+JWT"}),
		"issued by a clock ahead":     idp.sign(0, idp.claims(map[string]any{"iat": start.Add(29 * time.Second).Unix()})),
		"ended by a clock behind":     idp.sign(0, idp.claims(map[string]any{"exp": start.Add(-29 * time.Second).Unix()})),
		"begun":                       idp.sign(0, idp.claims(map[string]any{"nbf": start.Unix()})),
		"no time of issue":            idp.sign(0, idp.claims(map[string]any{"iat": nil})),
		"Keycloak's type":             idp.sign(0, idp.claims(map[string]any{"typ": "Bearer"})),
		"an old Keycloak's nonce":     idp.sign(0, idp.claims(map[string]any{"typ": "Bearer", "azp": "web", "nonce": "n"})),
		"of another client's sign-in": idp.sign(0, idp.claims(map[string]any{"azp": "notebooks", "nonce": "n"})),
	} {
		_, err := p.Verify(t.Context(), token)
		require.NoError(t, err, name)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	good := idp.sign(0, idp.claims(nil))
	part := strings.Split(good, ".")
	encode := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	spki, err := x509.MarshalPKIXPublicKey(&keys()[0].PublicKey)
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	hmac := sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: public}, (&jose.SignerOptions{}).WithHeader("kid", kid(0)), idp.claims(nil))
	own := jose.JSONWebKey{Key: keys()[1], KeyID: kid(0)}
	embedded := sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: own}, &jose.SignerOptions{EmbedJWK: true}, idp.claims(nil))
	ps := sign(t, jose.SigningKey{Algorithm: jose.PS256, Key: keys()[0]}, (&jose.SignerOptions{}).WithHeader("kid", kid(0)), idp.claims(nil))
	header := map[string]any{"alg": "none", "typ": "JWT"}
	with := func(changes map[string]any) string { return idp.sign(0, idp.claims(changes)) }

	tests := map[string]struct {
		token string
		is    error
		text  string
	}{
		"nothing":                      {"", identity.ErrUntrustedToken, "can't be read"},
		"no JWT":                       {"a.b.c", identity.ErrUntrustedToken, "can't be read"},
		"tampered payload":             {part[0] + "." + encode(idp.claims(map[string]any{"sub": "s-2"})) + "." + part[2], identity.ErrUntrustedToken, "signature is wrong"},
		"tampered signature":           {good[:len(good)-8] + "AAAAAAAA", identity.ErrUntrustedToken, "signature is wrong"},
		"no signature":                 {part[0] + "." + part[1] + ".", identity.ErrUntrustedToken, ""},
		"alg none":                     {encode(header) + "." + part[1] + ".", identity.ErrUntrustedToken, "signature is not of RS256, ES256"},
		"alg none with a signature":    {encode(header) + "." + part[1] + "." + part[2], identity.ErrUntrustedToken, "signature is not of"},
		"HS256 with the public key":    {hmac, identity.ErrUntrustedToken, "signature is not of"},
		"an algorithm not configured":  {ps, identity.ErrUntrustedToken, "signature is not of"},
		"signed with a key in it":      {embedded, identity.ErrUntrustedToken, ""},
		"another's key":                {idp.sign(1, idp.claims(nil), map[string]any{"kid": kid(0)}), identity.ErrUntrustedToken, "signature is wrong"},
		"a key that is not known":      {idp.sign(1, idp.claims(nil)), identity.ErrUntrustedToken, "does not have"},
		"a critical header":            {idp.sign(0, idp.claims(nil), map[string]any{"crit": []string{"x"}, "x": 1}), identity.ErrUntrustedToken, ""},
		"a logout token":               {idp.sign(0, idp.claims(nil), map[string]any{"typ": "logout+jwt"}), identity.ErrUntrustedToken, "(typ)"},
		"a refresh token of Keycloak":  {with(map[string]any{"typ": "Refresh"}), identity.ErrUntrustedToken, "(typ)"},
		"expired":                      {with(map[string]any{"exp": start.Add(-30 * time.Second).Unix()}), identity.ErrExpiredToken, ""},
		"no end":                       {with(map[string]any{"exp": nil}), identity.ErrUntrustedToken, "(exp)"},
		"an end that is no number":     {with(map[string]any{"exp": "tomorrow"}), identity.ErrUntrustedToken, "can't be read"},
		"not begun":                    {with(map[string]any{"nbf": start.Add(31 * time.Second).Unix()}), identity.ErrUntrustedToken, "(nbf)"},
		"issued in the time to come":   {with(map[string]any{"iat": start.Add(31 * time.Second).Unix()}), identity.ErrUntrustedToken, "(iat)"},
		"another audience":             {with(map[string]any{"aud": "other"}), identity.ErrUntrustedToken, `(aud) is not "sluice"`},
		"no audience":                  {with(map[string]any{"aud": nil}), identity.ErrUntrustedToken, "(aud)"},
		"an audience that contains it": {with(map[string]any{"aud": "sluice-x"}), identity.ErrUntrustedToken, "(aud)"},
		"another issuer":               {with(map[string]any{"iss": "https://evil.example"}), identity.ErrUntrustedToken, "another issuer"},
		"an issuer with a slash more":  {with(map[string]any{"iss": idp.issuer() + "/"}), identity.ErrUntrustedToken, "another issuer"},
		"no subject":                   {with(map[string]any{"sub": nil}), identity.ErrUntrustedToken, "(sub)"},
		"no user name":                 {with(map[string]any{"preferred_username": nil}), identity.ErrUntrustedToken, "preferred_username"},
		"a user name that is a list":   {with(map[string]any{"preferred_username": map[string]any{}}), identity.ErrUntrustedToken, "preferred_username"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := p.Verify(t.Context(), tt.token)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.text)
			require.Nil(t, c)
			if len(part) > 2 && tt.token != "" {
				require.NotContains(t, err.Error(), part[2])
			}
		})
	}
}

func TestAlgorithmsAreChosen(t *testing.T) {
	idp := newIDP(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	idp.with(func() { idp.public = append(idp.public, jose.JSONWebKey{Key: key.Public(), KeyID: "ec"}) })
	es := sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "ec"), idp.claims(nil))
	o := idp.options()
	_, err = idp.provider(o).Verify(t.Context(), es)
	require.NoError(t, err)
	o.Algorithms = []string{"RS256"}
	_, err = idp.provider(o).Verify(t.Context(), es)
	require.ErrorIs(t, err, identity.ErrUntrustedToken)
	for _, bad := range []string{"HS256", "none", "rs256", ""} {
		o.Algorithms = []string{"RS256", bad}
		_, err = oidc.New(o)
		require.ErrorContains(t, err, "want some of RS256", bad)
	}
}

func TestKeysThatAreNotTrusted(t *testing.T) {
	idp := newIDP(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that it is short is the point
	require.NoError(t, err)
	idp.with(func() {
		idp.public = append(idp.public,
			jose.JSONWebKey{Key: &short.PublicKey, KeyID: "short"},
			jose.JSONWebKey{Key: []byte("a secret that is shared by nobody"), KeyID: "oct"},
			jose.JSONWebKey{Key: &keys()[1].PublicKey, KeyID: kid(1), Use: "enc"},
			map[string]any{"kty": "new"})
	})
	p := idp.provider(idp.options())
	require.Equal(t, 1, p.Status().Keys)
	_, err = p.Verify(t.Context(), idp.sign(1, idp.claims(nil)))
	require.ErrorIs(t, err, identity.ErrUntrustedToken, "a key for encryption")
}

func TestTokenWithoutKeyID(t *testing.T) {
	idp := newIDP(t)
	idp.serves(1, 0)
	p := idp.provider(idp.options())
	token := func(i int) string {
		return sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: keys()[i]}, nil, idp.claims(nil))
	}
	_, err := p.Verify(t.Context(), token(0))
	require.NoError(t, err, "each key is tried")
	_, err = p.Verify(t.Context(), token(2))
	require.ErrorIs(t, err, identity.ErrUntrustedToken)
}

func TestClaimPaths(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	o.Claims = oidc.ClaimPaths{User: "https://corp.example/user", Organizations: "a.b.c", Roles: "resource_access.my.app.roles"}
	o.OrganizationsMap = map[string][]string{"g1": {"Science", "Arts"}}
	p := idp.provider(o)
	c, err := p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{
		"https://corp.example/user": "bob",
		"a":                         map[string]any{"b": map[string]any{"c": []any{"/g1", "g2", 7}}},
		"resource_access":           map[string]any{"my.app": map[string]any{"roles": "ai-admins"}},
	})))
	require.NoError(t, err)
	require.Equal(t, "bob", c.UserName)
	require.Empty(t, c.FullName)
	require.Empty(t, c.Project)
	require.Equal(t, []string{"Science", "Arts"}, c.Organizations, "with a map only mapped values count")
	require.Equal(t, []string{"administrator"}, c.Roles, "a text is a list of one; names may have dots")

	c, err = p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{"https://corp.example/user": "bob"})))
	require.NoError(t, err)
	require.Nil(t, c.Organizations, "absent is not empty")
	require.Nil(t, c.Roles)
	c, err = p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{
		"https://corp.example/user": "bob", "a": map[string]any{"b": map[string]any{"c": []any{}}},
	})))
	require.NoError(t, err)
	require.NotNil(t, c.Organizations)
	require.Empty(t, c.Organizations)

	o.RolesMap = nil
	o.Claims = oidc.DefaultClaims()
	c, err = idp.provider(o).Verify(t.Context(), idp.sign(0, idp.claims(nil)))
	require.NoError(t, err)
	require.Nil(t, c.Roles, "without a map no role comes from claims, and none is taken away")
}

func TestMachines(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	for name, tt := range map[string]struct {
		changes map[string]any
		machine bool
	}{
		"a person":          {map[string]any{"azp": "notebook"}, false},
		"of Keycloak":       {map[string]any{"preferred_username": "service-account-batch", "azp": "batch"}, true},
		"of Entra ID":       {map[string]any{"idtyp": "app"}, true},
		"of Okta":           {map[string]any{"cid": "s-1"}, true},
		"of RFC 9068":       {map[string]any{"client_id": "s-1"}, true},
		"a person so named": {map[string]any{"preferred_username": "service-account-x"}, false},
	} {
		c, err := p.Verify(t.Context(), idp.sign(0, idp.claims(tt.changes)))
		require.NoError(t, err, name)
		require.Equal(t, tt.machine, c.Machine, name)
	}
}

// The ID token of a browser's sign-in is in the address of the page for signing
// out: whoever finds it there can't call the gateway with it.
func TestTheBrowsersIDTokenIsNoBearer(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	o.Audience = "" // so it is the client's own id
	p := idp.provider(o)
	idToken := idp.sign(0, idp.claims(map[string]any{"aud": "web", "nonce": "n"}))
	require.Contains(t, p.LogoutURL(idToken, ""), idToken)
	for _, token := range []string{
		idToken,
		idp.sign(0, idp.claims(map[string]any{"aud": []any{"web"}, "azp": "web", "nonce": "n"})),
		idp.sign(0, idp.claims(map[string]any{"aud": []any{"web", "account"}, "azp": "web", "nonce": "n", "typ": "ID"})),
	} {
		_, err := p.Verify(t.Context(), token)
		require.ErrorIs(t, err, identity.ErrUntrustedToken)
		require.ErrorContains(t, err, "is no credential")
	}
	_, err := p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{"aud": "web"})))
	require.NoError(t, err, "an ID token that a program got for itself, as the command line's")
}

// Claims of any type and size are taken as far as they make sense, or refuse the
// token; a name that misleads is no organization.
func TestClaimsOfOddTypes(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	var deep any = "x"
	for range 200 {
		deep = map[string]any{"roles": deep}
	}
	odd := []any{nil, true, 0, -1, 1e300, 1e12, "", "x", strings.Repeat("x", 5000), "\x00", []any{}, []any{1, nil, map[string]any{}},
		[]any{"a", 2, "b"}, map[string]any{}, map[string]any{"roles": 1}, deep}
	names := []string{"sub", "iss", "aud", "exp", "nbf", "iat", "typ", "azp", "nonce", "preferred_username", "name", "email", "groups", "realm_access", "project"}
	for _, name := range names {
		for _, value := range odd {
			c, err := p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{name: value})))
			if err != nil {
				require.True(t, errors.Is(err, identity.ErrUntrustedToken) || errors.Is(err, identity.ErrExpiredToken), "%s=%v: %v", name, value, err)
				require.Less(t, len(err.Error()), 300)
				continue
			}
			require.Equal(t, idp.issuer(), strings.Split(c.Subject, " ")[0])
			require.NotEmpty(t, c.UserName)
			require.False(t, c.Expires.IsZero())
			require.NotContains(t, c.Roles, "administrator", "%s=%v", name, value)
		}
	}
	c, err := p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{"groups": []any{"ok", "fin\u200bance", "\u202eecnanif", " x", "a\nb"}})))
	require.NoError(t, err)
	require.Equal(t, []string{"ok"}, c.Organizations)
}
