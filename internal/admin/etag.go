package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"sluice/extproc/dialect"
)

// etagOf makes the ETag of a state: whatever marshals to JSON and differs
// whenever the thing does. What changes by itself (when a user was last seen)
// does not belong into it.
func etagOf(state ...any) string {
	text, err := json.Marshal(state)
	if err != nil {
		panic(err) // states are texts, numbers and times
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// ofReader is what shownAs adds to an ETag.
var ofReader = regexp.MustCompile(`\.[\w-]+"`)

// replyVersioned replies with a thing and its ETag; a read whose If-None-Match
// names it is told 304 and no more.
func (c *call) replyVersioned(etag string, value any) error {
	if c.unchanged(etag) {
		return nil
	}
	return c.reply(http.StatusOK, value)
}

// unchanged sets the reply's ETag, and ends the reply with 304 where the client
// has what it would read.
func (c *call) unchanged(etag string) bool {
	c.w.Header().Set("ETag", etag)
	read := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if !read || !names(c.r.Header.Values("If-None-Match"), etag) {
		return false
	}
	c.w.WriteHeader(http.StatusNotModified)
	return true
}

// ifMatch refuses a change of a thing that is no longer what the client last
// saw. what names the thing in a sentence ("endpoint"). It is called under the
// lock under which the change is made.
func (c *call) ifMatch(what, etag string) error {
	want := slices.Clone(c.r.Header.Values("If-Match"))
	for i, line := range want {
		want[i] = ofReader.ReplaceAllString(line, `"`)
	}
	if len(want) == 0 || names(want, etag) {
		return nil
	}
	return &dialect.Error{
		Status: http.StatusPreconditionFailed, Code: "changed_meanwhile",
		Message: "The " + what + " was changed since you read it. Read it again and repeat your change.",
	}
}

// shownAs is the ETag of a reply that depends on more than the state of the
// thing that etag is of: on who reads it. A change takes either.
func shownAs(etag string, more ...any) string {
	return strings.TrimSuffix(etag, `"`) + "." + strings.Trim(etagOf(more...), `"`) + `"`
}

// names reports whether a header's list of ETags has one, or is "*". A weak one
// stands for its strong one: proxies that compress make them so.
func names(header []string, etag string) bool {
	for _, line := range header {
		for _, one := range strings.Split(line, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == etag || one == "*" {
				return true
			}
		}
	}
	return false
}
