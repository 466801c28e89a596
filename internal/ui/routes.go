package ui

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"sluice/internal/client"
	"sluice/internal/routing"
	"sluice/internal/session"
)

// route is one row of the table of pages.
type route struct {
	pattern string
	handle  func(*call) error
	open    bool // for those who have not signed in, too
}

// routes is the whole table. The mux answers HEAD where it answers GET.
func (s *UI) routes() []route {
	return slices.Concat(s.commonRoutes(), s.modelRoutes(), s.endpointRoutes(), s.accountRoutes(), s.peopleRoutes(), s.auditRoutes(), s.custodyRoutes(),
		s.adminEndpointRoutes(), s.targetRoutes(), s.credentialRoutes(),
		s.usageRoutes(), s.policyRoutes(), s.statusRoutes(), s.apiRoutes())
}

// both is a page with a form, and what the form is sent to.
func both(path string, handle func(*call) error) []route {
	return []route{{pattern: "GET " + path, handle: handle}, {pattern: "POST " + path, handle: handle}}
}

func (s *UI) commonRoutes() []route {
	return []route{
		{pattern: "GET /ui/assets/{file}", handle: s.asset, open: true},
		{pattern: "POST /ui/theme", handle: s.setTheme, open: true},
		{pattern: "GET /ui", handle: func(c *call) error { return c.redirect("/ui/") }, open: true},
	}
}

// maxBody bounds forms and the playground's conversations.
const maxBody = 4 << 20

var (
	errNotFound = &client.Error{Status: http.StatusNotFound, Message: "There is no such page."}
	errMethod   = &client.Error{Status: http.StatusMethodNotAllowed, Message: "This page can't be used in this way."}
)

func (s *UI) run(c *call) error {
	var rt *route
	status := http.StatusNotFound
	if routing.Clean(c.r.URL.Path) {
		rt, status, _ = s.table.Find(c.r)
	}
	if err := s.signedIn(c); err != nil {
		return err
	}
	if rt == nil || !rt.open {
		if c.session == nil {
			return c.toSignIn()
		}
	}
	switch {
	case rt == nil && status == http.StatusMethodNotAllowed:
		return errMethod
	case rt == nil:
		return errNotFound
	}
	return rt.handle(c)
}

// signedIn finds who asks, and takes unsafe requests only from the UI's own
// pages. A page that asks by itself does not keep the session alive.
func (s *UI) signedIn(c *call) error {
	find := s.Sessions.Guard
	if c.r.Method == http.MethodGet && c.r.Header.Get("X-Poll") != "" {
		find = s.Sessions.Peek
	}
	found, err := find(c.r)
	if session.Forged(err) {
		return &client.Error{Status: http.StatusForbidden, Code: "csrf", Message: sentence(err)}
	}
	if err != nil {
		c.ended = err
		return nil
	}
	c.session, c.caller = found, found.Caller
	return nil
}

func sentence(err error) string {
	s := strings.TrimRight(err.Error(), ".")
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// toSignIn sends a browser to the sign-in page, from where it comes back.
func (c *call) toSignIn() error {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead || c.r.Header.Get("Sec-Fetch-Dest") == "empty" && !c.htmx() {
		return &client.Error{Status: http.StatusUnauthorized, Message: "You are not signed in any more. Load the page again."}
	}
	return c.redirect(signInPath(c.r.URL.RequestURI(), c.ended))
}

// told shows an error as a page.
func (s *UI) told(c *call, err error) {
	if c.r.Context().Err() != nil || c.w.begun {
		panic(http.ErrAbortHandler) // the browser has left, or has a part
	}
	var e *client.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &e) && e.Status < http.StatusInternalServerError:
		c.failed(e.Status, e.Error())
	case errors.As(err, &e) && e.Status == http.StatusServiceUnavailable:
		c.failed(e.Status, e.Error())
	case errors.As(err, &large):
		c.failed(http.StatusRequestEntityTooLarge, "That is more than the gateway takes at once.")
	default:
		s.Log.Error("page not shown", zap.String("exchange", c.id), zap.String("route", c.r.Pattern), zap.Error(err))
		c.failed(http.StatusInternalServerError, "The gateway made a mistake. Give the request id to its administrators.")
	}
}
