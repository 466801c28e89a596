// Package redact finds personal data and secrets in bodies and texts, and puts
// marks in their place: the kind of what was found and a keyed hash of it, so
// that equal values can be told to be equal and by nobody without the key to be
// what they are. JSON is edited in place and stays JSON. docs/audit.md names
// every detector with its rule.
package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// hashDigits is how many hexadecimal digits of the HMAC a mark has: 48 bits.
const hashDigits = 12

// Options say what is redacted.
type Options struct {
	// Detectors are names of detectors or of their groups (Names); none means
	// all that are not off by default.
	Detectors []string
	// Fields are paths of JSON members whose strings and numbers are replaced
	// whole, e.g. "messages.*.content". A * stands for one key or index; at the
	// beginning for any number of them, also none.
	Fields []string
	// Key makes the hashes in the marks. Without one, marks name the kind only.
	Key []byte
}

// Redactor redacts. Its methods may be called from any goroutine.
type Redactor struct {
	kinds  kindSet
	fields []path
	key    []byte
}

// New makes a Redactor. The error names a detector that there is not, or a path
// that can't be read.
func New(o Options) (*Redactor, error) {
	set, unknown := selected(o.Detectors)
	if unknown != "" {
		return nil, fmt.Errorf("detector %q is not known: want some of %s", unknown, strings.Join(Names(), ", "))
	}
	r := &Redactor{kinds: set, key: append([]byte(nil), o.Key...)}
	for _, text := range o.Fields {
		p, err := parsePath(text)
		if err != nil {
			return nil, err
		}
		r.fields = append(r.fields, p)
	}
	return r, nil
}

// Body is a request or response body, or a piece of one, without what was
// found. It is body itself where nothing was. It takes time in proportion to
// the body, and memory for a few copies of it at most.
func (r *Redactor) Body(body []byte) []byte {
	j := job{r: r}
	return apply(body, j.body(body))
}

// Text is a line of text, or the query of a URL, without what was found.
func (r *Redactor) Text(s string) string {
	j := job{r: r}
	edits := j.query([]byte(s))
	if len(edits) == 0 {
		return s
	}
	return string(apply([]byte(s), edits))
}

// mark is what stands in place of a value.
func (j *job) mark(k kind, normal []byte) []byte {
	name := detectors[k].Name
	b := append(make([]byte, 0, len(name)+hashDigits+3), '[')
	b = append(b, name...)
	if len(j.r.key) > 0 {
		if j.mac == nil {
			j.mac = hmac.New(sha256.New, j.r.key)
		}
		j.mac.Reset()
		j.buf = append(append(j.buf[:0], name...), 0)
		j.mac.Write(j.buf)
		j.mac.Write(normal)
		j.buf = j.mac.Sum(j.buf[:0])
		b = hex.AppendEncode(append(b, ':'), j.buf[:hashDigits/2])
	}
	return append(b, ']')
}

// markAt is the length of the mark at the start of b; 0 where there is none.
func markAt(b []byte) int {
	i := 1
	for i < len(b) && (b[i] >= 'a' && b[i] <= 'z' || b[i] == '_') && i < 24 {
		i++
	}
	if i == 1 || i == len(b) {
		return 0
	}
	name := string(b[1:i])
	if b[i] == ':' {
		for i++; i < len(b) && isHex(b[i]); i++ {
		}
	}
	if i == len(b) || b[i] != ']' {
		return 0
	}
	for _, d := range detectors {
		if d.Name == name && (i == len(name)+1 || i == len(name)+2+hashDigits) {
			return i + 1
		}
	}
	return 0
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// edit puts text in place of bytes start to end.
type edit struct {
	start, end int
	text       []byte
}

// apply makes edits, which are in order and do not overlap. Without any it
// returns b itself.
func apply(b []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return b
	}
	size := len(b)
	for _, e := range edits {
		size += len(e.text) - (e.end - e.start)
	}
	out, at := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(append(out, b[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, b[at:]...)
}
