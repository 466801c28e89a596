package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// ListCredentials returns one page of stored credentials. The query may hold
// offset, limit, searchFilter, sortByField and shouldSortAscending.
func (c *Client) ListCredentials(ctx context.Context, query url.Values) (out api.CredentialList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/credentials", query, nil, &out)
	return out, err
}

// AllCredentials returns every stored credential that matches search, "" for
// all.
func (c *Client) AllCredentials(ctx context.Context, search string) ([]api.Credential, error) {
	return all(search, func(q url.Values) ([]api.Credential, int, error) {
		list, err := c.ListCredentials(ctx, q)
		return list.Credentials, list.Metadata.TotalCount, err
	})
}

func credentialPath(id string) string { return own + "/credentials/" + url.PathEscape(id) }

// GetCredential returns the stored credential with the id, without its values.
func (c *Client) GetCredential(ctx context.Context, id string) (out api.Credential, err error) {
	err = c.call(ctx, http.MethodGet, credentialPath(id), nil, nil, &out)
	return out, err
}

// CreateCredential stores a credential.
func (c *Client) CreateCredential(ctx context.Context, in api.NewCredential) (out api.Credential, err error) {
	err = c.call(ctx, http.MethodPost, own+"/credentials", nil, in, &out)
	return out, err
}

// UpdateCredential renames the credential with the id, or rotates its values.
func (c *Client) UpdateCredential(ctx context.Context, id string, patch api.CredentialPatch) (out api.Credential, err error) {
	err = c.call(ctx, http.MethodPatch, credentialPath(id), nil, patch, &out)
	return out, err
}

// DeleteCredential deletes the credential with the id, which no target may use.
func (c *Client) DeleteCredential(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, credentialPath(id), nil, nil, nil)
}

// TestTarget tries a target by one small call, before it is saved.
func (c *Client) TestTarget(ctx context.Context, in api.TargetTest) (out api.TargetTestResult, err error) {
	err = c.call(ctx, http.MethodPost, own+"/targets/test", nil, in, &out)
	return out, err
}
