package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// AuditPage is a page of the trail, each record as the gateway wrote it.
type AuditPage struct {
	Records []json.RawMessage `json:"records"`
	Next    string            `json:"next"` // cursor of the next page, "" on the last
}

// ListAudit returns a page of the trail. The query may hold startTime, endTime,
// endpointNames, endpointIds, users, results, kinds, descending, limit, cursor.
func (c *Client) ListAudit(ctx context.Context, query url.Values) (out AuditPage, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit", query, nil, &out)
	return out, err
}

// GetAudit returns the record of an exchange, both bodies included.
func (c *Client) GetAudit(ctx context.Context, exchangeID string) (out json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/"+url.PathEscape(exchangeID), nil, nil, &out)
	return out, err
}

// DownloadAudit writes what happened to endpoints and with them in the past six
// months, oldest first: as lines of text, or as a JSON array in Domino's shape.
func (c *Client) DownloadAudit(ctx context.Context, asJSON bool, w io.Writer) error {
	q := url.Values{"useJson": {strconv.FormatBool(asJSON)}}
	body, err := c.patient().do(ctx, http.MethodGet, "/v4/aigateway/audit/download", q, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("reading the download: %w", err)
	}
	return nil
}
