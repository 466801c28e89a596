package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"sluice/internal/admin/api"
)

const (
	domino = "/api/aigateway/v1"
	own    = "/api/sluice/v1"
)

// pageSize is how many entries All… functions ask for at a time.
const pageSize = 1000

func endpointPath(name string) string { return domino + "/endpoints/" + url.PathEscape(name) }

// ListEndpoints returns one page of endpoints. The query may hold offset,
// limit, searchFilter, sortByField and shouldSortAscending.
func (c *Client) ListEndpoints(ctx context.Context, query url.Values) (out api.EndpointList, err error) {
	err = c.call(ctx, http.MethodGet, domino+"/endpoints", query, nil, &out)
	return out, err
}

// AllEndpoints returns every endpoint that matches search, "" for all.
func (c *Client) AllEndpoints(ctx context.Context, search string) ([]api.Endpoint, error) {
	return all(search, func(q url.Values) ([]api.Endpoint, int, error) {
		list, err := c.ListEndpoints(ctx, q)
		return list.Endpoints, list.Metadata.TotalCount, err
	})
}

// all gathers the entries of one page after another; fetch returns those of a
// page and how many there are.
func all[T any](search string, fetch func(url.Values) (page []T, total int, err error)) ([]T, error) {
	q, found := url.Values{"limit": {strconv.Itoa(pageSize)}}, []T{}
	if search != "" {
		q.Set("searchFilter", search)
	}
	for {
		q.Set("offset", strconv.Itoa(len(found)))
		page, total, err := fetch(q)
		found = append(found, page...)
		if err != nil || len(page) == 0 || len(found) >= total {
			return found, err
		}
	}
}

// GetEndpoint returns the endpoint with the name.
func (c *Client) GetEndpoint(ctx context.Context, name string) (out api.Endpoint, err error) {
	err = c.call(ctx, http.MethodGet, endpointPath(name), nil, nil, &out)
	return out, err
}

// CreateEndpoint makes an endpoint.
func (c *Client) CreateEndpoint(ctx context.Context, in api.NewEndpoint) (out api.Endpoint, err error) {
	err = c.call(ctx, http.MethodPost, domino+"/endpoints", nil, in, &out)
	return out, err
}

// UpdateEndpoint changes an endpoint.
func (c *Client) UpdateEndpoint(ctx context.Context, name string, patch api.EndpointPatch) (out api.Endpoint, err error) {
	err = c.call(ctx, http.MethodPatch, endpointPath(name), nil, patch, &out)
	return out, err
}

// DeleteEndpoint removes an endpoint.
func (c *Client) DeleteEndpoint(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, endpointPath(name), nil, nil, nil)
}

// Permissions returns who may call an endpoint.
func (c *Client) Permissions(ctx context.Context, name string) (out api.Permissions, err error) {
	err = c.call(ctx, http.MethodGet, endpointPath(name)+"/permissions", nil, nil, &out)
	return out, err
}

// SetPermissions changes who may call an endpoint.
func (c *Client) SetPermissions(ctx context.Context, name string, patch api.PermissionsPatch) (out api.Permissions, err error) {
	err = c.call(ctx, http.MethodPatch, endpointPath(name)+"/permissions", nil, patch, &out)
	return out, err
}

// Apply creates or updates the endpoints of a file in MLflow's form, YAML or
// JSON, whose values are literal. everyone opens new endpoints whose
// permissions the file does not give.
func (c *Client) Apply(ctx context.Context, file []byte, everyone bool) (out api.ApplyResult, err error) {
	q := url.Values{"isEveryoneAllowed": {strconv.FormatBool(everyone)}}
	err = c.call(ctx, http.MethodPost, own+"/apply", q, file, &out)
	return out, err
}

// PreviewApply tells what Apply would do, and does nothing.
func (c *Client) PreviewApply(ctx context.Context, file []byte, everyone bool) (out api.ApplyResult, err error) {
	q := url.Values{"isEveryoneAllowed": {strconv.FormatBool(everyone)}, "dryRun": {"true"}}
	err = c.call(ctx, http.MethodPost, own+"/apply", q, file, &out)
	return out, err
}

// Candidates returns a page of the users and organizations that permissions can
// name: those of the endpoint, or those of a new one where it is "". The query may
// hold offset, limit, searchFilter, shouldSortAscending, kind and ids.
func (c *Client) Candidates(ctx context.Context, endpoint string, query url.Values) (out api.CandidateList, err error) {
	path := own + "/candidates"
	if endpoint != "" {
		path = own + "/endpoints/" + url.PathEscape(endpoint) + "/candidates"
	}
	err = c.call(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

// AllCandidates returns every candidate that matches search, "" for all.
func (c *Client) AllCandidates(ctx context.Context, endpoint, search string) ([]api.Candidate, error) {
	return all(search, func(q url.Values) ([]api.Candidate, int, error) {
		list, err := c.Candidates(ctx, endpoint, q)
		return list.Candidates, list.Metadata.TotalCount, err
	})
}
