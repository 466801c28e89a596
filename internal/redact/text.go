package redact

import (
	"bytes"
	"strings"
	"unsafe"
)

// Classes of bytes.
const (
	letter = 1 << iota
	digit
	underscore
	upper
	trigger // what is looked at where it stands outside of words
)

var classes = func() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = letter, letter|upper
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = digit
	}
	t['_'] = underscore
	for _, c := range "@%+([-:=" {
		t[c] = trigger
	}
	return t
}()

const word = letter | digit | underscore

func isWord(c byte) bool  { return classes[c]&word != 0 }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// scanner looks for what the detectors find in one text. Every step looks at a
// bounded number of bytes around it, so the whole takes time in proportion to
// the text.
type scanner struct {
	*job
	b     []byte
	about []byte // the key whose value the text is, if any
	edits []edit
	done  int // what is before was replaced

	tokenStart, tokenEnd int // the last run of characters of tokens that was measured
	noEnd                bool

	base64 run // the last one that was looked at

	groups     groups // of the number that begins at groupsFrom; -1: of none
	groupsFrom int
	dialled    [maxPhone + 2]byte
	low        [2 * contextBytes]byte
	scratch    [36]byte
}

// scan is where all begins: words, and signs outside of words.
func (s *scanner) scan() []edit {
	b := s.b
	for i := 0; i < len(b); {
		class := classes[b[i]]
		if class == 0 {
			i++
			continue
		}
		if class&word == 0 {
			i = s.sign(i)
			continue
		}
		end, seen := i, uint8(0)
		for end < len(b) {
			c := classes[b[end]]
			if c&word == 0 {
				break
			}
			seen |= c
			end++
		}
		// Plain words are most of any text, and never a beginning; the others are
		// tokens, numbers, or are followed by what goes on with a token.
		if seen&(digit|underscore) != 0 || end-i >= minEncoded || end < len(b) && goesOn(b[i], b[end], end-i, seen) {
			i = max(s.word(i, end, seen), end)
			continue
		}
		i = end
	}
	return s.edits
}

// goesOn reports whether a plain word of n letters, by what follows it, can be
// the beginning of something: "sk-", "SG.", "Bearer ", "QQ 12 34 56 C".
func goesOn(first, next byte, n int, seen uint8) bool {
	switch next {
	case '-', '.', ':':
		return n <= 8
	case ' ':
		return n == 2 && seen&upper != 0 || n == 6 && first|0x20 == 'b'
	case '=':
		return n == 10 && first == 'A'
	}
	return false
}

// sign looks at a character that is in no word. It returns where to go on.
func (s *scanner) sign(i int) int {
	b := s.b
	switch b[i] {
	case '@':
		return s.email(i, 1)
	case '%':
		if i+2 < len(b) && b[i+1] == '4' && b[i+2] == '0' {
			return s.email(i, 3)
		}
	case '+', '(':
		return s.phone(i)
	case '[':
		if n := markAt(b[i:min(len(b), i+64)]); n > 0 {
			return i + n
		}
	case '-':
		if s.r.kinds.has(privateKey) && bytes.HasPrefix(b[i:], []byte("-----BEGIN ")) {
			return s.privateKey(i)
		}
		if s.r.kinds.has(urlPassword) {
			return s.account(i)
		}
	case '=':
		return s.named(i)
	case ':':
		if at := s.named(i); at > i+1 {
			return at
		}
		if s.r.kinds.has(urlPassword) && bytes.HasPrefix(b[i:], []byte("://")) {
			return s.url(i + 3)
		}
		if s.r.kinds.has(ipAddress) && i+1 < len(b) && b[i+1] == ':' {
			return s.ip(i)
		}
	}
	return i + 1
}

// word looks at the word from i to end. It returns where to go on, which may be
// within the word.
func (s *scanner) word(i, end int, seen uint8) int {
	if at := s.secret(i, end); at > i {
		return at
	}
	if end-i >= 8 {
		if at := s.encoded(i, end); at > i {
			return at
		}
	}
	if seen&digit == 0 {
		if s.r.kinds.has(ipAddress) && end < len(s.b) && s.b[end] == ':' {
			return s.ip(i)
		}
		return s.lettersFirst(i, end)
	}
	if s.r.kinds.has(ipAddress) && end < len(s.b) && (s.b[end] == '.' || s.b[end] == ':') {
		if at := s.ip(i); at > i {
			return at
		}
	}
	if isDigit(s.b[i]) {
		if at := s.number(i, end, seen); at > i {
			return at
		}
	}
	return s.lettersFirst(i, end)
}

// found puts a mark in place of bytes start to end. normal is what is hashed:
// the same for all ways in which a value may be written.
func (s *scanner) found(k kind, start, end int, normal []byte) int {
	if start < s.done {
		start = s.done
	}
	if start >= end {
		return end
	}
	s.edits = append(s.edits, edit{start, end, s.mark(k, normal)})
	s.done = end
	return end
}

// before is the byte before i; 0 at the beginning.
func (s *scanner) before(i int) byte {
	if i == 0 {
		return 0
	}
	return s.b[i-1]
}

// contextBytes is how far before a number a word may stand that says what it is.
const contextBytes = 40

// near reports whether one of the words, in lower case, stands shortly before
// i, or in the key whose value the text is.
func (s *scanner) near(i int, words ...string) bool {
	low := &s.low
	n := lower(low[:contextBytes], s.b[max(0, i-contextBytes):i])
	if i < contextBytes && len(s.about) > 0 {
		n += lower(low[n:], s.about[:min(len(s.about), contextBytes)])
	}
	for _, w := range words {
		for rest := unsafe.String(&low[0], n); n > 0; {
			at := strings.Index(rest, w)
			if at < 0 {
				break
			}
			// "tel" is not meant in "hotel" or "tell", "phone" is in "phonenumber".
			end := at + len(w)
			if (at == 0 || classes[rest[at-1]]&letter == 0) && (len(w) >= 5 || end == len(rest) || classes[rest[end]]&letter == 0) {
				return true
			}
			rest = rest[end:]
		}
	}
	return false
}

func lower(into, b []byte) int {
	n := copy(into, b)
	for i, c := range into[:n] {
		if c >= 'A' && c <= 'Z' {
			into[i] = c + 'a' - 'A'
		}
	}
	return n
}
