package extproc

import (
	"slices"
	"strings"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// leaving notes the credentials that were fetched for a request just before it
// leaves. Translators know a target's parameters, and keep those out of what
// they tell of a failure; these only the exchange knows.
func (x *exchange) leaving(headers [][2]string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range headers {
		if secret := secretOf(h); secret != "" && !slices.Contains(x.fetched, secret) {
			x.fetched = append(x.fetched, secret)
		}
	}
}

// secretOf is what of a header must not be repeated: a token, or of a signature
// the id of the key that made it.
func secretOf(h [2]string) string {
	switch strings.ToLower(h[0]) {
	case "x-amz-security-token":
		return h[1]
	case "authorization":
		if _, signed, ok := strings.Cut(h[1], "Credential="); ok {
			id, _, _ := strings.Cut(signed, "/")
			return id
		}
		_, token, _ := strings.Cut(h[1], " ")
		return token
	}
	return ""
}

// withoutFetched takes what was fetched out of a text that tells a failure.
func (x *exchange) withoutFetched(text string) string {
	x.mu.Lock()
	fetched := slices.Clone(x.fetched)
	x.mu.Unlock()
	if len(fetched) == 0 {
		return text
	}
	return kit.Scrub(text, fetched)
}

// scrub takes what was fetched out of a reply that tells a failure.
func (x *exchange) scrub(r *provider.Reply) {
	if r.Error == nil {
		return
	}
	if clean := x.withoutFetched(string(r.Body)); clean != string(r.Body) {
		r.Body, r.Unchanged = []byte(clean), false
	}
	e := *r.Error
	e.Message = x.withoutFetched(e.Message)
	r.Error = &e
}
