package admin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/identity"
)

// owner is whose things a list is to show: ?userId, "" for everybody, as far as
// the caller's scope goes.
func (s *server) owner(c *call) (string, error) {
	id := c.r.URL.Query().Get("userId")
	switch {
	case c.all():
		return id, nil
	case id != "" && id != c.caller.UserID:
		return "", s.beyond(c)
	}
	return c.caller.UserID, nil
}

// listTokens is GET /api/sluice/v1/tokens: the caller's own, or those of all
// users or of ?userId where the policy says so.
func (s *server) listTokens(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	owner, err := s.owner(c)
	if err != nil {
		return err
	}
	active, err := readBool(c.r.URL.Query(), "active", false)
	if err != nil {
		return err
	}
	found := []*identity.Token{}
	for _, t := range s.Identity.Tokens(owner) {
		if active && (t.Revoked != nil || t.Expires != nil && !t.Expires.After(c.start)) {
			continue
		}
		if p.matches(t.Name, t.Project, t.Execution, s.Identity.UserName(t.UserID)) {
			found = append(found, t)
		}
	}
	switch p.sortBy {
	case "name":
		order(found, p, func(t *identity.Token) string { return strings.ToLower(t.Name) })
	case "expires":
		order(found, p, func(t *identity.Token) string { return cmp.Or(sortable(t.Expires), "never") })
	case "lastUsed":
		used := map[string]string{} // so that the order holds while tokens are used
		for _, t := range found {
			used[t.ID] = sortable(s.Identity.LastUsed(t.ID))
		}
		order(found, p, func(t *identity.Token) string { return used[t.ID] })
	default: // created, by which they are sorted
		if p.descending {
			slices.Reverse(found)
		}
	}
	shapes := []api.Token{}
	for _, t := range cut(found, p) {
		shapes = append(shapes, s.tokenShape(t))
	}
	return c.reply(http.StatusOK, api.TokenList{Tokens: shapes, Metadata: c.metadata(p, len(found))})
}

func (s *server) tokenShape(t *identity.Token) api.Token {
	shape := api.Token{
		ID: t.ID, Name: t.Name, UserID: t.UserID, UserName: s.Identity.UserName(t.UserID), Project: t.Project, Execution: t.Execution,
		EndpointIDs: t.EndpointIDs, Created: shown(t.Created), Expires: shownOrNil(t.Expires), Revoked: shownOrNil(t.Revoked),
		LastUsed: s.Identity.LastUsed(t.ID),
	}
	for _, n := range t.Networks {
		shape.Networks = append(shape.Networks, n.String())
	}
	return shape
}

// readToken is GET /api/sluice/v1/tokens/{id}.
func (s *server) readToken(c *call) error {
	t, err := s.token(c)
	if err != nil {
		return err
	}
	return c.replyVersioned(tokenETag(&t), s.tokenShape(&t))
}

// token returns the token that the path names, as far as the caller's scope
// goes.
func (s *server) token(c *call) (identity.Token, error) {
	id := c.r.PathValue("id")
	t, err := s.Identity.GetToken(c.ctx(), id)
	if err != nil || !c.all() && t.UserID != c.caller.UserID {
		return t, notFound("token", id)
	}
	return t, nil
}

func tokenETag(t *identity.Token) string { return etagOf(t.ID, tokenFields(*t), t.Revoked != nil) }

func shownOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := shown(*t)
	return &u
}

// createToken is POST /api/sluice/v1/tokens.
func (s *server) createToken(c *call) error {
	var in api.NewToken
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name == "" {
		return badRequest("missing_field", "name", "The field name is required.")
	}
	s.people.Lock()
	defer s.people.Unlock()
	t, err := s.newToken(c, in)
	if err != nil {
		return err
	}
	var plaintext string
	var issued identity.Token
	err = s.change(c, func() (err error) {
		plaintext, issued, err = s.Identity.IssueToken(c.ctx(), t)
		return err
	}, c.event(kindCreateToken, "token", t.ID, t.Name, diff(nil, tokenFields(t))))
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, api.IssuedToken{Token: s.tokenShape(&issued), Plaintext: plaintext})
}

// revokeToken is DELETE /api/sluice/v1/tokens/{id}.
func (s *server) revokeToken(c *call) error {
	s.people.Lock()
	defer s.people.Unlock()
	t, err := s.token(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("token", tokenETag(&t)); err != nil {
		return err
	}
	if err := s.mayTouchOwner(c, t.UserID); err != nil {
		return err
	}
	if t.Revoked == nil {
		err = s.change(c, func() (err error) {
			t, err = s.Identity.RevokeToken(c.ctx(), t.ID)
			return err
		}, c.event(kindRevokeToken, "token", t.ID, t.Name, diff(tokenFields(t), nil)))
		if err != nil {
			return err
		}
	}
	return c.replyVersioned(tokenETag(&t), s.tokenShape(&t))
}
