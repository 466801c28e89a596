package redact

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLevels is how often text is looked at as if it were a JSON string once
// more: JSON in a string of JSON, and so on.
const maxLevels = 4

// maxLayers bounds all that is taken off one text together, in whatever order:
// each of them looks at the text once more.
const maxLayers = 4

// loose finds what is in text of which nobody knows what it is: as it stands,
// and, where it has backslashes, as what it would be inside of a JSON string.
// So a body that was cut off, or a piece of a tool's arguments, hides nothing.
func (j *job) loose(b []byte, level int) []edit { return j.looseAbout(b, nil, level) }

func (j *job) looseAbout(b, about []byte, level int) []edit {
	edits := j.text(b, about)
	if level >= maxLevels || j.layers >= maxLayers || bytes.IndexByte(b, '\\') < 0 {
		return edits
	}
	// What begins with the letter of an escape is for the next level to say.
	edits = slices.DeleteFunc(edits, func(e edit) bool {
		return e.start > 0 && b[e.start-1] == '\\' && contains("bfnrtu", b[e.start])
	})
	j.layers++
	inner := j.looseAbout(unescaped(b), about, level+1)
	j.layers--
	return merge(outside(b, inner, false), edits)
}

// merge adds those of b to a, and of those that overlap with some of a what is
// beside them: nothing that was found by either stays.
func merge(a, b []edit) []edit {
	if len(a) == 0 {
		return b
	}
	out, i := make([]edit, 0, len(a)+len(b)), 0
	for _, e := range b {
		for i < len(a) && a[i].end <= e.start {
			out = append(out, a[i])
			i++
		}
		for i < len(a) && a[i].start < e.end {
			if a[i].start > e.start {
				out = append(out, edit{e.start, a[i].start, e.text})
				e.text = nil
			}
			if e.start = a[i].end; a[i].end > e.end {
				break // it may overlap with the next as well
			}
			out = append(out, a[i])
			i++
		}
		if e.start < e.end {
			out = append(out, e)
		}
	}
	return append(out, a[i:]...)
}

// unit reads what stands at the start of b: a character as it is, or an escape.
// It returns how many bytes that is, and what it stands for where it is an
// escape. What only looks like an escape is a character.
func unit(b []byte) (n int, r rune, escape bool) {
	if b[0] != '\\' || len(b) < 2 {
		return 1, 0, false
	}
	switch b[1] {
	case '"', '\\', '/':
		return 2, rune(b[1]), true
	case 'b':
		return 2, '\b', true
	case 'f':
		return 2, '\f', true
	case 'n':
		return 2, '\n', true
	case 'r':
		return 2, '\r', true
	case 't':
		return 2, '\t', true
	case 'u':
		r, ok := hex4(b)
		if !ok {
			return 1, 0, false
		}
		if utf16.IsSurrogate(r) {
			low, ok := hex4(b[6:])
			if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
				return 12, pair, true
			}
			r = utf8.RuneError
		}
		return 6, r, true
	}
	return 1, 0, false
}

// hex4 reads \u and four digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case isHex(c | 0x20):
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescaped is what the inside of a JSON string stands for.
func unescaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		plain := bytes.IndexByte(b, '\\')
		if plain < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:plain]...), b[plain:]
		n, r, escape := unit(b)
		if escape {
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, b[0])
		}
		b = b[n:]
	}
	return out
}

// requote escapes the quotes of a mark, and the backslashes before them, once
// more.
func requote(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte{'\\'}, []byte(`\\`)), []byte{'"'}, []byte(`\"`))
}

// outside moves edits of unescaped(b) to where they are in b. quoted says that
// their texts may have quotes, which are escaped.
func outside(b []byte, edits []edit, quoted bool) []edit {
	at, inner := 0, 0
	to := func(target int) int {
		for inner < target {
			plain := bytes.IndexByte(b[at:], '\\')
			if plain < 0 || plain > target-inner {
				plain = target - inner
			}
			at, inner = at+plain, inner+plain
			if inner == target {
				break
			}
			n, r, escape := unit(b[at:])
			at += n
			if inner++; escape {
				inner += utf8.RuneLen(r) - 1
			}
		}
		return at
	}
	for i := range edits {
		edits[i].start = to(edits[i].start)
		edits[i].end = to(edits[i].end)
		e := &edits[i]
		if quoted {
			e.text = requote(e.text)
		}
		if bytes.IndexByte(e.text, '\n') >= 0 && bytes.IndexByte(b[e.start:e.end], '\n') < 0 { // lines of base64, which are escaped here
			e.text = bytes.ReplaceAll(bytes.ReplaceAll(e.text, []byte{'\r'}, []byte(`\r`)), []byte{'\n'}, []byte(`\n`))
		}
	}
	return edits
}
