package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// Usage sums up exchanges. The query may hold from, to, groupBy, interval,
// endpointId, organizationId, userId, provider, model, project, and what lists
// take: offset, limit, searchFilter, sortByField, shouldSortAscending.
func (c *Client) Usage(ctx context.Context, query url.Values) (out api.Usage, err error) {
	err = c.call(ctx, http.MethodGet, own+"/usage", query, nil, &out)
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

// RebuildUsage has usage counted anew from the trail, in the background.
func (c *Client) RebuildUsage(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, own+"/usage/rebuild", nil, nil, nil)
}

// Prices returns the table of prices.
func (c *Client) Prices(ctx context.Context) (out api.Prices, err error) {
	err = c.call(ctx, http.MethodGet, own+"/prices", nil, nil, &out)
	return out, err
}
