package jsontext

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Unquote is the string that a JSON string literal stands for. The literal
// must be valid. A lone surrogate becomes U+FFFD.
func Unquote(lit []byte) string {
	body := lit[1 : len(lit)-1]
	i := plain(body, 0)
	if i == len(body) {
		return string(body)
	}
	out := make([]byte, 0, len(body))
	for {
		out = append(out, body[:i]...)
		if body = body[i:]; len(body) == 0 {
			return string(out)
		}
		if body[0] != '\\' { // a control character, which valid text has not
			return string(append(out, body...))
		}
		out, body = unescape(out, body)
		i = plain(body, 0)
	}
}

// unescape adds what the escape at the start of b stands for and returns the
// rest of b.
func unescape(out, b []byte) (added, rest []byte) {
	switch c := b[1]; c {
	case 'b':
		return append(out, '\b'), b[2:]
	case 'f':
		return append(out, '\f'), b[2:]
	case 'n':
		return append(out, '\n'), b[2:]
	case 'r':
		return append(out, '\r'), b[2:]
	case 't':
		return append(out, '\t'), b[2:]
	case 'u':
	default:
		return append(out, c), b[2:]
	}
	r := rune(hex4(b[2:6]))
	b = b[6:]
	if utf16.IsSurrogate(r) {
		low := rune(-1)
		if len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
			low = rune(hex4(b[2:6]))
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			b = b[6:]
		}
	}
	return utf8.AppendRune(out, r), b
}

func hex4(b []byte) int {
	n := 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		n = n<<4 | int(c)
	}
	return n
}

// AppendString adds s as a JSON string. Only what must be escaped is; bytes
// that are not UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	b = append(b, '"')
	for at := 0; ; at++ {
		end := plain(text, at)
		b = append(b, s[at:end]...)
		if end == len(s) {
			return append(b, '"')
		}
		b = appendEscape(b, s[end])
		at = end
	}
}

// appendEscape adds a character that can't stand in a string as it is.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
