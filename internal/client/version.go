package client

import "context"

// At is Versioned for a thing that was read before: version is the ETag that
// it had then ("": none yet), and afterwards the one that it has.
func At(ctx context.Context, version *string) context.Context {
	return context.WithValue(ctx, versionKey{}, version)
}
