package ui

import (
	"net/url"

	"sluice/internal/session"
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
