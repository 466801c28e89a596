package redact

import "bytes"

// Bounds of an address (RFC 5321).
const (
	maxLocal  = 64
	maxDomain = 255
)

// fileEndings stand where a top-level domain would: names of pictures with their
// resolution ("logo@2x.png").
var fileEndings = map[string]bool{"png": true, "jpg": true, "jpeg": true, "gif": true, "svg": true, "webp": true, "avif": true, "ico": true, "pdf": true}

// email looks at an @ (of one byte, or of three: %40 in a URL).
func (s *scanner) email(i, width int) int {
	if !s.r.kinds.has(email) {
		return i + width
	}
	b, start := s.b, i
	for start > s.done && i-start < maxLocal && isLocal(b[start-1]) {
		start--
	}
	for start < i && !isWord(b[start]) && b[start] < 0x80 {
		start++
	}
	if i > 1 && b[i-1] == '"' {
		start = s.quotedLocal(i - 1)
	}
	if start == i || b[i-1] == '.' {
		return i + width
	}
	end, dot := i+width, -1
	for end < len(b) && end-i < maxDomain && isDomain(b[end]) {
		if b[end] == '.' {
			dot = end
		}
		end++
	}
	// A full stop or a hyphen at the end is not the address's.
	for end > i+width && (b[end-1] == '.' || b[end-1] == '-') {
		if end--; dot == end {
			dot = bytes.LastIndexByte(b[i+width:end], '.')
			if dot >= 0 {
				dot += i + width
			}
		}
	}
	if dot <= i+width || end-dot < 3 || !isTop(b[dot+1:end]) || bytes.Contains(b[i+width:end], []byte("..")) {
		return i + width
	}
	if string(b[start:i]) == "git" && end < len(b) && b[end] == ':' { // git@host:path
		return end
	}
	normal := append(append(append([]byte(nil), b[start:i]...), '@'), b[i+width:end]...)
	return s.found(email, start, end, bytes.ToLower(normal))
}

// quotedLocal is where the quoted part of an address begins whose quotation mark
// at its end is at i ("john doe"@example.com), or behind i where it is none.
func (s *scanner) quotedLocal(i int) int {
	for start := i - 1; start >= s.done && i-start <= maxLocal && s.b[start] != '\n'; start-- {
		if s.b[start] == '"' {
			if start+1 == i {
				break
			}
			return start
		}
	}
	return i + 1
}

func isLocal(c byte) bool {
	return isWord(c) || c == '.' || c == '+' || c == '-' || c == '\'' || c >= 0x80
}

func isDomain(c byte) bool {
	return classes[c]&(letter|digit) != 0 || c == '.' || c == '-' || c >= 0x80
}

// isTop reports whether a label can be a top-level domain.
func isTop(b []byte) bool {
	for _, c := range b {
		if classes[c]&letter == 0 && c < 0x80 && c != '-' && !(isDigit(c) && bytes.HasPrefix(b, []byte("xn--"))) {
			return false
		}
	}
	return !fileEndings[string(bytes.ToLower(b))]
}
