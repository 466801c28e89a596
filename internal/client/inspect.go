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

// PolicyFiles returns the files of a bundle in force.
func (c *Client) PolicyFiles(ctx context.Context, bundle string) (out api.PolicyFiles, err error) {
	err = c.call(ctx, http.MethodGet, own+"/policies/bundles/"+url.PathEscape(bundle)+"/files", nil, nil, &out)
	return out, err
}

// CheckPolicies reads, compiles and tests the configured bundles, and puts
// nothing into force.
func (c *Client) CheckPolicies(ctx context.Context) (out api.PolicyCheck, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/check", nil, nil, &out)
	return out, err
}

// PolicyAccess tells who may see and call an endpoint, or what a user may.
func (c *Client) PolicyAccess(ctx context.Context, in api.AccessQuestion) (out api.AccessAnswers, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/access", nil, in, &out)
	return out, err
}

// Roles lists roles, with what the policy lets each do.
func (c *Client) Roles(ctx context.Context) (out api.RoleList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/roles", nil, nil, &out)
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
