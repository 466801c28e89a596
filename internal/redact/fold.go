package redact

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// folded is text with the letters, digits and signs of ASCII in place of others
// that look like them, and without what nobody sees: spaces that do not break,
// full-width digits, digits of other scripts, hyphens of typography, zero-width
// characters. It is b itself where there is nothing of that.
func folded(b []byte) ([]byte, bool) {
	for i := 0; i < len(b); i++ {
		for i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 == 0 {
			i += 8
		}
		if i == len(b) || b[i] < utf8.RuneSelf {
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if _, ok := lookalike(r); ok {
			return foldFrom(b, i), true
		}
		i += n - 1
	}
	return b, false
}

func foldFrom(b []byte, i int) []byte {
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for i < len(b) {
		if b[i] < utf8.RuneSelf {
			out = append(out, b[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		switch c, ok := lookalike(r); {
		case !ok:
			out = append(out, b[i:i+n]...)
		case c != 0:
			out = append(out, c)
		}
		i += n
	}
	return out
}

// lookalike is the character of ASCII that r stands for; 0: none, nobody sees it.
func lookalike(r rune) (c byte, ok bool) {
	switch {
	case r < 0xa0:
		return 0, false
	case r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x3000:
		return ' ', true
	case r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2064, r == 0xfeff:
		return 0, true
	case r >= 0x2010 && r <= 0x2013, r == 0x2212, r == 0xfe63:
		return '-', true
	case r == 0xfe6b:
		return '@', true
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!'), true
	case r > 0x3000 && r < 0xa620, r >= 0xac00 && r < 0xff00: // the many characters of East Asia
		return 0, false
	case r < 0x660 || !unicode.Is(unicode.Nd, r):
		return 0, false
	}
	return byte('0' + digitValue(r)), true
}

// digitValue is the value of a digit of any script: they come in runs of ten.
func digitValue(r rune) rune {
	for _, x := range unicode.Nd.R16 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return (r - rune(x.Lo)) % 10
		}
	}
	for _, x := range unicode.Nd.R32 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return (r - rune(x.Lo)) % 10
		}
	}
	return 0
}

// unfold moves edits of folded(b), which are in order, to where they are in b.
func unfold(b []byte, edits []edit) []edit {
	at, inner := 0, 0
	to := func(target int) int {
		for inner < target {
			if b[at] < utf8.RuneSelf {
				at, inner = at+1, inner+1
				continue
			}
			r, n := utf8.DecodeRune(b[at:])
			switch c, ok := lookalike(r); {
			case !ok:
				inner += n
			case c != 0:
				inner++
			}
			at += n
		}
		return at
	}
	for i := range edits {
		edits[i].start = to(edits[i].start)
		edits[i].end = to(edits[i].end)
	}
	return edits
}
