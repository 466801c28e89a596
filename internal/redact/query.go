package redact

import (
	"bytes"
	"slices"
)

// query finds what is in text that may be part of a URL: as it stands, and as
// what its escapes stand for.
func (j *job) query(b []byte) []edit {
	edits := j.loose(b, 0)
	if bytes.IndexByte(b, '%') < 0 {
		return edits
	}
	var plain []byte
	var at []int // where each byte of plain begins in b, and where the last ends
	for i := 0; i < len(b); {
		c, n := b[i], 1
		if v, ok := percent(b[i:]); ok {
			c, n = v, 3
		} else if c == '+' {
			c = ' '
		}
		plain, at = append(plain, c), append(at, i)
		i += n
	}
	at = append(at, len(b))
	inner := j.text(plain, nil)
	for i := range inner {
		inner[i].start, inner[i].end = at[inner[i].start], at[inner[i].end]
	}
	// What begins with the digits of an escape is not what it looks like.
	edits = slices.DeleteFunc(edits, func(e edit) bool {
		return e.start > 0 && b[e.start-1] == '%' || e.start > 1 && b[e.start-2] == '%'
	})
	return merge(inner, edits)
}

// percent reads %xx.
func percent(b []byte) (byte, bool) {
	if len(b) < 3 || b[0] != '%' {
		return 0, false
	}
	v, ok := hex4([]byte{'\\', 'u', '0', '0', b[1], b[2]})
	return byte(v), ok
}
