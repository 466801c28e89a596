package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AuditPage is a page of the trail, each record as the gateway wrote it.
type AuditPage struct {
	Records []json.RawMessage `json:"records"`
	Next    string            `json:"next"` // cursor of the next page, "" on the last
	// SearchedTo is how far a search for a text came that goes on at Next; nil: it
	// was not broken off.
	SearchedTo *time.Time `json:"searchedTo"`
}

// ListAudit returns a page of the trail. The query holds parameters of the route
// (see its description).
func (c *Client) ListAudit(ctx context.Context, query url.Values) (out AuditPage, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit", query, nil, &out)
	return out, err
}

// StreamAudit calls fn with each record that the query selects, without a bound on
// how many, and with follow=true for as long as records come. fn keeps what it is
// given. An error of fn ends it and is returned.
func (c *Client) StreamAudit(ctx context.Context, query url.Values, fn func(json.RawMessage) error) error {
	body, err := c.accepting("application/x-ndjson").patient().do(ctx, http.MethodGet, own+"/audit", query, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 && err == nil {
			if err := fn(text); err != nil {
				return err
			}
		}
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading records: %w", err)
		}
	}
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
