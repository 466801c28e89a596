package jsontext

import (
	"unicode/utf8"
)

// PythonError tells what Python's json.loads (3.11) says of a text that is not
// JSON: its message, and the position in characters. MLflow's server passes
// both on to its clients. NaN and Infinity, which Python takes, are errors here.
// b must be a text of which Scan said FaultSyntax: that also bounds its depth
// up to the fault.
func PythonError(b []byte) (message string, position int) {
	p := pyScanner{b: b}
	p.document()
	return p.message, utf8.RuneCount(b[:p.at])
}

// pyScanner follows CPython's Modules/_json.c: it stops at the same character
// for the same reason. Each method returns false when it stopped.
type pyScanner struct {
	b       []byte
	i       int
	message string
	at      int
}

func (p *pyScanner) fail(message string, at int) bool {
	p.message, p.at = message, at
	return false
}

func (p *pyScanner) document() bool {
	p.space()
	if !p.value() {
		return false
	}
	p.space()
	if p.i < len(p.b) {
		return p.fail("Extra data", p.i)
	}
	return true
}

func (p *pyScanner) value() bool {
	if p.i == len(p.b) {
		return p.fail("Expecting value", p.i)
	}
	switch p.b[p.i] {
	case '"':
		return p.str()
	case '{':
		return p.object()
	case '[':
		return p.array()
	}
	for _, w := range []string{"null", "true", "false"} {
		if len(p.b)-p.i >= len(w) && string(p.b[p.i:p.i+len(w)]) == w {
			p.i += len(w)
			return true
		}
	}
	return p.number()
}

// number takes the longest start that is a number: "1." is 1, with a rest.
func (p *pyScanner) number() bool {
	i := p.i
	if p.b[i] == '-' {
		i++
	}
	switch n := digits(p.b[i:]); {
	case n == 0:
		return p.fail("Expecting value", p.i)
	case p.b[i] == '0':
		i++
	default:
		i += n
	}
	if i < len(p.b) && p.b[i] == '.' {
		if n := digits(p.b[i+1:]); n > 0 {
			i += 1 + n
		}
	}
	if i < len(p.b) && (p.b[i] == 'e' || p.b[i] == 'E') {
		j := i + 1
		if j < len(p.b) && (p.b[j] == '+' || p.b[j] == '-') {
			j++
		}
		if n := digits(p.b[j:]); n > 0 {
			i = j + n
		}
	}
	p.i = i
	return true
}

func (p *pyScanner) str() bool {
	begin := p.i
	for p.i++; ; {
		p.i = plain(p.b, p.i)
		if p.i == len(p.b) {
			return p.fail("Unterminated string starting at", begin)
		}
		switch p.b[p.i] {
		case '"':
			p.i++
			return true
		case '\\':
			if p.i+1 == len(p.b) {
				return p.fail("Unterminated string starting at", begin)
			}
			n := escape(p.b[p.i:])
			// The character after \uXXXX must exist, else it is not looked at.
			if p.b[p.i+1] == 'u' && (n == 0 || p.i+n >= len(p.b)) {
				return p.fail("Invalid \\uXXXX escape", p.i+1)
			}
			if n == 0 {
				return p.fail("Invalid \\escape", p.i)
			}
			p.i += n
		default:
			return p.fail("Invalid control character at", p.i)
		}
	}
}

func (p *pyScanner) object() bool {
	p.i++
	p.space()
	if p.next() == '}' {
		p.i++
		return true
	}
	for {
		if p.next() != '"' {
			return p.fail("Expecting property name enclosed in double quotes", p.i)
		}
		if !p.str() {
			return false
		}
		p.space()
		if p.next() != ':' {
			return p.fail("Expecting ':' delimiter", p.i)
		}
		p.i++
		p.space()
		if !p.value() {
			return false
		}
		p.space()
		switch p.next() {
		case '}':
			p.i++
			return true
		case ',':
			p.i++
			p.space()
		default:
			return p.fail("Expecting ',' delimiter", p.i)
		}
	}
}

func (p *pyScanner) array() bool {
	p.i++
	p.space()
	if p.next() == ']' {
		p.i++
		return true
	}
	for {
		if !p.value() {
			return false
		}
		p.space()
		switch p.next() {
		case ']':
			p.i++
			return true
		case ',':
			p.i++
			p.space()
		default:
			return p.fail("Expecting ',' delimiter", p.i)
		}
	}
}

// next is the next byte, 0 at the end.
func (p *pyScanner) next() byte {
	if p.i == len(p.b) {
		return 0
	}
	return p.b[p.i]
}

func (p *pyScanner) space() {
	for p.i < len(p.b) && isSpace(p.b[p.i]) {
		p.i++
	}
}
