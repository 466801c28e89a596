package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// ListHolds returns the legal holds on the trail, by name.
func (c *Client) ListHolds(ctx context.Context) (out api.HoldList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/holds", nil, nil, &out)
	return out, err
}

// CreateHold keeps days of the trail from retention.
func (c *Client) CreateHold(ctx context.Context, h api.NewHold) (out api.Hold, err error) {
	err = c.call(ctx, http.MethodPost, own+"/audit/holds", nil, h, &out)
	return out, err
}

// SetHolds puts all holds that there are to be in place of those that there are.
func (c *Client) SetHolds(ctx context.Context, list api.NewHoldList) (out api.HoldList, err error) {
	err = c.call(ctx, http.MethodPut, own+"/audit/holds", nil, list, &out)
	return out, err
}

// DeleteHold removes a hold; what only it kept is dropped.
func (c *Client) DeleteHold(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, own+"/audit/holds/"+url.PathEscape(name), nil, nil, nil)
}

// ExportEvidence writes days of the trail, YYYY-MM-DD of UTC, into one file (see
// package evidence).
func (c *Client) ExportEvidence(ctx context.Context, from, to string, w io.Writer) error {
	body, err := c.patient().accepting("application/zstd").do(ctx, http.MethodGet, own+"/audit/export", url.Values{"from": {from}, "to": {to}}, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("reading the evidence: %w", err)
	}
	return nil
}

// StartVerification has the gateway verify its trail; it goes on behind the answer.
func (c *Client) StartVerification(ctx context.Context, in api.NewVerification) (out api.Verification, err error) {
	err = c.call(ctx, http.MethodPost, own+"/audit/verify", nil, in, &out)
	return out, err
}

// Verification returns the one that runs, or ran last.
func (c *Client) Verification(ctx context.Context) (out api.Verification, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/verify", nil, nil, &out)
	return out, err
}

// StopVerification stops the one that runs.
func (c *Client) StopVerification(ctx context.Context) (out api.Verification, err error) {
	err = c.call(ctx, http.MethodDelete, own+"/audit/verify", nil, nil, &out)
	return out, err
}
