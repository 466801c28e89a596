package client

import (
	"context"
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// Self returns who the token belongs to.
func (c *Client) Self(ctx context.Context) (out api.Self, err error) {
	err = c.call(ctx, http.MethodGet, own+"/users/self", nil, nil, &out)
	return out, err
}

// SignIn says how people sign in. It needs no token.
func (c *Client) SignIn(ctx context.Context) (out api.SignIn, err error) {
	err = c.call(ctx, http.MethodGet, own+"/sign-in", nil, nil, &out)
	return out, err
}

// ListUsers returns one page of users. The query may hold offset, limit,
// searchFilter, sortByField, shouldSortAscending and kind.
func (c *Client) ListUsers(ctx context.Context, query url.Values) (out api.UserList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/users", query, nil, &out)
	return out, err
}

// AllUsers returns every user that matches search, "" for all.
func (c *Client) AllUsers(ctx context.Context, search string) ([]api.User, error) {
	return all(search, func(q url.Values) ([]api.User, int, error) {
		list, err := c.ListUsers(ctx, q)
		return list.Users, list.Metadata.TotalCount, err
	})
}

// GetUser returns the user with the id.
func (c *Client) GetUser(ctx context.Context, id string) (out api.User, err error) {
	err = c.call(ctx, http.MethodGet, own+"/users/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, in api.NewUser) (out api.User, err error) {
	err = c.call(ctx, http.MethodPost, own+"/users", nil, in, &out)
	return out, err
}

// UpdateUser changes the user with the id.
func (c *Client) UpdateUser(ctx context.Context, id string, patch api.UserPatch) (out api.User, err error) {
	err = c.call(ctx, http.MethodPatch, own+"/users/"+url.PathEscape(id), nil, patch, &out)
	return out, err
}

// DeleteUser removes the user with the id and revokes the user's tokens.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, own+"/users/"+url.PathEscape(id), nil, nil, nil)
}

// ListOrganizations returns one page of organizations. The query may hold
// offset, limit, searchFilter, sortByField and shouldSortAscending.
func (c *Client) ListOrganizations(ctx context.Context, query url.Values) (out api.OrganizationList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/organizations", query, nil, &out)
	return out, err
}

// AllOrganizations returns every organization that matches search, "" for all.
func (c *Client) AllOrganizations(ctx context.Context, search string) ([]api.Organization, error) {
	return all(search, func(q url.Values) ([]api.Organization, int, error) {
		list, err := c.ListOrganizations(ctx, q)
		return list.Organizations, list.Metadata.TotalCount, err
	})
}

// Organization returns the organization with the id, its members included.
func (c *Client) Organization(ctx context.Context, id string) (out api.Organization, err error) {
	err = c.call(ctx, http.MethodGet, organizationPath(id), nil, nil, &out)
	return out, err
}

// UpdateOrganization changes the organization with the id.
func (c *Client) UpdateOrganization(ctx context.Context, id string, patch api.OrganizationPatch) (out api.Organization, err error) {
	err = c.call(ctx, http.MethodPatch, organizationPath(id), nil, patch, &out)
	return out, err
}

// CreateOrganization makes an organization.
func (c *Client) CreateOrganization(ctx context.Context, in api.NewOrganization) (out api.Organization, err error) {
	err = c.call(ctx, http.MethodPost, own+"/organizations", nil, in, &out)
	return out, err
}

// DeleteOrganization removes the organization with the id.
func (c *Client) DeleteOrganization(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, organizationPath(id), nil, nil, nil)
}

// SetMember puts a user into an organization with a role, or changes it.
func (c *Client) SetMember(ctx context.Context, organization, user, role string) (out api.Organization, err error) {
	path := organizationPath(organization) + "/members/" + url.PathEscape(user)
	err = c.call(ctx, http.MethodPut, path, nil, api.MemberRole{Role: role}, &out)
	return out, err
}

// UpdateMembers changes several members of an organization, all or none.
func (c *Client) UpdateMembers(ctx context.Context, organization string, patch api.MembersPatch) (out api.Organization, err error) {
	err = c.call(ctx, http.MethodPatch, organizationPath(organization)+"/members", nil, patch, &out)
	return out, err
}

// RemoveMember takes a user out of an organization.
func (c *Client) RemoveMember(ctx context.Context, organization, user string) (out api.Organization, err error) {
	err = c.call(ctx, http.MethodDelete, organizationPath(organization)+"/members/"+url.PathEscape(user), nil, nil, &out)
	return out, err
}

func organizationPath(id string) string { return own + "/organizations/" + url.PathEscape(id) }

// ListTokens returns one page of tokens. The query may hold offset, limit,
// searchFilter, sortByField, shouldSortAscending and userId.
func (c *Client) ListTokens(ctx context.Context, query url.Values) (out api.TokenList, err error) {
	err = c.call(ctx, http.MethodGet, own+"/tokens", query, nil, &out)
	return out, err
}

// AllTokens returns the tokens of the user with the id; "" means all that the
// caller may see.
func (c *Client) AllTokens(ctx context.Context, userID string) ([]api.Token, error) {
	return all("", func(q url.Values) ([]api.Token, int, error) {
		if userID != "" {
			q.Set("userId", userID)
		}
		list, err := c.ListTokens(ctx, q)
		return list.Tokens, list.Metadata.TotalCount, err
	})
}

// CreateToken makes a token; its plaintext is in the answer and nowhere else.
func (c *Client) CreateToken(ctx context.Context, in api.NewToken) (out api.IssuedToken, err error) {
	err = c.call(ctx, http.MethodPost, own+"/tokens", nil, in, &out)
	return out, err
}

// Token returns what is known of the token with the id.
func (c *Client) Token(ctx context.Context, id string) (out api.Token, err error) {
	err = c.call(ctx, http.MethodGet, own+"/tokens/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}

// RevokeToken makes the token with the id useless.
func (c *Client) RevokeToken(ctx context.Context, id string) (out api.Token, err error) {
	err = c.call(ctx, http.MethodDelete, own+"/tokens/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}
