package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

const (
	// renewBefore is how long before its end a token is renewed.
	renewBefore = 30 * time.Second
	// signInTimeout bounds the time that a person has at the identity provider.
	signInTimeout = 10 * time.Minute
)

// identifyByProvider has the identity provider give a token. Some gateways take
// its access tokens, others its ID tokens: whichever lets in is kept.
func (l *login) identifyByProvider(cmd *cobra.Command, p *profile, ways api.SignIn) (self api.Self, err error) {
	if !slices.Contains(ways.Methods, api.SignInOIDC) {
		return self, fmt.Errorf("%s has no identity provider; sign in with a token", p.Server)
	}
	p.OIDC = &grant{Issuer: ways.Issuer, ClientID: first(l.clientID, ways.ClientID)}
	if p.OIDC.ClientID == "" {
		return self, errors.New("the gateway names no client at its identity provider for the command line: give one with --client-id")
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), signInTimeout)
	defer cancel()
	if ctx, err = withRoots(ctx, *p); err != nil {
		return self, err
	}
	config, err := discover(ctx, p.OIDC.Issuer, p.OIDC.ClientID)
	if err != nil {
		return self, err
	}
	config.Scopes = ways.Scopes
	if len(config.Scopes) == 0 {
		config.Scopes = []string{"openid"}
	}
	token, err := l.grantedBy(ctx, cmd, config)
	if err != nil {
		return self, fmt.Errorf("signing in at %s: %w", p.OIDC.Issuer, err)
	}
	p.take(token)
	self, err = l.whose(ctx, *p)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		p.OIDC.UseIDToken = true
		p.take(token)
		if p.Token == "" {
			return self, err
		}
		self, err = l.whose(ctx, *p)
	}
	return self, err
}

// grantedBy goes the way that suits where the command runs.
func (l *login) grantedBy(ctx context.Context, cmd *cobra.Command, config *oauth2.Config) (*oauth2.Token, error) {
	canDevice := config.Endpoint.DeviceAuthURL != ""
	switch {
	case l.console && !canDevice:
		return nil, errors.New("it knows no device flow; leave --device out")
	case l.console, !l.browser && canDevice && !hasBrowser():
		return byDevice(ctx, cmd, config)
	}
	return byBrowser(ctx, cmd, config)
}

// hasBrowser guesses whether a browser can be opened on this machine.
func hasBrowser() bool {
	return runtime.GOOS != "linux" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

// take keeps what the provider gave.
func (p *profile) take(t *oauth2.Token) {
	g := p.OIDC
	p.Token, g.Expires = t.AccessToken, t.Expiry
	if t.RefreshToken != "" {
		g.Refresh = t.RefreshToken
	}
	if g.UseIDToken {
		p.Token, _ = t.Extra("id_token").(string)
	}
}

// renew gets a new token for the profile of a name.
func (p *profile) renew(name string) error {
	again := fmt.Errorf("your sign-in at %s has ended: run sluice login --oidc --profile %s", p.OIDC.Issuer, name)
	if p.OIDC.Refresh == "" {
		return again
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, err := withRoots(ctx, *p)
	if err != nil {
		return err
	}
	config, err := discover(ctx, p.OIDC.Issuer, p.OIDC.ClientID)
	if err != nil {
		return err
	}
	token, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: p.OIDC.Refresh}).Token()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w (%s)", again, first(refused.ErrorCode, refused.Response.Status))
	}
	if err != nil {
		return fmt.Errorf("renewing your sign-in at %s: %w", p.OIDC.Issuer, err)
	}
	p.take(token)
	if p.Token == "" {
		return again
	}
	return nil
}

// withRoots has oauth2 trust the gateway's CA beside the system's: companies
// sign both with one.
func withRoots(ctx context.Context, p profile) (context.Context, error) {
	transport, err := client.Transport("", []byte(p.CA))
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport, Timeout: time.Minute}), nil
}

// discover reads what the issuer says of itself.
func discover(ctx context.Context, issuer, clientID string) (*oauth2.Config, error) {
	if !strings.HasPrefix(issuer, "https://") && !client.Loopback(issuer) {
		return nil, fmt.Errorf("the issuer %s is not at an https address", issuer)
	}
	c := ctx.Value(oauth2.HTTPClient).(*http.Client)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", issuer, err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", issuer, err)
	}
	defer resp.Body.Close()
	var said struct {
		Issuer string `json:"issuer"`
		Auth   string `json:"authorization_endpoint"`
		Token  string `json:"token_endpoint"`
		Device string `json:"device_authorization_endpoint"`
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: it answers with status %d", issuer, resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		return nil, fmt.Errorf("reading what %s says of itself: %w", issuer, err)
	}
	if said.Issuer != issuer {
		return nil, fmt.Errorf("%s says that it is the issuer %s", issuer, said.Issuer)
	}
	for _, address := range []string{said.Auth, said.Token, said.Device} { // a browser is opened there, and tokens are sent
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" && (u.Scheme != "http" || !client.Loopback(address))) {
			return nil, fmt.Errorf("%s has the address %q, which is not https", issuer, printable(address))
		}
	}
	return &oauth2.Config{ClientID: clientID, Endpoint: oauth2.Endpoint{
		AuthURL: said.Auth, TokenURL: said.Token, DeviceAuthURL: said.Device, AuthStyle: oauth2.AuthStyleInParams,
	}}, nil
}

// byDevice shows an address and a code for a browser anywhere.
func byDevice(ctx context.Context, cmd *cobra.Command, config *oauth2.Config) (*oauth2.Token, error) {
	verifier := oauth2.GenerateVerifier()
	device, err := config.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return nil, err
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "Open %s in a browser, on any machine,\nand give it the code %s", printable(device.VerificationURI), printable(device.UserCode))
	if device.VerificationURIComplete != "" {
		fmt.Fprintf(out, "; or open\n%s", printable(device.VerificationURIComplete))
	}
	fmt.Fprintln(out, ".")
	return config.DeviceAccessToken(ctx, device, oauth2.VerifierOption(verifier))
}
