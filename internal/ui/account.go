package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

const accountPath = "/ui/account"

func (s *UI) accountRoutes() []route {
	return []route{
		{pattern: "GET /ui/account", handle: s.account},
		{pattern: "GET /ui/account/tokens/new", handle: s.newToken},
		{pattern: "POST /ui/account/tokens/new", handle: s.newToken},
		{pattern: "GET /ui/account/tokens/{id}/revoke", handle: s.revokeOwnToken},
		{pattern: "POST /ui/account/tokens/{id}/revoke", handle: s.revokeOwnToken},
		{pattern: "GET /ui/account/sessions/{id}/end", handle: s.endOwnSession},
		{pattern: "POST /ui/account/sessions/{id}/end", handle: s.endOwnSession},
		{pattern: "GET /ui/account/sessions/end", handle: s.endOwnSessions},
		{pattern: "POST /ui/account/sessions/end", handle: s.endOwnSessions},
	}
}

// tokenRow is a token as lists show it.
type tokenRow struct {
	api.Token
	State  map[string]any // of the partial "state"
	Active bool
	Bounds []string // what the token is bound to, in words
}

func tokenRowOf(t api.Token, now time.Time) tokenRow {
	row := tokenRow{Token: t}
	switch {
	case t.Revoked != nil:
		row.State = map[string]any{"Text": "Revoked"}
	case t.Expires != nil && !now.Before(*t.Expires):
		row.State = map[string]any{"Text": "Expired"}
	default:
		row.Active, row.State = true, map[string]any{"Text": "Active", "Tone": "good"}
	}
	if n := len(t.EndpointIDs); n == 1 {
		row.Bounds = append(row.Bounds, "1 endpoint")
	} else if n > 1 {
		row.Bounds = append(row.Bounds, strconv.Itoa(n)+" endpoints")
	}
	if t.Project != "" {
		row.Bounds = append(row.Bounds, "project "+t.Project)
	}
	if t.Execution != "" {
		row.Bounds = append(row.Bounds, "execution "+t.Execution)
	}
	row.Bounds = append(row.Bounds, t.Networks...)
	return row
}

// account is GET /ui/account: who I am, my tokens and my sessions.
func (s *UI) account(c *call) error {
	me, err := c.rest.Self(c.ctx())
	if err != nil {
		return err
	}
	tokens, err := c.rest.AllTokens(c.ctx(), me.ID)
	if err != nil {
		return err
	}
	rows := []tokenRow{}
	for _, t := range tokens {
		if row := tokenRowOf(t, s.Now()); row.Active || c.r.URL.Query().Has("all") {
			rows = append(rows, row)
		}
	}
	sessions, err := c.rest.AllSessions(c.ctx(), me.ID)
	if err != nil {
		return err
	}
	for i := range sessions {
		sessions[i].Current = sessions[i].ID == c.session.ID
		sessions[i].Browser = browserName(sessions[i].Browser)
	}
	organizations, err := c.rest.ListOrganizations(c.ctx(), url.Values{"limit": {"1000"}})
	if err != nil {
		return err
	}
	names := []string{}
	for _, o := range organizations.Organizations {
		if contains(me.OrganizationIDs, o.ID) {
			names = append(names, o.Name)
		}
	}
	return c.page("account", "My account", map[string]any{
		"Self": me, "Tokens": rows, "Ended": len(tokens) - len(rows), "Sessions": sessions, "Organizations": names,
	})
}

// Times for which tokens are made.
var tokenTimes = []option{
	{"7", "7 days", ""}, {"30", "30 days", ""}, {"90", "90 days", ""}, {"365", "1 year", ""}, {"never", "Never", ""},
}

// tokenFields are the fields of a form for a token.
func tokenFields() []*field {
	return []*field{
		{Name: "name", Label: "Name", Required: true, Focus: true, Placeholder: "notebook", Help: "What the token is for, to know it again later."},
		{Name: "expires", Label: "Expires after", Kind: kindChoice, Value: "90", Options: tokenTimes, Required: true},
		{Name: "endpointNames", Label: "Endpoints", Kind: kindLong, More: true, Help: "Names, one a line: the token works for these only. Empty: for all that its user may use."},
		{Name: "networks", Label: "Networks", Kind: kindLong, More: true, Placeholder: "10.0.0.0/8", Help: "Addresses in CIDR form, one a line, from which the token is taken. Empty: from anywhere."},
		{Name: "project", Label: "Project", More: true},
		{Name: "execution", Label: "Execution", More: true, Help: "A workspace or run that the calls belong to."},
	}
}

// tokenOf is what a token's form asks for.
func tokenOf(f *form, now time.Time) api.NewToken {
	t := api.NewToken{
		Name: f.value("name"), Project: f.value("project"), Execution: f.value("execution"),
		EndpointNames: f.list("endpointNames"), Networks: f.list("networks"),
	}
	if days, err := strconv.Atoi(f.value("expires")); err == nil {
		end := now.AddDate(0, 0, days).UTC().Truncate(time.Second)
		t.Expires = &end
	}
	return t
}

// newToken is GET and POST /ui/account/tokens/new. The token is shown in the
// answer, and never again.
func (s *UI) newToken(c *call) error {
	f := &form{Title: "New token", Action: "/ui/account/tokens/new", Submit: "Create token", Back: accountPath, Fields: tokenFields()}
	if !c.post() {
		q := c.r.URL.Query()
		f.field("name").Value, f.field("endpointNames").Value = q.Get("name"), q.Get("endpoint")
		return c.form(f)
	}
	f.read(c.r)
	made, err := c.rest.CreateToken(c.ctx(), tokenOf(f, s.Now()))
	if err != nil {
		return c.again(f, err)
	}
	return c.issued(made, accountPath)
}

// issued shows a new token, once.
func (c *call) issued(t api.IssuedToken, back string) error {
	return c.page("issued", "New token", map[string]any{"Token": t, "Back": back})
}

// revokeOwnToken is GET and POST /ui/account/tokens/{id}/revoke.
func (s *UI) revokeOwnToken(c *call) error {
	f := confirm("Revoke this token?", "Programs that use it are refused from the next call on. This can't be undone.",
		"/ui/account/tokens/"+url.PathEscape(c.r.PathValue("id"))+"/revoke", "Revoke", accountPath)
	if !c.post() {
		return c.form(f)
	}
	t, err := c.rest.RevokeToken(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.done(accountPath, "The token "+t.Name+" was revoked.")
}

// endOwnSession is GET and POST /ui/account/sessions/{id}/end.
func (s *UI) endOwnSession(c *call) error {
	f := confirm("Sign out of this browser?", "Whoever uses it must sign in again.",
		"/ui/account/sessions/"+url.PathEscape(c.r.PathValue("id"))+"/end", "Sign out", accountPath)
	if !c.post() {
		return c.form(f)
	}
	if err := c.rest.EndSession(c.ctx(), c.r.PathValue("id")); err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	return c.done(accountPath, "The browser was signed out.")
}

// endOwnSessions is GET and POST /ui/account/sessions/end.
func (s *UI) endOwnSessions(c *call) error {
	f := confirm("Sign out everywhere?", "All browsers are signed out, this one too. Tokens go on working.",
		"/ui/account/sessions/end", "Sign out everywhere", accountPath)
	if !c.post() {
		return c.form(f)
	}
	if _, err := c.rest.EndSessions(c.ctx(), c.caller.UserID); err != nil {
		return err
	}
	return c.redirect("/ui/sign-in?ended=out")
}

func isStatus(err error, status int) bool {
	e, ok := err.(*client.Error) //nolint:errorlint // the client returns it as it is
	return ok && e.Status == status
}
