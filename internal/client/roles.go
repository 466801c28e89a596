package client

import (
	"context"
	"net/http"

	"sluice/internal/admin/api"
)

// Access says who may call what.
func (c *Client) Access(ctx context.Context, in api.AccessQuestion) (out api.AccessAnswers, err error) {
	err = c.call(ctx, http.MethodPost, own+"/policies/access", nil, in, &out)
	return out, err
}
