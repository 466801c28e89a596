package ui

// tokens is GET /ui/people/tokens: the tokens of all users.
func (s *UI) tokens(c *call) error {
	l := c.listing("-created", "name", "expires", "lastUsed")
	found, err := c.rest.ListTokens(c.ctx(), l.Query())
	if err != nil {
		return err
	}
	l.Total = found.Metadata.TotalCount
	rows := []tokenRow{}
	for _, t := range found.Tokens {
		rows = append(rows, tokenRowOf(t, s.Now()))
	}
	return c.page("tokens", "Tokens", map[string]any{"List": l, "Rows": rows, "Tabs": c.peopleTabs()})
}

// revokeToken is GET and POST /ui/people/tokens/{id}/revoke.
func (s *UI) revokeToken(c *call) error {
	t, err := c.rest.Token(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	back := ownPath(c.r.FormValue("back"))
	if back == "/ui/" {
		back = tokensPath
	}
	f := confirm("Revoke the token "+t.Name+" of "+t.UserName+"?", "Programs that use it are refused from the next call on. This can't be undone.",
		tokensPath+"/"+c.pathID()+"/revoke", "Revoke", back)
	f.Hidden = []option{{Value: "back", Label: back}}
	if !c.post() {
		return c.form(f)
	}
	if _, err := c.rest.RevokeToken(c.ctx(), t.ID); err != nil {
		return err
	}
	return c.done(back, "The token "+t.Name+" was revoked.")
}
