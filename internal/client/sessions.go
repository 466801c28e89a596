package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// ListSessions returns one page of sessions. The query may hold offset, limit,
// searchFilter, sortByField, shouldSortAscending and userId.
func (c *Client) ListSessions(ctx context.Context, query url.Values) (out api.SessionList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/sessions", query, nil, &out)
	return out, err
}

// AllSessions returns the browsers in which the user with the id has signed in;
// "" means all that the caller may see.
func (c *Client) AllSessions(ctx context.Context, userID string) ([]api.Session, error) {
	return all("", func(q url.Values) ([]api.Session, int, error) {
		if userID != "" {
			q.Set("userId", userID)
		}
		list, err := c.ListSessions(ctx, q)
		return list.Sessions, list.Metadata.TotalCount, err
	})
}

// EndSession signs the browser out whose session has the id.
func (c *Client) EndSession(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, own+"/sessions/"+url.PathEscape(id), nil, nil, nil)
}

// EndSessions signs the user with the id out of all browsers, and says of how
// many.
func (c *Client) EndSessions(ctx context.Context, userID string) (int, error) {
	var out api.SessionsEnded
	err := c.call(ctx, http.MethodDelete, own+"/sessions", url.Values{"userId": {userID}}, nil, &out)
	return int(out.Ended), err
}
