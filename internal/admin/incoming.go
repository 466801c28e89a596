package admin

import (
	"context"

	"sluice/internal/identity"
)

// signedIn is who makes a request that came from within the process.
type signedIn struct {
	caller *identity.Caller
	client string
}

type signedInKey struct{}

// As returns a context for requests that the web UI makes of this handler on
// behalf of a caller whom it has authenticated by a session. Such a request
// presents no credential; the policy and the trail see the caller, and the
// address of the browser, as with any other.
func As(ctx context.Context, caller *identity.Caller, clientAddress string) context.Context {
	return context.WithValue(ctx, signedInKey{}, signedIn{caller, clientAddress})
}
