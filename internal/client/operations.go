package client

import (
	"context"
	"encoding/json"
	"net/http"

	"sluice/internal/admin/api"
)

// Status returns the state of the gateway.
func (c *Client) Status(ctx context.Context) (out api.Status, err error) {
	err = c.call(ctx, http.MethodGet, own+"/status", nil, nil, &out)
	return out, err
}

// Settings returns the configuration in force, without secrets.
func (c *Client) Settings(ctx context.Context) (out api.Settings, err error) {
	err = c.call(ctx, http.MethodGet, own+"/settings", nil, nil, &out)
	return out, err
}

// Description returns the API's OpenAPI description.
func (c *Client) Description(ctx context.Context) (out json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, "/api/openapi.json", nil, nil, &out)
	return out, err
}
