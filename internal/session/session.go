// Package session keeps the sessions of browsers in which users have signed
// in to the web UI.
//
// A session is found by a cookie of 256 random bits, of which only the SHA-256
// is kept. It ends when nobody has used it for a while (Limits.Idle), at the
// latest after Limits.Absolute, when it is signed out of or ended by REST, and
// when what it stands on ends: the user is disabled or deleted, or the token
// that was signed in with expires or is revoked. It survives a restart.
//
// Who asks is worked out anew for each request: a session of a token is that
// token's caller, with the token's project, endpoints and networks; any other
// is the user's. So a role that is taken away is gone at once.
//
// The web UI calls Guard before it serves anything but the pages for signing
// in:
//
//	s, err := sessions.Guard(r)
//	switch {
//	case session.Forged(err): // 403, say err's sentence
//	case err != nil: // redirect to the page for signing in; session.Reason(err) is for its address
//	}
//	ctx := admin.AsSession(r.Context(), s, identity.ClientAddress(r.Header.Values))
//
// and puts s.CSRF into every form as the field "csrf", or sends it as the
// header X-CSRF-Token. A request that the page makes by itself, without the
// user (a refresh of a status), goes through Peek in place of Guard, so that an
// open page does not keep a session alive for ever.
package session

import (
	"errors"
	"time"

	"sluice/internal/identity"
)

// CookieName is the cookie that holds a session. Its prefix makes browsers
// refuse it unless it is Secure, for this host only, and for every path.
const CookieName = "__Host-sluice-session"

// How a user has signed in, for Session.Method.
const (
	MethodToken = "token"
	MethodOIDC  = "oidc"
)

// Errors of Of, Peek and Guard: what must be signed in for again.
var (
	ErrNone    = errors.New("nobody has signed in")
	ErrUnknown = errors.New("the session has ended")
	ErrIdle    = errors.New("the session was not used for too long")
	ErrExpired = errors.New("the session has reached its longest time")
	// ErrRefused says that the user, or the token that was signed in with, does
	// not count any more.
	ErrRefused = errors.New("the user or token of the session is not let in any more")
	// ErrElsewhere says that the token that was signed in with is bound to other
	// networks than the one that asks. The session goes on.
	ErrElsewhere = errors.New("the token of the session is not let in from this network")
)

// Errors of Guard: requests that another site may have forged.
var (
	ErrCrossOrigin = errors.New("the request came from another site")
	ErrCSRF        = errors.New("the request lacks the secret of its page; load the page again and repeat it")
)

// Forged reports whether an error of Guard says that another site may have made
// the request. It is answered with 403.
func Forged(err error) bool { return errors.Is(err, ErrCrossOrigin) || errors.Is(err, ErrCSRF) }

// reasons are the words for errors in addresses.
var reasons = []struct {
	err  error
	word string
}{
	{ErrIdle, "idle"}, {ErrExpired, "expired"}, {ErrRefused, "refused"}, {ErrElsewhere, "elsewhere"}, {ErrUnknown, "ended"},
}

// Reason is a word for why a session does not count, to be carried in the
// address of the page for signing in: "idle", "expired", "refused", "elsewhere"
// or "ended"; "" where nobody had signed in.
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return ""
}

// Session is one browser in which a user has signed in. It is a copy.
type Session struct {
	ID      string // 24 hex digits; it names the session, and opens nothing
	UserID  string
	TokenID string // of the token that was signed in with; "": none
	Method  string // MethodToken or MethodOIDC
	// CSRF goes with every unsafe request of the session's pages. It is there
	// where the session was found by its cookie, and not in lists.
	CSRF              string
	Created, LastSeen time.Time
	// Expires is when the session ends at the latest.
	Expires time.Time
	Address string // the client's when it signed in
	Browser string // the User-Agent when it signed in, cut to 255 bytes
	// IDToken is the identity provider's, to sign out there. It is secret, kept in
	// memory only, and so "" after a restart.
	IDToken string
	// Caller is who asks: shared, not to be changed. Nil in lists.
	Caller *identity.Caller
}

// SignIn says who has signed in, for Start.
type SignIn struct {
	UserID  string
	TokenID string // of the token that was signed in with; "": none
	Method  string
	Until   time.Time // the session ends then at the latest; zero: no such bound
	IDToken string    // see Session.IDToken
}

// Limits bound sessions.
type Limits struct {
	Idle     time.Duration // longest time without a request
	Absolute time.Duration // longest time from the sign-in
	PerUser  int           // most sessions of one user; the least recently used ends for a new one
}
