package oidc

import "context"

// Fetch fetches once, as Run does at its start.
func Fetch(p *Provider, ctx context.Context) error { return p.fetch(ctx) }
