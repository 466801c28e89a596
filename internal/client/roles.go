package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// Roles says what roles there are, and what the policies let them do.
func (c *Client) Roles(ctx context.Context) (out api.RoleList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/roles", nil, nil, &out)
	return out, err
}

// Settings returns the configuration in force.
func (c *Client) Settings(ctx context.Context) (out api.Settings, err error) {
	err = c.call(ctx, http.MethodGet, own+"/settings", nil, nil, &out)
	return out, err
}

// Access says who may call what.
func (c *Client) Access(ctx context.Context, in api.AccessQuestion) (out api.AccessAnswers, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/access", nil, in, &out)
	return out, err
}

// CheckPolicies compiles and tests the bundles that the gateway is configured
// with, and puts nothing in force.
func (c *Client) CheckPolicies(ctx context.Context) (out api.PolicyCheck, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/check", nil, nil, &out)
	return out, err
}

// PolicyFiles returns the files of a bundle in force.
func (c *Client) PolicyFiles(ctx context.Context, bundle string) (out api.PolicyFiles, err error) {
	err = c.call(ctx, http.MethodGet, own+"/policies/bundles/"+url.PathEscape(bundle)+"/files", nil, nil, &out)
	return out, err
}
