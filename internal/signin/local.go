package signin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
)

// home is where users go who come from nowhere.
const home = "/ui/"

// maxReturn bounds a path to return to, in bytes.
const maxReturn = 2048

// localPath is the path to return to, with its query: the one given where it
// is one of the web UI, else home. No address of another host comes out of it,
// however a browser may read it.
func localPath(given string) string {
	if len(given) > maxReturn || !strings.HasPrefix(given, home) ||
		strings.ContainsFunc(given, func(r rune) bool { return r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return home
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	// What is encoded is looked at decoded, where dot segments and doubled slashes
	// may hide.
	p := u.Path
	if strings.ContainsAny(p, "\\%") || strings.ContainsFunc(p, unicode.IsControl) || path.Clean(p) != strings.TrimSuffix(p, "/") {
		return home
	}
	if p == Path || strings.HasPrefix(p, Path+"/") || p == SignOutPath {
		return home
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// origin is the address by which the browser knows this gateway.
func origin(r *http.Request) string {
	scheme := r.Header.Get("X-Forwarded-Proto")
	if scheme != "http" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// cookieBrowser tells browsers apart before anybody has signed in. It binds the
// form for signing in, and the way to the identity provider and back, to the
// browser that began them.
const cookieBrowser = "__Host-sluice-browser"

// randomText makes 256 random bits.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// browserOf is the browser's cookie, "" for none.
func browserOf(r *http.Request) string {
	c, err := r.Cookie(cookieBrowser)
	if err != nil || len(c.Value) != len(randomText()) {
		return ""
	}
	return c.Value
}

// browserCookie is the browser's cookie, which is set where there is none.
func browserCookie(w http.ResponseWriter, r *http.Request) string {
	if value := browserOf(r); value != "" {
		return value
	}
	value := randomText()
	setCookie(w, cookieBrowser, value, 0)
	return value
}

func setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// formSecret is the secret of the form for signing in; "" for no browser.
func formSecret(browser string) string {
	if browser == "" {
		return ""
	}
	return derive(browser, "sign-in form")
}

func derive(browser, purpose string) string {
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte("sluice " + purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// tokenIn takes a token as people paste it: with spaces around, in quotes, or
// with "Bearer" before it.
func tokenIn(text string) string {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	if scheme, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "Bearer") {
		text = strings.TrimSpace(rest)
	}
	return text
}
