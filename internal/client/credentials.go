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
	all := []api.Credential{}
	err := pages(search, func(q url.Values) (int, int, error) {
		list, err := c.ListCredentials(ctx, q)
		all = append(all, list.Credentials...)
		return len(list.Credentials), list.Metadata.TotalCount, err
	})
	return all, err
}
