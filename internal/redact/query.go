package redact

import (
	"bytes"
	"slices"
)

// maxPercent is how often a text is looked at without its percent-encoding: a
// URL within the query of another has it twice.
const maxPercent = 2

// query finds what is in text that may be part of a URL or a form, where a plus
// may stand for a space: as it stands, and as what its escapes stand for.
func (j *job) query(b []byte) []edit {
	edits := j.loose(b, 0)
	if escapeAt(b) >= 0 || bytes.IndexByte(b, '+') < 0 { // with escapes the pluses were looked at
		return edits
	}
	return j.unescapedToo(b, nil, edits)
}

// escapeAt is where the first %xx stands; -1: there is none.
func escapeAt(b []byte) int {
	for at := 0; ; at++ {
		n := bytes.IndexByte(b[at:], '%')
		if n < 0 {
			return -1
		}
		if at += n; percentAt(b[at:]) {
			return at
		}
	}
}

// unescapedToo adds to the edits of b those of what it stands for as a URL.
func (j *job) unescapedToo(b, about []byte, edits []edit) []edit {
	if j.percent >= maxPercent || j.layers >= maxLayers {
		return edits
	}
	plain := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		c, n := escaped(b, i)
		plain, i = append(plain, c), i+n
	}
	j.percent++
	j.layers++
	inner := j.text(plain, about)
	j.percent--
	j.layers--
	if len(inner) == 0 {
		return edits
	}
	at, of := 0, 0
	to := func(target int) int {
		for ; of < target; of++ {
			_, n := escaped(b, at)
			at += n
		}
		return at
	}
	for i := range inner {
		inner[i].start = to(inner[i].start)
		inner[i].end = to(inner[i].end)
	}
	// What begins with the digits of an escape is not what it looks like.
	edits = slices.DeleteFunc(edits, func(e edit) bool {
		return e.start > 0 && b[e.start-1] == '%' || e.start > 1 && b[e.start-2] == '%' && percentAt(b[e.start-2:])
	})
	return merge(notWithin(inner, edits), edits)
}

// notWithin are edits that are no part of one of others, which has more: the
// tag of an address, whose plus was taken for a space.
func notWithin(edits, others []edit) []edit {
	i := 0
	return slices.DeleteFunc(edits, func(e edit) bool {
		for i < len(others) && others[i].end < e.end {
			i++
		}
		return i < len(others) && others[i].start <= e.start && others[i].end-others[i].start > e.end-e.start
	})
}

// escaped is what stands at i in a URL, and how long it is: %xx, or a plus in
// place of a space. A plus that begins a value is one: of a telephone number.
func escaped(b []byte, i int) (c byte, n int) {
	switch {
	case b[i] == '%' && percentAt(b[i:]):
		r, _ := hex4([]byte{'\\', 'u', '0', '0', b[i+1], b[i+2]})
		return byte(r), 3
	case b[i] == '+' && i > 0 && b[i-1] > ' ' && !contains("=&?;:,\"'([", b[i-1]):
		return ' ', 1
	}
	return b[i], 1
}

// percentAt reports whether b begins with %xx.
func percentAt(b []byte) bool {
	return len(b) >= 3 && b[0] == '%' && isHexDigit(b[1]) && isHexDigit(b[2])
}

func isHexDigit(c byte) bool { return isDigit(c) || isHex(c|0x20) }

// isForm reports whether a body looks like a form: names and values with signs
// between, and no spaces.
func isForm(b []byte) bool {
	head := b[:min(len(b), 256)]
	return isWord(b[0]) && bytes.IndexByte(head, '=') > 0 && !bytes.ContainsAny(bytes.TrimRight(head, "\r\n"), " \r\n\t{<")
}
