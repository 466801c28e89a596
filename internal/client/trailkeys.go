package client

import (
	"context"
	"net/http"

	"sluice/internal/admin/api"
)

// TrailKeys returns the public keys that the trail is signed with.
func (c *Client) TrailKeys(ctx context.Context) (out api.TrailKeys, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/keys", nil, nil, &out)
	return out, err
}

// RotateTrailKey has the trail signed with a new key.
func (c *Client) RotateTrailKey(ctx context.Context) (out api.TrailKeys, err error) {
	err = c.call(ctx, http.MethodPost, own+"/audit/keys/rotate", nil, nil, &out)
	return out, err
}
