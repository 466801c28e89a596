package ui

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"sluice/internal/admin"
	"sluice/internal/client"
	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/policies"
)

// call is one request on its way through a page. It is used by the request's
// goroutine only.
type call struct {
	s    *UI
	w    *writer
	r    *http.Request
	rest *client.Client

	id     string // the exchange id
	client string // the browser's address, as Envoy saw it

	// Nil where nobody has signed in.
	session *session.Session
	caller  *identity.Caller
	ended   error // why there is no session

	allowed map[[2]string]string // answers of scope
}

// ctx is the context for REST, on behalf of who has signed in.
func (c *call) ctx() context.Context {
	return admin.As(c.r.Context(), c.caller, c.client, identity.CertificateOf(c.r.Header.Values))
}

func (c *call) post() bool { return c.r.Method == http.MethodPost }

// htmx reports whether htmx asks, and not the browser itself.
func (c *call) htmx() bool { return c.r.Header.Get("HX-Request") == "true" }

// scope is what the policy lets the caller touch with a REST call: "" for
// nothing, or one of policies.Scope….
func (c *call) scope(resource, verb string) string {
	if c.caller == nil {
		return ""
	}
	key := [2]string{resource, verb}
	if s, ok := c.allowed[key]; ok {
		return s
	}
	d, err := c.s.Policy.Decide(c.r.Context(), &policies.Input{
		Action: policies.ActionAPI, Caller: c.caller, Resource: resource, Verb: verb,
		SourceAddress: c.client, Time: c.s.Now(),
	})
	scope := ""
	if err == nil && d.Allow {
		scope, _ = d.Obligations[policies.ObligationScope].(string)
	}
	if c.allowed == nil {
		c.allowed = map[[2]string]string{}
	}
	c.allowed[key] = scope
	return scope
}

// may reports whether the caller may do verb to every thing of a kind.
func (c *call) may(resource, verb string) bool { return c.scope(resource, verb) == policies.ScopeAll }

// redirect leads the browser to a path of this UI, also out of a dialog.
func (c *call) redirect(to string) error {
	if c.htmx() {
		c.w.Header().Set("HX-Redirect", to)
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(c.w, c.r, to, http.StatusSeeOther)
	return nil
}

// done ends a change: it leads to a page, on which the toast is shown.
func (c *call) done(to, toast string) error {
	c.setCookie(toastCookie, url.QueryEscape(toast), 60)
	return c.redirect(to)
}

const (
	toastCookie = "__Host-sluice-toast"
	themeCookie = "__Host-sluice-theme"
)

func (c *call) setCookie(name, value string, seconds int) {
	http.SetCookie(c.w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// toast takes the toast that the last change left.
func (c *call) toast() string {
	k, err := c.r.Cookie(toastCookie)
	if err != nil || c.htmx() && c.r.Header.Get("HX-Boosted") == "" {
		return ""
	}
	c.setCookie(toastCookie, "", -1)
	text, err := url.QueryUnescape(k.Value)
	if err != nil || len(text) > 500 {
		return ""
	}
	return text
}

// theme is "light", "dark", or "" to follow the system.
func (c *call) theme() string {
	if k, err := c.r.Cookie(themeCookie); err == nil && (k.Value == "light" || k.Value == "dark") {
		return k.Value
	}
	return ""
}

// setTheme is POST /ui/theme.
func (s *UI) setTheme(c *call) error {
	theme := c.r.PostFormValue("theme")
	if theme == "light" || theme == "dark" {
		c.setCookie(themeCookie, theme, 400*24*3600)
	} else {
		c.setCookie(themeCookie, "", -1)
	}
	if c.r.Header.Get("X-Requested-With") == "fetch" {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.redirect(ownPath(c.r.PostFormValue("next")))
}

// ownPath returns a path of this UI as it is, and /ui/ for anything else, so
// that no link leads a person out of the gateway.
func ownPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(p, "/ui/") || strings.ContainsAny(p, "\\\r\n\t") || strings.Contains(u.Path, "//") {
		return "/ui/"
	}
	return p
}

// origin is the gateway's address as the browser sees it.
func (c *call) origin() string {
	scheme := "https"
	if c.r.Header.Get("X-Forwarded-Proto") == "http" {
		scheme = "http"
	}
	return scheme + "://" + c.r.Host
}

// masked begins a token under a mask; no other token begins so.
const masked = "~"

// maskCSRF returns the token under a fresh mask, so that the size of compressed
// pages tells nothing about it.
func maskCSRF(token string) string {
	if token == "" {
		return ""
	}
	mask := make([]byte, len(token), 2*len(token))
	_, _ = rand.Read(mask) // it never fails
	for i := range len(token) {
		mask = append(mask, mask[i]^token[i])
	}
	return masked + base64.RawURLEncoding.EncodeToString(mask)
}

// unmaskCSRF undoes maskCSRF; what is not masked stays as it is.
func unmaskCSRF(shown string) string {
	text, ok := strings.CutPrefix(shown, masked)
	if !ok {
		return shown
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b)%2 != 0 {
		return ""
	}
	plain := make([]byte, len(b)/2)
	subtle.XORBytes(plain, b[:len(plain)], b[len(plain):])
	return string(plain)
}
