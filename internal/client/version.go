package client

import "context"

type versionKey struct{}

// Versioned returns a context for reading one thing and changing it then: the
// change is refused, with status 412, when somebody else has changed the thing
// in between. It is for one goroutine.
func Versioned(ctx context.Context) context.Context {
	return context.WithValue(ctx, versionKey{}, new(string))
}

// At is Versioned for a thing that was read before: version is the ETag that
// it had then ("": none yet), and afterwards the one that it has.
func At(ctx context.Context, version *string) context.Context {
	return context.WithValue(ctx, versionKey{}, version)
}
