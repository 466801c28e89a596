package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sluice/internal/identity"
	"sluice/internal/oidc"
)

// OIDC is the company's identity provider.
type OIDC struct {
	Issuer       string // "": there is none
	Audience     string // of bearer tokens; "": ClientID
	ClientID     string // of the browser's sign-in; "": browsers don't sign in there
	ClientSecret string // "": a public client
	CLIClientID  string // of the public client for the command line
	Name         string // on the button of the sign-in page
	Scopes       []string
	Algorithms   []string // of signatures
	Claims       oidc.ClaimPaths
	FirstSight   string // create or refuse
	Link         bool   // users made by hand may be taken over by name
	Skew         time.Duration
	// RolesMap and OrganizationsMap map values of claims; see oidc.Options.
	RolesMap, OrganizationsMap map[string][]string
}

// DefaultOIDC are the values that apply where the file is silent.
func DefaultOIDC() OIDC {
	return OIDC{
		Name: "single sign-on", Scopes: []string{"openid", "profile", "email"}, Algorithms: []string{"RS256", "ES256"},
		Claims: oidc.DefaultClaims(), FirstSight: "create", Skew: 30 * time.Second,
	}
}

// oidcSchema are the keys of identity.oidc.
func oidcSchema(o *OIDC) fields {
	c := &o.Claims
	return fields{
		"issuer":        text(&o.Issuer),
		"audience":      text(&o.Audience),
		"client_id":     text(&o.ClientID),
		"client_secret": secret(&o.ClientSecret),
		"cli_client_id": text(&o.CLIClientID),
		"name":          text(&o.Name),
		"scopes":        texts(&o.Scopes),
		"algorithms":    textsOf(&o.Algorithms, oidc.Algorithms()),
		"claims": group(fields{
			"user": text(&c.User), "full_name": text(&c.FullName), "email": text(&c.Email),
			"organizations": text(&c.Organizations), "roles": text(&c.Roles), "project": text(&c.Project),
		}),
		"first_sight":       oneOf(&o.FirstSight, "create", "refuse"),
		"link":              boolean(&o.Link),
		"skew":              duration(&o.Skew, 0),
		"roles_map":         textsByName(&o.RolesMap),
		"organizations_map": textsByName(&o.OrganizationsMap),
	}
}

// checkIdentity checks what no single key of identity and tls can.
func (c *Config) checkIdentity(add func(key, format string, args ...any)) {
	o := c.Identity.OIDC
	switch {
	case o.Issuer == "" && o.given():
		add("identity.oidc", "issuer is missing: the address of the identity provider, exactly as its tokens have it")
	case o.Issuer == "":
	case oidc.CheckURL(o.Issuer) != nil:
		add("identity.oidc.issuer", "%s", oidc.CheckURL(o.Issuer))
	case o.Audience == "" && o.ClientID == "":
		add("identity.oidc", "audience is missing: without it a token for any other service would be taken")
	case o.Claims.User == "":
		add("identity.oidc.claims.user", "want the claim that has the user's name")
	case o.ClientSecret != "" && o.ClientID == "":
		add("identity.oidc", "client_secret is of no use without client_id")
	case o.ClientID != "" && !slices.Contains(o.Scopes, "openid"):
		add("identity.oidc.scopes", "want openid among them: without it there is no ID token")
	case o.Skew > 5*time.Minute:
		add("identity.oidc.skew", "want at most 5m: set the clocks instead")
	}
	if c.TLS.ClientCA == "" {
		for key, given := range map[string]bool{
			"tls.client_auth":       c.TLS.ClientAuth == ClientAuthOptional || c.TLS.ClientAuth == ClientAuthRequired,
			"tls.client_crl":        c.TLS.ClientCRL != "",
			"identity.certificates": len(c.Identity.Certificates) > 0,
		} {
			if given {
				add(key, "needs tls.client_ca, the authorities whose client certificates are taken")
			}
		}
	}
}

// given reports whether anything is set that takes an issuer.
func (o OIDC) given() bool {
	return o.Audience != "" || o.ClientID != "" || o.ClientSecret != "" || o.CLIClientID != "" || o.Link ||
		len(o.RolesMap) > 0 || len(o.OrganizationsMap) > 0
}

// secret reads a value that may stand in the environment ($NAME) or in a file
// (file:/path). No error shows it.
func secret(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		s, ok := n.(*ast.StringNode)
		if !ok {
			d.fail(n, key, "want a text, $NAME or file:/path")
			return
		}
		*into = s.Value
		if !strings.HasPrefix(s.Value, "$") && !strings.HasPrefix(s.Value, "file:") {
			return
		}
		var err error
		if *into, err = Secret(s.Value); err != nil {
			d.fail(n, key, err.Error())
		}
	}
}

// texts reads a list of texts.
func texts(into *[]string) func(*decoder, string, ast.Node) { return textsOf(into, nil) }

// textsOf reads a list of texts, each one of those allowed; nil allows any.
func textsOf(into *[]string, allowed []string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok || len(seq.Values) == 0 {
			d.fail(n, key, "want a list of texts")
			return
		}
		out := []string{}
		for i, item := range seq.Values {
			at := fmt.Sprintf("%s[%d]", key, i)
			var s string
			if allowed != nil {
				oneOf(&s, allowed...)(d, at, item)
			} else {
				text(&s)(d, at, item)
			}
			out = append(out, s)
		}
		*into = out
	}
}

// textsByName reads a mapping from names to a text or a list of texts.
func textsByName(into *map[string][]string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		out, f := map[string][]string{}, fields{}
		for _, pair := range pairsOf(n) {
			f[pair.Key.String()] = func(d *decoder, key string, n ast.Node) {
				var list []string
				if _, one := n.(*ast.StringNode); one {
					list = []string{""}
					text(&list[0])(d, key, n)
				} else {
					texts(&list)(d, key, n)
				}
				name := pair.Key.String()
				if s, quoted := pair.Key.(*ast.StringNode); quoted {
					name = s.Value
				}
				out[strings.TrimPrefix(name, "/")] = list
			}
		}
		d.mapping(key, n, f)
		*into = out
	}
}

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// certificates reads the rules that map client certificates to users.
func certificates(into *[]identity.CertificateRule) func(*decoder, string, ast.Node) {
	return list(into, "{uri, dns or cn, user}", func(r *identity.CertificateRule, d *decoder, at string, n ast.Node) {
		before := len(d.errs)
		d.mapping(at, n, fields{"uri": text(&r.URI), "dns": text(&r.DNS), "cn": text(&r.CN), "user": text(&r.User)})
		if err := r.Check(); err != nil && len(d.errs) == before {
			d.fail(n, at, err.Error())
		}
	})
}
