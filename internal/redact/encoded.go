package redact

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

const (
	// minEncoded is how many characters of base64 are looked at, at least.
	minEncoded = 12
	// maxEncoded is how often what was decoded is decoded again.
	maxEncoded = 3
	// maxTries bounds how often a run of characters is taken for base64 that
	// begins somewhere else in it.
	maxTries = 12
	// minLine is how long a line of base64 is that goes on in the next.
	minLine = 40
	// minFile is how long a file in base64 is that is passed over by its first
	// characters.
	minFile = 512
)

// sextets are the values of the characters of base64, of both alphabets; others
// are noSextet.
var sextets = func() (t [256]uint8) {
	for i := range t {
		t[i] = noSextet
	}
	const common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i, c := range []byte(common) {
		t[c] = uint8(i)
	}
	t['+'], t['-'], t['/'], t['_'] = 62, 62, 63, 63
	return t
}()

const noSextet = 0xff

// files are how pictures, sound, documents and archives begin in base64.
var files = []string{
	"iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "JVBERi0", "UEsDB", "H4sIA", "SUQz", "//uQ", "//NE", "T2dnU", "ZkxhQ", "GkXfo",
	"AAAAGGZ0eX", "AAAAHGZ0eX", "AAAAIGZ0eX", "/Td6WFo", "Qlpo", "KLUv/",
}

// run is a run of characters of base64.
type run struct {
	start, end int
	tries      int
}

// encoded looks at the word from i to end as a piece of base64 that stands for
// text: what is found in that is marked in it, and it is encoded again. It
// returns where to go on; i where nothing was found. Pictures and other files
// are passed over.
func (s *scanner) encoded(i, end int) int {
	if s.depth >= maxEncoded || s.layers >= maxLayers {
		return i
	}
	b := s.b
	if i >= s.base64.end {
		start := i
		for start > max(s.done, s.base64.end) && sextets[b[start-1]] != noSextet {
			start--
		}
		s.base64 = run{start: start, end: runEnd(b, start, end)}
		if s.base64.end-start >= minFile {
			for _, f := range files {
				if hasPrefix(b[start:], f) {
					return s.base64.end
				}
			}
		}
	}
	r := &s.base64
	if r.end-i < minEncoded || r.tries >= maxTries {
		return i
	}
	if r.tries == 0 && r.start < i {
		if at := s.decoded(r.start, r.end); at > 0 {
			return at
		}
	}
	if at := s.decoded(i, r.end); at > 0 {
		return at
	}
	if end < r.end { // what follows need not be a part of it: a path, a name
		if at := s.decoded(i, end); at > 0 {
			return at
		}
	}
	return i
}

// runEnd is where the run of characters of base64 ends that begins at start and
// goes on at least until from. It goes on over the ends of long lines.
func runEnd(b []byte, start, from int) int {
	line := start
	for {
		for from < len(b) && sextets[b[from]] != noSextet {
			from++
		}
		next := from
		for next < len(b) && next < from+2 && (b[next] == '\r' || b[next] == '\n') {
			next++
		}
		if next == from || from-line < minLine || next == len(b) || sextets[b[next]] == noSextet {
			return from
		}
		from, line = next, next
	}
}

// decoded looks at a run as base64. It returns where to go on where something
// was found in it; 0 where nothing was.
func (s *scanner) decoded(start, end int) int {
	s.base64.tries++
	plain, ok := textOf(s.b[start:end])
	if !ok {
		return 0
	}
	inner := job{r: s.r, place: s.place[:len(s.place):len(s.place)], depth: s.depth + 1, layers: s.layers + 1, mac: s.mac}
	edits := inner.body(plain)
	s.mac = inner.mac
	if len(edits) == 0 {
		s.base64.tries = max(s.base64.tries, maxTries-2) // it is what it is
		return 0
	}
	padded := end
	for padded < len(s.b) && padded < end+2 && s.b[padded] == '=' {
		padded++
	}
	s.edits = append(s.edits, edit{start, padded, recoded(apply(plain, edits), s.b[start:padded])})
	s.done = padded
	return padded
}

// textOf is the text that base64 stands for; ok is false where it stands for
// none: a picture, a key, or a word that is no base64. Of those a few characters
// are looked at.
func textOf(b []byte) (plain []byte, ok bool) {
	if !mayBeText(b) {
		return nil, false
	}
	plain = make([]byte, 0, len(b)/4*3+3)
	var bits uint32
	n, wrong := 0, 0
	checked := 0
	for _, c := range b {
		v := sextets[c]
		if v == noSextet {
			continue // the end of a line
		}
		bits = bits<<6 | uint32(v)
		if n++; n == 4 {
			plain = append(plain, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, n = 0, 0
			if len(plain)-checked >= 1024 {
				wrong += noText(plain[checked:])
				if checked = len(plain); wrong*8 > len(plain) {
					return nil, false
				}
			}
		}
	}
	switch n {
	case 2:
		plain = append(plain, byte(bits>>4))
	case 3:
		plain = append(plain, byte(bits>>10), byte(bits>>2))
	}
	wrong += noText(plain[checked:])
	if len(plain) < 24 && wrong > 0 || wrong*8 > len(plain) {
		return nil, false
	}
	return plain, true
}

// mayBeText reports whether the first nine bytes may begin a text: one of them
// may not be one of text.
func mayBeText(b []byte) bool {
	if len(b) < minEncoded {
		return false
	}
	wrong := 0
	for i := 0; i < minEncoded; i += 4 {
		if (sextets[b[i]]|sextets[b[i+1]]|sextets[b[i+2]]|sextets[b[i+3]])&0xc0 != 0 {
			return true // the end of a line: the rest tells
		}
		bits := uint32(sextets[b[i]])<<18 | uint32(sextets[b[i+1]])<<12 | uint32(sextets[b[i+2]])<<6 | uint32(sextets[b[i+3]])
		for _, c := range [3]byte{byte(bits >> 16), byte(bits >> 8), byte(bits)} {
			if control(c) || c >= 0xf5 || c == 0xc0 || c == 0xc1 {
				wrong++
			}
		}
	}
	return wrong <= 1
}

// control reports whether a character is none of text.
func control(c byte) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v' && c != '\b' && c != 0x1b || c == 0x7f
}

// noText counts the bytes that are none of text in UTF-8.
func noText(b []byte) (n int) {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if control(c) {
				n++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && utf8.FullRune(b[i:]) { // the last may be cut
			n++
		}
		i += size
	}
	return n
}

// recoded is text in base64 as like was written: its alphabet, padding and
// lines.
func recoded(plain, like []byte) []byte {
	encoding := base64.StdEncoding
	line := bytes.IndexAny(like, "\r\n")
	content := bytes.TrimRight(like, "=")
	padded := len(content) < len(like)
	if bytes.ContainsAny(content, "-_") {
		encoding = base64.URLEncoding
	}
	characters := len(content) - bytes.Count(content, []byte{'\n'}) - bytes.Count(content, []byte{'\r'})
	if !padded && characters%4 != 0 {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	out := encoding.AppendEncode(nil, plain)
	if line < 0 {
		return out
	}
	feed := []byte{'\n'}
	if like[line] == '\r' {
		feed = []byte("\r\n")
	}
	var lines []byte
	for len(out) > line {
		lines, out = append(append(lines, out[:line]...), feed...), out[line:]
	}
	return append(lines, out...)
}
