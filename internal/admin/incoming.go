package admin

import (
	"context"

	"sluice/internal/identity"
	"sluice/internal/session"
)

// signedIn is who makes a request that came from within the process.
type signedIn struct {
	caller      *identity.Caller
	client      string
	certificate string
	session     string
}

type signedInKey struct{}

// As returns a context for requests that the web UI makes of this handler on
// behalf of a caller whom it has authenticated by a session. Such a request
// presents no credential; the policy and the trail see the caller, and the
// address of the browser, as with any other. certificate names the client
// certificate that the browser has shown; it may be "".
func As(ctx context.Context, caller *identity.Caller, clientAddress, certificate string) context.Context {
	return context.WithValue(ctx, signedInKey{}, signedIn{caller: caller, client: clientAddress, certificate: certificate})
}

// AsSession is As for the caller of a session, which lists of sessions then
// show as the one that asks.
func AsSession(ctx context.Context, s *session.Session, clientAddress string) context.Context {
	return context.WithValue(ctx, signedInKey{}, signedIn{caller: s.Caller, client: clientAddress, session: s.ID})
}
