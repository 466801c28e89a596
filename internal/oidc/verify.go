package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"sluice/internal/identity"
)

// Verify returns what a bearer token says when the provider has signed it for
// this gateway and its time has come and not passed. Errors wrap
// identity.ErrUntrustedToken, ErrExpiredToken or ErrProviderAway, and hold
// nothing of the token but names of claims and algorithms.
func (p *Provider) Verify(ctx context.Context, token string) (*Claims, error) {
	claims, err := p.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(claims.list("aud"), p.Audience):
		return nil, fmt.Errorf("%w: its audience (aud) is not %q", identity.ErrUntrustedToken, p.Audience)
	case p.ofBrowser(claims):
		return nil, fmt.Errorf("%w: it tells who has signed in to the web UI, and is no credential", identity.ErrUntrustedToken)
	}
	return p.read(claims)
}

// ofBrowser reports whether a token is the ID token of a sign-in to the web UI.
// It leaves this process in the address of the provider's page for signing out,
// and so may stand in histories and logs.
func (p *Provider) ofBrowser(c claimSet) bool {
	party := c.text("azp")
	if party == "" && len(c.list("aud")) == 1 {
		party = c.list("aud")[0]
	}
	return p.ClientID != "" && party == p.ClientID && c.text("nonce") != "" && !strings.EqualFold(c.text("typ"), "Bearer")
}

// verify checks everything but the audience.
func (p *Provider) verify(ctx context.Context, token string) (claimSet, error) {
	untrusted := func(why string) error { return fmt.Errorf("%w: %s", identity.ErrUntrustedToken, why) }
	jws, err := jose.ParseSignedCompact(token, p.algs)
	if err != nil {
		return nil, untrusted("it can't be read, or its signature is not of " + strings.Join(p.Algorithms, ", "))
	}
	if !isAccessType(jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]) {
		return nil, untrusted("its header says that it is for something else (typ)")
	}
	keys := &keySet{p: p}
	verified, err := goidc.NewVerifier(p.Issuer, keys, &goidc.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: p.Algorithms, // both are judged here
	}).Verify(ctx, token)
	switch {
	case err == nil:
	case keys.failed != nil && p.known.Load() == nil:
		return nil, identity.ErrProviderAway
	case keys.failed != nil:
		return nil, untrusted(keys.failed.Error())
	case issuerOf(jws) != p.Issuer:
		return nil, untrusted("another issuer has made it")
	default:
		return nil, untrusted("its claims can't be read")
	}
	var claims claimSet
	if err := verified.Claims(&claims); err != nil {
		return nil, untrusted("its claims can't be read")
	}
	return claims, p.inTime(claims)
}

func issuerOf(jws *jose.JSONWebSignature) string {
	var claims struct {
		Issuer string `json:"iss"`
	}
	_ = json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims) // only for the error's text
	return claims.Issuer
}

// isAccessType reports whether a JWT of a header's type is for what bearer tokens
// are for: access tokens and ID tokens have none, JWT, or at+jwt.
func isAccessType(typ any) bool {
	text, isText := typ.(string)
	switch strings.TrimPrefix(strings.ToLower(text), "application/") {
	case "", "jwt", "at+jwt":
		return typ == nil || isText
	}
	return false
}

// inTime judges exp, nbf and iat, and what Keycloak says of the token's purpose.
func (p *Provider) inTime(c claimSet) error {
	now := p.Now()
	expires, has := c.time("exp")
	switch {
	case !has:
		return fmt.Errorf("%w: it has no end (exp)", identity.ErrUntrustedToken)
	case !now.Before(expires.Add(p.Skew)):
		return identity.ErrExpiredToken
	}
	for _, name := range []string{"nbf", "iat"} {
		if from, has := c.time(name); has && now.Add(p.Skew).Before(from) {
			return fmt.Errorf("%w: its time has not come yet (%s); the clocks may differ", identity.ErrUntrustedToken, name)
		}
	}
	switch strings.ToLower(c.text("typ")) {
	case "refresh", "offline", "logout":
		return fmt.Errorf("%w: it is for something else (typ)", identity.ErrUntrustedToken)
	}
	return nil
}

// read brings claims into this gateway's words.
func (p *Provider) read(c claimSet) (*Claims, error) {
	subject := c.text("sub")
	if subject == "" {
		return nil, fmt.Errorf("%w: it has no subject (sub)", identity.ErrUntrustedToken)
	}
	out := &Claims{
		Subject: p.Issuer + " " + subject, UserName: c.at(p.Claims.User).text(),
		FullName: c.at(p.Claims.FullName).text(), Email: c.at(p.Claims.Email).text(), Project: c.at(p.Claims.Project).text(),
		Organizations: p.organizations(c), Roles: p.roles(c), Machine: c.machine(),
	}
	if out.UserName == "" {
		return nil, fmt.Errorf("%w: it has no user name (the claim %s)", identity.ErrUntrustedToken, p.Claims.User)
	}
	out.Expires, _ = c.time("exp")
	var has bool
	if out.Issued, has = c.time("iat"); !has {
		out.Issued = p.Now()
	}
	return out, nil
}

// organizations are names; nil where the claim is absent.
func (p *Provider) organizations(c claimSet) []string {
	found := c.at(p.Claims.Organizations)
	if found.absent {
		return nil
	}
	out := []string{}
	for _, value := range found.texts {
		value = strings.TrimPrefix(value, "/") // of Keycloak's group paths
		switch mapped, is := p.OrganizationsMap[value]; {
		case is:
			out = append(out, mapped...)
		case len(p.OrganizationsMap) == 0 && isName(value):
			out = append(out, value)
		}
	}
	return out
}

// roles are those that the values map to; nil where the claim is absent, or no
// value can give a role.
func (p *Provider) roles(c claimSet) []string {
	found := c.at(p.Claims.Roles)
	if found.absent || len(p.RolesMap) == 0 {
		return nil
	}
	out := []string{}
	for _, value := range found.texts {
		out = append(out, p.RolesMap[strings.TrimPrefix(value, "/")]...)
	}
	return out
}

// maxName bounds names of organizations, as the directory does.
const maxName = 255

// isName reports whether a value can be the name of an organization.
func isName(value string) bool {
	return value != "" && len(value) <= maxName && strings.TrimSpace(value) == value && !identity.Misleads(value) &&
		!strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 })
}

// claimSet is the payload of a token.
type claimSet map[string]any

// machine reports whether a client acts for itself: providers say so in several
// ways.
func (c claimSet) machine() bool {
	subject := c.text("sub")
	// Keycloak's user of a client, whose token the client has asked for itself.
	keycloak := "service-account-" + c.text("azp")
	return c.text("idtyp") == "app" || subject == c.text("client_id") || subject == c.text("azp") || subject == c.text("cid") ||
		c.text("azp") != "" && c.text("preferred_username") == keycloak
}

func (c claimSet) text(name string) string {
	s, _ := c[name].(string)
	return s
}

func (c claimSet) list(name string) []string { return valueOf(c[name]).texts }

// time reads a NumericDate.
func (c claimSet) time(name string) (time.Time, bool) {
	seconds, ok := c[name].(float64)
	if !ok || math.IsNaN(seconds) || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), true
}

// value is the texts of a claim.
type value struct {
	texts  []string
	absent bool
}

func (v value) text() string {
	if len(v.texts) == 0 {
		return ""
	}
	return v.texts[0]
}

// at finds a claim. Names may hold dots themselves: the longest that there is
// counts.
func (c claimSet) at(path string) value {
	if path == "" {
		return value{absent: true}
	}
	if v, has := c[path]; has {
		return valueOf(v)
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] != '.' {
			continue
		}
		if inner, is := c[path[:i]].(map[string]any); is {
			if v := claimSet(inner).at(path[i+1:]); !v.absent {
				return v
			}
		}
	}
	return value{absent: true}
}

func valueOf(v any) value {
	switch v := v.(type) {
	case string:
		if v == "" {
			return value{}
		}
		return value{texts: []string{v}}
	case []any:
		out := value{}
		for _, one := range v {
			if s, is := one.(string); is && s != "" {
				out.texts = append(out.texts, s)
			}
		}
		return out
	}
	return value{absent: true}
}
