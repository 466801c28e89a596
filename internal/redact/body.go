package redact

import (
	"bytes"
	"hash"

	"sluice/extproc/dialect/jsontext"
)

// job is the redaction of one body.
type job struct {
	r     *Redactor
	place [][]byte // keys and indexes (nil) down to the value under way
	whole int      // values under way that are replaced whole, with all they hold
	join  *joiner  // of a stream
	mac   hash.Hash
	buf   []byte
	depth int // how often what is looked at was decoded

	layers  int // of escapes, percent-encoding and base64 that were taken off together
	percent int // how often the text under way was, of percent-encoding

	scanner scanner // of the text under way
}

// body finds what is to be replaced in a body of any kind.
func (j *job) body(b []byte) []edit {
	text := bytes.TrimLeft(b, " \r\n\t")
	switch {
	case len(text) == 0:
		return nil
	case text[0] == '{' || text[0] == '[':
		if jsontext.Valid(b) {
			return j.json(b, 0)
		}
		if line, _, _ := bytes.Cut(text, []byte{'\n'}); len(line) < len(text) && jsontext.Valid(line) {
			return j.lines(b)
		}
		next := bytes.TrimLeft(text[1:], " \r\n\t")
		if len(j.r.fields) > 0 && (text[0] == '{' || len(next) > 0 && contains("{[\"", next[0])) { // which can't be told from the rest
			return []edit{{0, len(b), j.mark(field, b)}}
		}
	case text[0] == '"' && jsontext.Valid(b):
		return j.json(b, 0)
	case isStream(text):
		return j.lines(b)
	case bytes.HasPrefix(text, []byte("--")):
		if edits, ok := j.multipart(b); ok {
			return edits
		}
	case b[0] <= 1:
		if edits, ok := j.frames(b); ok {
			return edits
		}
	case isForm(text):
		return j.query(b)
	}
	return j.loose(b, 0)
}

// isStream reports whether a body looks like Server-Sent Events.
func isStream(b []byte) bool {
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if hasPrefix(b, field) {
			return true
		}
	}
	return false
}

// multipart looks at the parts of a form one by one.
func (j *job) multipart(b []byte) (edits []edit, ok bool) {
	start := bytes.Index(b, []byte("--"))
	end := bytes.IndexByte(b[start:], '\n')
	if end < 3 || end > 80 {
		return nil, false
	}
	boundary := bytes.TrimRight(b[start:start+end], "\r\n")
	for at := start; at < len(b); {
		next := bytes.Index(b[at+len(boundary):], boundary)
		stop := len(b)
		if next >= 0 {
			stop = at + len(boundary) + next
		}
		part := b[at:stop]
		head := bytes.Index(part, []byte("\r\n\r\n"))
		if head < 0 {
			head = len(part)
		} else {
			head += 4
		}
		edits = appendShifted(edits, j.loose(part[:head], 0), at)
		content := bytes.TrimRight(part[head:], "\r\n")
		if !bytes.HasPrefix(content, []byte("--")) {
			edits = appendShifted(edits, j.body(content), at+head)
		} else {
			edits = appendShifted(edits, j.loose(content, 0), at+head)
		}
		at = stop
	}
	return edits, true
}

func appendShifted(edits, more []edit, by int) []edit {
	for _, e := range more {
		e.start += by
		e.end += by
		edits = append(edits, e)
	}
	return edits
}

// text finds what the detectors find in text as it reads. about is the key whose
// value it is.
func (j *job) text(b, about []byte) []edit {
	plain, differs := folded(b)
	edits := j.scan(plain, about)
	if differs {
		edits = unfold(b, edits)
	}
	if escapeAt(b) >= 0 {
		edits = j.unescapedToo(b, about, edits)
	}
	return edits
}

func (j *job) scan(b, about []byte) []edit {
	s := &j.scanner
	s.job, s.b, s.about, s.edits, s.done, s.noEnd = j, b, about, nil, 0, false
	s.tokenStart, s.tokenEnd, s.groupsFrom, s.base64 = 0, 0, -1, run{}
	return s.scan()
}
