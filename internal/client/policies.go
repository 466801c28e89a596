package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// Policies says which policies are in force.
func (c *Client) Policies(ctx context.Context) (out policies.Status, err error) {
	err = c.call(ctx, http.MethodGet, own+"/policies", nil, nil, &out)
	return out, err
}

// ReloadPolicies reads the bundles again.
func (c *Client) ReloadPolicies(ctx context.Context) (out policies.Status, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/reload", nil, nil, &out)
	return out, err
}

// CheckPolicies reads, compiles and tests the configured bundles, and puts
// nothing into force.
func (c *Client) CheckPolicies(ctx context.Context) (out api.PolicyCheck, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/check", nil, nil, &out)
	return out, err
}

// PolicyFiles returns the files of a bundle in force.
func (c *Client) PolicyFiles(ctx context.Context, bundle string) (out api.PolicyFiles, err error) {
	err = c.call(ctx, http.MethodGet, own+"/policies/bundles/"+url.PathEscape(bundle)+"/files", nil, nil, &out)
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
