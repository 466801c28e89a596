package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Errors of the tokens of an identity provider.
var (
	// ErrUntrustedToken is wrapped with what is wrong with the token.
	ErrUntrustedToken = errors.New("the token is not one of the identity provider's for this gateway")
	// ErrProviderAway says that the provider's keys can't be had, so that nobody
	// can tell whether a token is good.
	ErrProviderAway = errors.New("the identity provider does not answer, so its tokens can't be checked at the moment")
	ErrUnknownUser  = errors.New("the user is not in the directory of this gateway")
	// ErrNameTaken refuses a token whose user name belongs to a user who is
	// somebody else, or may be.
	ErrNameTaken = errors.New("the user name of the token belongs to a user of this gateway who is not linked to the identity provider")
)

// Claims is what a token of an identity provider says of who presents it, in
// this gateway's words.
type Claims struct {
	// Subject is the key of the user: the issuer, a space, and the subject. Names
	// may change.
	Subject  string
	UserName string
	FullName string
	Email    string
	// Organizations are names, Roles are this gateway's. Nil: the token does not
	// tell, and what the directory says stays.
	Organizations []string
	Roles         []string
	Project       string
	Machine       bool // no person has signed in: a client acts for itself
	Issued        time.Time
	Expires       time.Time
	IDToken       string // of a browser's sign-in, to sign out with; secret
}

// Verifier checks tokens of an identity provider.
type Verifier interface {
	// Verify returns what a token says that is good. Its errors wrap
	// ErrUntrustedToken, ErrExpiredToken or ErrProviderAway.
	Verify(ctx context.Context, token string) (*Claims, error)
	// Generation changes when a key is no longer the provider's: tokens that were
	// found good before are then verified again.
	Generation() uint64
}

// Trust says what the store takes besides its own tokens, and how the directory
// follows.
type Trust struct {
	Verifier Verifier // nil: no tokens of a provider
	// KnownOnly refuses users who are not in the directory; without it a user is
	// made at first sight, and so are his organizations.
	KnownOnly bool
	// Link lets a token take over the user of its name who was made by hand, once,
	// unless he is an administrator. The provider then decides who that user is.
	Link bool
	// LinkOrganizations lets tokens add members to organizations that were made by
	// hand.
	LinkOrganizations bool
	// Record is called with a change of the directory before it is made; an error
	// stops it. Nil: it is not recorded.
	Record func(Sight) error
	// Certificates map client certificates to users; the first that matches
	// decides.
	Certificates []CertificateRule
}

// Sight is a change of the directory that the claims of a token bring.
type Sight struct {
	UserID, UserName string
	Created          bool // the user is new
	Changes          []SightChange
}

// SightChange is one field of a Sight.
type SightChange struct{ Field, Before, After string }

// Trust sets what the store takes besides its own tokens. It is called before
// the store is used.
func (s *Store) Trust(t Trust) { s.trust = t }

// Status is the HTTP status of an authentication error: 401, or 503 where the
// caller can't be told.
func Status(err error) int {
	if errors.Is(err, ErrProviderAway) {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// verifyTimeout bounds a verification that must ask the provider for a key.
const verifyTimeout = 10 * time.Second

// isJWT reports whether a credential has the form of a signed JWT.
func isJWT(credential string) bool {
	return strings.HasPrefix(credential, "ey") && strings.Count(credential, ".") == 2
}

// authenticateJWT returns the caller of a provider's token. One that was found
// good is remembered until it expires, since checking a signature is dear; what
// its user is comes from the directory each time.
func (s *Store) authenticateJWT(token string) (*Caller, error) {
	now, generation := s.now(), s.trust.Verifier.Generation()
	if seen, known := s.jwts.get(token); known && seen.generation == generation && now.Before(seen.expires) {
		caller, err := s.snap.Load().derive(seen.from, now)
		if !errors.Is(err, ErrNotFound) { // a user who was deleted may be made anew
			return caller, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), verifyTimeout)
	defer cancel()
	claims, err := s.trust.Verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	userID, err := s.Seen(ctx, claims)
	if err != nil {
		return nil, err
	}
	from := derivation{userID: userID, credential: CredentialJWT, project: claims.Project}
	caller, err := s.snap.Load().derive(from, now)
	if err != nil {
		return nil, fmt.Errorf("finding caller: %w", err)
	}
	s.jwts.put(token, verified{from: from, expires: claims.Expires, generation: generation})
	return caller, nil
}
