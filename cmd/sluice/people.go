package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/identity"
	"sluice/internal/oidc"
	"sluice/internal/signin"
	"sluice/xds"
)

// openIdentityProvider makes the client of the company's identity provider and
// tells the directory what it takes.
func (g *gateway) openIdentityProvider() (err error) {
	o := g.cfg.Identity.OIDC
	trust := identity.Trust{
		KnownOnly: o.FirstSight == "refuse", Link: o.Link, LinkOrganizations: o.Link || len(o.OrganizationsMap) > 0,
		Record: g.recordSight, Certificates: g.cfg.Identity.Certificates,
	}
	if o.Issuer != "" {
		g.oidc, err = oidc.New(oidc.Options{
			Issuer: o.Issuer, Audience: o.Audience, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
			Scopes: o.Scopes, Algorithms: o.Algorithms, Claims: o.Claims, Skew: o.Skew,
			RolesMap: o.RolesMap, OrganizationsMap: o.OrganizationsMap,
			File: filepath.Join(g.cfg.Data, "oidc.json"), Client: g.egress.Client(), Now: time.Now, Log: g.log.Named("oidc"),
		})
		if err != nil {
			return fmt.Errorf("opening the identity provider: %w", err)
		}
		trust.Verifier = g.oidc
	}
	g.identity.Trust(trust)
	return nil
}

// recordSight writes an event about what the claims of a token change in the
// directory.
func (g *gateway) recordSight(s identity.Sight) error {
	e := &audit.Event{
		Time: time.Now(), Kind: "UpdateUser", TargetType: "user", TargetID: s.UserID, TargetName: s.UserName,
		Metadata: map[string]string{"source": identity.SourceClaims},
	}
	if s.Created {
		e.Kind = "CreateUser"
	}
	for _, c := range s.Changes {
		e.Changes = append(e.Changes, audit.Change{Field: c.Field, Before: c.Before, After: c.After})
	}
	err := g.trail.Event(e)
	if err != nil {
		g.log.Error("the trail took no record", zap.String("kind", e.Kind), zap.Error(err))
		if g.serveUnrecorded() {
			return nil
		}
		return fmt.Errorf("recording what a token changes: %w", err)
	}
	return nil
}

// signInProvider lets browsers sign in at the identity provider; nil where there
// is none for browsers.
func (g *gateway) signInProvider() signin.Provider {
	if g.oidc == nil || g.cfg.Identity.OIDC.ClientID == "" {
		return nil
	}
	return browsers{g.oidc, g.identity}
}

// browsers puts whoever signs in at the provider into the directory.
type browsers struct {
	*oidc.Provider
	directory *identity.Store
}

func (b browsers) Exchange(ctx context.Context, code, verifier, nonce, redirectURI string) (signin.Identified, error) {
	claims, err := b.Provider.Exchange(ctx, code, verifier, nonce, redirectURI)
	if errors.Is(err, identity.ErrProviderAway) || errors.Is(err, oidc.ErrAway) {
		return signin.Identified{}, fmt.Errorf("%w: %w", signin.ErrProviderAway, err)
	}
	if err != nil {
		return signin.Identified{}, err
	}
	userID, err := b.directory.Seen(ctx, claims)
	if err != nil {
		if identity.Code(err) == "unauthenticated" { // it is not about the user
			err = fmt.Errorf("%w: %w", signin.ErrDirectory, err)
		}
		return signin.Identified{}, err
	}
	return signin.Identified{UserID: userID, IDToken: claims.IDToken}, nil
}

// signInWays tells clients how to sign in.
func (g *gateway) signInWays() api.SignIn {
	ways := api.SignIn{Methods: []string{api.SignInToken}}
	if o := g.cfg.Identity.OIDC; g.oidc != nil {
		ways.Methods = append(ways.Methods, api.SignInOIDC)
		ways.Issuer, ways.ClientID, ways.Scopes = o.Issuer, o.CLIClientID, o.Scopes
	}
	return ways
}

// providerComponent says how the identity provider does. The gateway is ready
// without it: tokens of its own, and those of keys that are known, go on.
func (g *gateway) providerComponent() []admin.Component {
	if g.oidc == nil {
		return nil
	}
	return []admin.Component{{Name: "identity provider", Ready: true, Detail: g.oidc.Status()}}
}

// clientCertificates is what the TLS listener asks of clients.
func clientCertificates(t config.TLS) xds.ClientCertificates {
	switch {
	case !t.AsksForCertificates():
		return xds.NoClientCertificates
	case t.ClientAuth == config.ClientAuthRequired:
		return xds.RequiredClientCertificates
	}
	return xds.OptionalClientCertificates
}

// loadClientAuthorities reads the authorities of client certificates, where
// they are asked for.
func (g *gateway) loadClientAuthorities() error {
	t := g.cfg.TLS
	if !t.AsksForCertificates() {
		return nil
	}
	ca, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return fmt.Errorf("reading the authorities of client certificates: %w", err)
	}
	var crl []byte
	if t.ClientCRL != "" {
		if crl, err = os.ReadFile(t.ClientCRL); err != nil {
			return fmt.Errorf("reading the revoked client certificates: %w", err)
		}
	}
	return g.plane.SetClientAuthorities(ca, crl)
}
