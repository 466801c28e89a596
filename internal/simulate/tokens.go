package simulate

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Tokens are the access tokens that a token endpoint issued and that an API
// accepts until they end. It is safe for concurrent use.
type Tokens struct {
	mu     sync.Mutex // guards the following fields
	ends   map[string]time.Time
	issued int
}

// NewTokens returns an empty set.
func NewTokens() *Tokens { return &Tokens{ends: map[string]time.Time{}} }

// Issued is how many tokens were issued.
func (t *Tokens) Issued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issued
}

// Revoke ends all tokens at once.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.ends)
}

// issue makes a token that no other is equal to.
func (t *Tokens) issue(prefix string, ends time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued++
	token := prefix + idOf(fmt.Appendf(nil, "%s %d", prefix, t.issued))
	t.ends[token] = ends
	return token
}

func (t *Tokens) valid(token string, now time.Time) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.ends[token])
}

// OAuthClient is who may ask a token endpoint by client credentials (RFC 6749
// section 4.4).
type OAuthClient struct{ ID, Secret string }

// tokenLife is how long an issued token is accepted.
const tokenLife = time.Hour

// oauthForm reads the form of a token request.
func oauthForm(r *Received) (url.Values, bool) {
	form, err := url.ParseQuery(string(r.Body))
	return form, err == nil && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
}

// oauthError is a refusal in the shape of RFC 6749 section 5.2.
func oauthError(status int, code, description string) reply {
	return reply{status: status, header: jsonHeader(),
		body: marshal(map[string]string{"error": code, "error_description": description})}
}

// formDecoded undoes the encoding that RFC 6749 section 2.3.1 asks for in Basic.
func formDecoded(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// clientToken answers a client-credentials request whose client authenticates
// in the form, or by Basic where basic is set. scope must be the one given.
func clientToken(r *Received, e env, c OAuthClient, basic bool, scope string) (string, reply) {
	form, ok := oauthForm(r)
	if !ok || form.Get("grant_type") != "client_credentials" {
		return "", oauthError(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials.")
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if basic {
		named := http.Request{Header: r.Header}
		id, secret, _ = named.BasicAuth()
		id, secret = formDecoded(id), formDecoded(secret)
	}
	switch {
	case id != c.ID || secret != c.Secret || id == "":
		return "", oauthError(http.StatusUnauthorized, "invalid_client", "Client authentication failed.")
	case scope != "" && form.Get("scope") != scope:
		return "", oauthError(http.StatusBadRequest, "invalid_scope", fmt.Sprintf("The scope %q is not valid.", form.Get("scope")))
	case e.tokens == nil:
		return "", oauthError(http.StatusInternalServerError, "server_error", "This stand-in was started without Tokens.")
	}
	return e.tokens.issue("oauth-", e.now.Add(tokenLife)), reply{}
}
