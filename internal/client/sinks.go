package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// Sinks returns where the trail is streamed to, and how that does.
func (c *Client) Sinks(ctx context.Context) (out api.SinkList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/sinks", nil, nil, &out)
	return out, err
}

// ReplaySink asks for a range to be sent to a sink again; Sinks tells how far
// that is.
func (c *Client) ReplaySink(ctx context.Context, name string, in api.NewReplay) (out api.Replay, err error) {
	err = c.call(ctx, http.MethodPost, own+"/audit/sinks/"+url.PathEscape(name)+"/replay", nil, in, &out)
	return out, err
}

// CancelReplays ends the replays of a sink that are under way, and returns them.
func (c *Client) CancelReplays(ctx context.Context, name string) (out api.ReplayList, err error) {
	err = c.call(ctx, http.MethodDelete, own+"/audit/sinks/"+url.PathEscape(name)+"/replay", nil, nil, &out)
	return out, err
}

// DeadLetters returns the records that the receiver of a sink refused for good.
func (c *Client) DeadLetters(ctx context.Context, name string) (out api.DeadLetterList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/audit/sinks/"+url.PathEscape(name)+"/dead-letters", nil, nil, &out)
	return out, err
}

// RetryDeadLetters asks for the dead letters of a sink to be sent again.
func (c *Client) RetryDeadLetters(ctx context.Context, name string) (out api.Replay, err error) {
	err = c.call(ctx, http.MethodPost, own+"/audit/sinks/"+url.PathEscape(name)+"/dead-letters/retry", nil, nil, &out)
	return out, err
}
