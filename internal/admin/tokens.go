package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// listTokens is GET /api/sluice/v1/tokens: the caller's own, or those of all
// users or of ?userId where the policy says so.
func (s *server) listTokens(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	owner := c.r.URL.Query().Get("userId")
	if !c.all() {
		if owner != "" && owner != c.caller.UserID {
			return s.beyond(c)
		}
		owner = c.caller.UserID
	}
	found := []api.Token{}
	for _, t := range s.Identity.ListTokens(c.ctx(), owner) {
		shape := s.tokenShape(c, t)
		if p.matches(t.Name, t.Project, t.Execution, shape.UserName) {
			found = append(found, shape)
		}
	}
	order(found, p, func(t api.Token) string {
		switch {
		case p.sortBy == "name":
			return strings.ToLower(t.Name)
		case p.sortBy == "expires" && t.Expires != nil:
			return t.Expires.Format("20060102150405.000")
		case p.sortBy == "expires":
			return "never"
		}
		return t.Created.Format("20060102150405.000")
	})
	return c.reply(http.StatusOK, api.TokenList{Tokens: cut(found, p), Metadata: c.metadata(p, len(found))})
}

func (s *server) tokenShape(c *call, t identity.Token) api.Token {
	owner, _ := s.Identity.GetUser(c.ctx(), t.UserID) // a deleted user has no name
	return api.Token{
		ID: t.ID, Name: t.Name, UserID: t.UserID, UserName: owner.Name, Project: t.Project, Execution: t.Execution,
		Created: shown(t.Created), Expires: shownOrNil(t.Expires), Revoked: shownOrNil(t.Revoked),
	}
}

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
	return c.reply(http.StatusOK, api.IssuedToken{Token: s.tokenShape(c, issued), Plaintext: plaintext})
}

// newToken checks what is asked for. Who may make tokens of his own only can't
// widen what the token in his hands may do: the new one has its project and
// execution, and ends no later.
func (s *server) newToken(c *call, in api.NewToken) (identity.Token, error) {
	t := identity.Token{
		ID: catalog.NewID(), Name: in.Name, UserID: in.UserID, Project: in.Project, Execution: in.Execution, Expires: in.Expires,
	}
	if t.UserID == "" {
		t.UserID = c.caller.UserID
	}
	if t.Expires != nil && !t.Expires.After(s.Now()) {
		return t, badRequest("invalid_field", "expires", "The field expires must be a time to come.")
	}
	if c.all() {
		return t, s.knownUsers(c, []string{t.UserID}, "userId")
	}
	if t.UserID != c.caller.UserID {
		return t, s.beyond(c)
	}
	return t, s.bindToken(c, &t)
}

// bindToken holds a token to what the caller's own is bound to. A project opens
// endpoints, so that naming one where the own token has none is refused too.
func (s *server) bindToken(c *call, t *identity.Token) error {
	for _, b := range []struct {
		field string
		bound string
		asked *string
	}{
		{"project", c.caller.Project, &t.Project},
		{"execution", c.caller.Execution, &t.Execution},
	} {
		if *b.asked != "" && *b.asked != b.bound {
			return tooWide(b.field, b.bound)
		}
		*b.asked = b.bound
	}
	mine, err := s.Identity.GetToken(c.ctx(), c.caller.TokenID)
	if err != nil || mine.Expires == nil {
		return err
	}
	if t.Expires == nil {
		t.Expires = mine.Expires
	}
	if t.Expires.After(*mine.Expires) {
		return tooWide("expires", shown(*mine.Expires).Format(time.RFC3339))
	}
	return nil
}

func tooWide(field, bound string) error {
	message := fmt.Sprintf("The token that you use is bound to %s %s, so a token made with it is too.", field, bound)
	if bound == "" {
		message = fmt.Sprintf("Only an administrator may make a token for a %s. Ask one, or leave the field out.", field)
	}
	return &dialect.Error{Status: http.StatusForbidden, Code: "token_too_wide", Param: field, Message: message}
}

// revokeToken is DELETE /api/sluice/v1/tokens/{id}.
func (s *server) revokeToken(c *call) error {
	id := c.r.PathValue("id")
	s.people.Lock()
	defer s.people.Unlock()
	t, err := s.Identity.GetToken(c.ctx(), id)
	if err != nil || !c.all() && t.UserID != c.caller.UserID {
		return notFound("token", id)
	}
	if t.Revoked == nil {
		err = s.change(c, func() (err error) {
			t, err = s.Identity.RevokeToken(c.ctx(), id)
			return err
		}, c.event(kindRevokeToken, "token", t.ID, t.Name, diff(tokenFields(t), nil)))
		if err != nil {
			return err
		}
	}
	return c.reply(http.StatusOK, s.tokenShape(c, t))
}

func tokenFields(t identity.Token) fields {
	f := fields{"name": t.Name, "userId": t.UserID, "project": t.Project, "execution": t.Execution, "expires": ""}
	if t.Expires != nil {
		f["expires"] = shown(*t.Expires).Format(time.RFC3339)
	}
	return f
}
