package ui

import (
	"bytes"
	"net/http"
)

// view is what a template sees as ".".
type view struct {
	Title   string
	Data    any
	Path    string // of the request
	Address string // path and query, to come back to
	CSRF    string // for the hidden field csrf
	Theme   string // "light", "dark", or "" for the system's
	Toast   string
	Me      *person // nil: nobody has signed in
	Menu    []menuGroup
	Version string

	c *call
}

// person is who has signed in.
type person struct {
	ID, Name string
	Roles    []string
}

// page answers with the page of a template, which defines "main".
func (c *call) page(template, title string, data any) error {
	return c.pageStatus(http.StatusOK, template, title, data)
}

func (c *call) pageStatus(status int, template, title string, data any) error {
	return c.render(status, template, "layout", title, data)
}

// part answers with one block of a page's template, for htmx to put into a page
// that is open.
func (c *call) part(template, block string, data any) error {
	return c.render(http.StatusOK, template, block, "", data)
}

func (c *call) render(status int, template, block, title string, data any) error {
	v := &view{
		Title: title, Data: data, Path: c.r.URL.Path, Address: c.r.URL.RequestURI(), Theme: c.theme(),
		Version: c.s.Version, c: c,
	}
	if block == "layout" {
		v.Toast = c.toast()
	}
	if c.session != nil {
		v.CSRF = maskCSRF(c.session.CSRF)
		v.Me = &person{ID: c.caller.UserID, Name: c.caller.UserName, Roles: c.caller.Roles}
		v.Menu = c.menu()
	}
	var buf bytes.Buffer
	if err := c.s.pages.run(&buf, template, block, v); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(buf.Bytes())
	return nil
}

// problem is what the page of an error says.
type problem struct {
	Status            int
	Heading, Message  string
	RequestID, Symbol string
}

// failed answers with the page of an error. It must not fail itself.
func (c *call) failed(status int, message string) {
	p := problem{Status: status, Message: message, RequestID: c.id, Heading: "Something went wrong", Symbol: "triangle-alert"}
	switch status {
	case http.StatusForbidden:
		p.Heading, p.Symbol = "You may not see this", "lock"
	case http.StatusNotFound:
		p.Heading, p.Symbol = "Not found", "search"
	case http.StatusUnauthorized:
		p.Heading, p.Symbol = "Please sign in", "lock"
	case http.StatusServiceUnavailable:
		p.Heading, p.Symbol = "Not available at the moment", "clock"
	}
	if err := c.pageStatus(status, "problem", p.Heading, p); err != nil && !c.w.begun {
		http.Error(c.w, message, status)
	}
}
