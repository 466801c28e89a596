package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sluice/internal/identity"
)

// AuthURL is where a browser is sent to sign in. The verifier is PKCE's: its
// challenge (S256) is in the address. ErrAway: the provider was never reached.
func (p *Provider) AuthURL(state, nonce, verifier, redirectURI string) (string, error) {
	client, _, err := p.client(redirectURI)
	if err != nil {
		return "", err
	}
	return client.AuthCodeURL(state, goidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// client is the client of the code flow.
func (p *Provider) client(redirectURI string) (*oauth2.Config, *known, error) {
	k := p.known.Load()
	switch {
	case p.ClientID == "":
		return nil, nil, errors.New("no client_id is configured, so browsers can't sign in at the identity provider")
	case k == nil:
		return nil, nil, ErrAway
	case k.discovery.Authorization == "" || k.discovery.Token == "":
		return nil, nil, errors.New("the identity provider has no code flow")
	}
	style := oauth2.AuthStyleInHeader
	methods := k.discovery.AuthMethods
	if p.ClientSecret == "" || len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: redirectURI, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: k.discovery.Authorization, TokenURL: k.discovery.Token, AuthStyle: style},
	}, k, nil
}

// Exchange turns a code into who has signed in. Claims that the ID token lacks
// are looked for in the access token that came with it, and then at the
// provider's userinfo. Errors hold no secret; one that wraps
// identity.ErrProviderAway or ErrAway passes by itself.
func (p *Provider) Exchange(ctx context.Context, code, verifier, nonce, redirectURI string) (*Claims, error) {
	client, k, err := p.client(redirectURI)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.Client), fetchTimeout)
	defer cancel()
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, errors.New("exchanging the code: the reply has no ID token; is the scope openid configured?")
	}
	claims, err := p.identityOf(ctx, raw, nonce)
	if err != nil {
		return nil, fmt.Errorf("exchanging the code: %w", err)
	}
	p.complete(ctx, k, claims, token)
	out, err := p.read(claims)
	if err != nil {
		return nil, fmt.Errorf("exchanging the code: %w", err)
	}
	out.IDToken = raw
	return out, nil
}

// exchangeError leaves out what the provider has written, save its error code.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("exchanging the code: %w: %w", identity.ErrProviderAway, err)
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	if status >= http.StatusInternalServerError {
		return fmt.Errorf("exchanging the code: %w: it answered %d", identity.ErrProviderAway, status)
	}
	return fmt.Errorf("exchanging the code: the identity provider refused it: %d %q", status, refused.ErrorCode)
}

// identityOf verifies an ID token of this client, for this sign-in.
func (p *Provider) identityOf(ctx context.Context, raw, nonce string) (claimSet, error) {
	claims, err := p.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	azp := claims.text("azp")
	switch {
	case !slices.Contains(claims.list("aud"), p.ClientID), azp != "" && azp != p.ClientID:
		return nil, fmt.Errorf("%w: it was made for another client", identity.ErrUntrustedToken)
	case nonce == "" || subtle.ConstantTimeCompare([]byte(claims.text("nonce")), []byte(nonce)) != 1:
		return nil, fmt.Errorf("%w: it was made for another sign-in (nonce)", identity.ErrUntrustedToken)
	}
	return claims, nil
}

// complete adds claims that the ID token lacks. Both sources are about the same
// subject, or count for nothing.
func (p *Provider) complete(ctx context.Context, k *known, claims claimSet, token *oauth2.Token) {
	add := func(more claimSet) {
		if more.text("sub") != claims.text("sub") {
			return
		}
		for name, value := range more {
			if _, has := claims[name]; !has {
				claims[name] = value
			}
		}
	}
	if p.lacks(claims) {
		if more, err := p.verify(ctx, token.AccessToken); err == nil { // it need not be a JWT
			add(more)
		}
	}
	if p.lacks(claims) && k.discovery.UserInfo != "" {
		if more, err := p.userInfo(ctx, k.discovery.UserInfo, token.AccessToken); err == nil {
			add(more)
		}
	}
}

// lacks reports whether a claim is missing that is read.
func (p *Provider) lacks(c claimSet) bool {
	for _, path := range []string{p.Claims.User, p.Claims.FullName, p.Claims.Email, p.Claims.Organizations, p.Claims.Roles} {
		if path != "" && c.at(path).absent {
			return true
		}
	}
	return false
}

func (p *Provider) userInfo(ctx context.Context, address, accessToken string) (claimSet, error) {
	var raw json.RawMessage
	if err := p.get(ctx, address, accessToken, &raw); err != nil {
		return nil, err
	}
	var claims claimSet
	err := json.Unmarshal(raw, &claims)
	return claims, err
}

// LogoutURL is where a browser is sent to sign out at the provider too; "" where
// the provider has no such address, or is not known yet.
func (p *Provider) LogoutURL(idTokenHint, postLogout string) string {
	k := p.known.Load()
	if k == nil || k.discovery.EndSession == "" {
		return ""
	}
	u, err := url.Parse(k.discovery.EndSession)
	if err != nil {
		return "" // it was parsed before
	}
	q := u.Query()
	if p.ClientID != "" {
		q.Set("client_id", p.ClientID)
	}
	if idTokenHint != "" {
		q.Set("id_token_hint", idTokenHint)
	}
	if postLogout != "" {
		q.Set("post_logout_redirect_uri", postLogout)
	}
	u.RawQuery = q.Encode()
	return u.String()
}
