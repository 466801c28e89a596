package ui

import (
	"net/http"
	"net/url"

	"sluice/internal/session"
	"sluice/internal/signin"
)

// signInPath is the sign-in page, which leads back to next and says why the
// session has ended.
func signInPath(next string, ended error) string {
	q := url.Values{}
	if next != "/ui/" {
		q.Set("return", next)
	}
	if reason := session.Reason(ended); reason != "" {
		q.Set("ended", reason)
	}
	if len(q) == 0 {
		return "/ui/sign-in"
	}
	return "/ui/sign-in?" + q.Encode()
}

// SignInPage writes the page for signing in; it is signin.Options.Render.
func (s *UI) SignInPage(w http.ResponseWriter, r *http.Request, p signin.Page) {
	c := s.call(w, r)
	defer c.w.end()
	c.headers()
	title := "Sign in"
	if p.Continue != "" {
		title = "Signed out"
	}
	err := c.pageStatus(p.Status, "signin", title, signInView{p, s.Provider})
	if err != nil {
		s.told(c, err)
	}
}

type signInView struct {
	signin.Page
	Provider string
}
