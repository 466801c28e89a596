// Package oidc takes the word of one OpenID Connect provider, the company's: it
// verifies the JWTs that clients present as bearer tokens, and it is the client
// of the code flow with which browsers sign in.
//
// The provider may be away at any time. Its discovery document and its keys are
// fetched in the background, kept in memory and in a file, and used until newer
// ones are had: tokens are verified without asking anybody. Only a key that is not
// known is asked for during a request, rarely enough that tokens with made-up key
// ids can't have the provider flooded.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"sluice/internal/identity"
)

// Claims is what a good token says.
type Claims = identity.Claims

// ErrAway says that the provider was never reached, so that nobody can sign in
// there now.
var ErrAway = errors.New("the identity provider was not reached yet")

// ClaimPaths name claims. A path is the name of a claim, or names with dots
// between them where claims nest (realm_access.roles); "" reads nothing.
type ClaimPaths struct {
	User, FullName, Email         string
	Organizations, Roles, Project string
}

// DefaultClaims are what providers name these things mostly.
func DefaultClaims() ClaimPaths {
	return ClaimPaths{
		User: "preferred_username", FullName: "name", Email: "email",
		Organizations: "groups", Roles: "realm_access.roles", Project: "project",
	}
}

// Algorithms are those that signatures may have: none with a shared secret.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Options configure New. Fields are required unless said.
type Options struct {
	Issuer       string // exactly as in the tokens
	Audience     string // of bearer tokens; "": ClientID
	ClientID     string // of the code flow; "": browsers can't sign in
	ClientSecret string // "": a public client
	Scopes       []string
	Algorithms   []string // see Algorithms; nil: RS256 and ES256
	Claims       ClaimPaths
	Skew         time.Duration // by which clocks may differ

	// RolesMap maps values of the roles claim to roles of this gateway; a value that
	// is not in it gives none. OrganizationsMap maps values of the organizations
	// claim to names of organizations; where it is empty every value is a name.
	RolesMap, OrganizationsMap map[string][]string

	// File keeps the last discovery document and keys, mode 0600; "": nothing is
	// kept across a restart.
	File   string
	Client *http.Client // by the rules of egress; it follows no redirect
	Now    func() time.Time
	Log    *zap.Logger
}

// Provider is the identity provider. It is safe for concurrent use.
type Provider struct {
	Options
	algs []jose.SignatureAlgorithm

	known      atomic.Pointer[known] // nil: never reached
	generation atomic.Uint64

	fetching sync.Mutex // held while fetching, so that older keys never replace newer
	reaching sync.Mutex // held by Reach, so that many wait for one answer

	mu        sync.Mutex // guards the following
	tried     time.Time  // when keys were last asked for during a request
	failed    string     // the last error, "" after a good fetch
	failedAt  time.Time
	fetchedAt time.Time
}

// Status says how the provider does.
type Status struct {
	Issuer  string     `json:"issuer"`
	Known   bool       `json:"known"` // tokens can be verified
	Keys    int        `json:"keys"`
	Fetched *time.Time `json:"fetched,omitempty"` // when the keys were last had
	// LastError is why the newest attempt failed, "" when it did not.
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
}

// New returns a provider. It asks nobody: what an earlier run has kept is used
// at once, and Run fetches the rest. The error is about the options only.
func New(o Options) (*Provider, error) {
	if o.Issuer == "" {
		return nil, errors.New("the identity provider's issuer is missing")
	}
	if o.Audience == "" {
		o.Audience = o.ClientID
	}
	if o.Audience == "" {
		return nil, errors.New("the audience of tokens is missing: without it a token for any other service would be taken")
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{"RS256", "ES256"}
	}
	p := &Provider{Options: o}
	for _, a := range o.Algorithms {
		if !slices.Contains(Algorithms(), a) {
			return nil, fmt.Errorf("signature algorithm %q: want some of %s", a, strings.Join(Algorithms(), ", "))
		}
		p.algs = append(p.algs, jose.SignatureAlgorithm(a))
	}
	if err := p.restore(); err != nil {
		o.Log.Warn("the kept keys of the identity provider are not used", zap.Error(err))
	}
	return p, nil
}

const (
	// refreshEvery is how often discovery and keys are fetched anew, so that a key
	// that the provider has withdrawn is not taken for long.
	refreshEvery = 10 * time.Minute
	// retryFirst and retryLast bound the wait after a fetch that failed; it doubles.
	retryFirst, retryLast = time.Second, time.Minute
)

// Run keeps discovery and keys fresh until ctx ends.
func (p *Provider) Run(ctx context.Context) {
	wait := retryFirst
	for {
		next := refreshEvery
		if err := p.fetch(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			p.Log.Warn("the identity provider was not reached; what is known of it goes on being used", zap.Error(err))
			next = wait
			wait = min(2*wait, retryLast)
		} else {
			wait = retryFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// Generation changes when a key is withdrawn. See identity.Verifier.
func (p *Provider) Generation() uint64 { return p.generation.Load() }

// Status says how the provider does.
func (p *Provider) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Issuer: p.Issuer, LastError: p.failed}
	if k := p.known.Load(); k != nil {
		s.Known, s.Keys = true, len(k.keys)
	}
	if !p.fetchedAt.IsZero() {
		at := p.fetchedAt
		s.Fetched = &at
	}
	if p.failed != "" {
		at := p.failedAt
		s.LastErrorAt = &at
	}
	return s
}
