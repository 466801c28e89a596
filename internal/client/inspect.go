package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// PolicyAccess tells who may call an endpoint, or what a user may call.
func (c *Client) PolicyAccess(ctx context.Context, in api.AccessQuestion) (out api.AccessAnswers, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/access", nil, in, &out)
	return out, err
}

// Description returns the API's OpenAPI description.
func (c *Client) Description(ctx context.Context) (out json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, "/api/openapi.json", nil, nil, &out)
	return out, err
}

// UsageCSV returns what Usage does, as comma-separated values.
func (c *Client) UsageCSV(ctx context.Context, query url.Values) ([]byte, error) {
	body, err := c.accepting("text/csv").do(ctx, http.MethodGet, own+"/usage", query, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	out, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading usage: %w", err)
	}
	return out, nil
}
