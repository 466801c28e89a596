package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

func targetsPath(endpoint string) string {
	return own + "/endpoints/" + url.PathEscape(endpoint) + "/targets"
}

func targetPath(endpoint, name string) string {
	return targetsPath(endpoint) + "/" + url.PathEscape(name)
}

// Targets returns the targets of an endpoint.
func (c *Client) Targets(ctx context.Context, endpoint string) (out api.TargetList, err error) {
	err = c.call(ctx, http.MethodGet, targetsPath(endpoint), nil, nil, &out)
	return out, err
}

// GetTarget returns one target of an endpoint.
func (c *Client) GetTarget(ctx context.Context, endpoint, name string) (out api.Target, err error) {
	err = c.call(ctx, http.MethodGet, targetPath(endpoint, name), nil, nil, &out)
	return out, err
}

// AddTarget adds a target to an endpoint.
func (c *Client) AddTarget(ctx context.Context, endpoint string, in api.NewTarget) (out api.Target, err error) {
	err = c.call(ctx, http.MethodPost, targetsPath(endpoint), nil, in, &out)
	return out, err
}

// UpdateTarget changes a target of an endpoint.
func (c *Client) UpdateTarget(ctx context.Context, endpoint, name string, patch api.TargetPatch) (out api.Target, err error) {
	err = c.call(ctx, http.MethodPatch, targetPath(endpoint, name), nil, patch, &out)
	return out, err
}

// PutTargets replaces the targets of an endpoint, its head timeout, or both.
func (c *Client) PutTargets(ctx context.Context, endpoint string, in api.TargetsPut) (out api.TargetList, err error) {
	err = c.call(ctx, http.MethodPut, targetsPath(endpoint), nil, in, &out)
	return out, err
}

// RemoveTarget takes a target from an endpoint.
func (c *Client) RemoveTarget(ctx context.Context, endpoint, name string) error {
	return c.call(ctx, http.MethodDelete, targetPath(endpoint, name), nil, nil, nil)
}

// Providers returns the table of providers.
func (c *Client) Providers(ctx context.Context) (out api.ProviderList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/providers", nil, nil, &out)
	return out, err
}
