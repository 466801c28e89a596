// Package jsontext reads JSON as text: it checks it within bounds, finds the
// top-level members by position so that they can be replaced in place, and
// cuts it into a tree whose leaves are slices of the input. Nothing is decoded
// that nobody asks for.
package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Bounds of what is accepted.
const (
	MaxDepth  = 128  // levels of nesting
	MaxNumber = 4300 // characters of a number; Python's own limit for integers

	MaxMembers = 10_000 // top-level members of an object
)

// Fault says what is wrong with a text.
type Fault int

// The faults.
const (
	FaultSyntax   Fault = iota + 1 // not JSON (RFC 8259)
	FaultEncoding                  // not UTF-8
	FaultDepth                     // nested deeper than MaxDepth
	FaultNumber                    // a number longer than MaxNumber
	FaultMembers                   // more than MaxMembers
)

// Error is a fault and where it is.
type Error struct {
	Fault  Fault
	Offset int // in bytes
}

func (e *Error) Error() string {
	switch e.Fault {
	case FaultEncoding:
		return "the text is not UTF-8"
	case FaultDepth:
		return "the text is nested too deeply"
	case FaultNumber:
		return "a number is too long"
	case FaultMembers:
		return "the object has too many members"
	}
	return "the text is not JSON"
}

// Member is one top-level member of an object, by positions in its text.
type Member struct {
	Key        string // unescaped
	KeyStart   int    // of the key's opening quote
	Start, End int    // of the value
}

// Members are the top-level members of an object, in order.
type Members []Member

// Find returns the first member with a key.
func (m Members) Find(key string) (Member, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i], true
		}
	}
	return Member{}, false
}

// Value is the text of a member's value in body, the text that was scanned;
// nil if there is no such member.
func (m Members) Value(body []byte, key string) []byte {
	if f, ok := m.Find(key); ok {
		return body[f.Start:f.End]
	}
	return nil
}

// Scan checks that b is one JSON value within the bounds. If it is an object,
// its members are returned. It takes time in proportion to b and memory only
// for the members.
func Scan(b []byte) (Members, *Error) { return ScanInto(nil, b) }

// ScanInto is Scan with the members written over those of m, whose memory is
// used again.
func ScanInto(m Members, b []byte) (Members, *Error) {
	if !utf8.Valid(b) {
		return nil, &Error{FaultEncoding, validPrefix(b)}
	}
	s := scanner{b: b, members: m[:0]}
	if f := s.run(); f != 0 {
		return nil, &Error{f, s.i}
	}
	return s.members, nil
}

func validPrefix(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

type scanner struct {
	b       []byte
	i       int            // position; where the fault is, after one
	depth   int            // open containers
	object  [MaxDepth]bool // whether each open container is an object
	members Members
}

func (s *scanner) run() Fault {
	for {
		opened, f := s.value()
		if f != 0 {
			return f
		}
		if opened {
			continue
		}
		more, f := s.after()
		if f != 0 || !more {
			return f
		}
	}
}

// value reads a scalar, or the opening of a container that is not empty, up
// to its first value.
func (s *scanner) value() (opened bool, f Fault) {
	s.space()
	if s.i == len(s.b) {
		return false, FaultSyntax
	}
	if s.depth == 1 && s.object[0] {
		s.members[len(s.members)-1].Start = s.i
	}
	switch c := s.b[s.i]; c {
	case '{', '[':
		return s.open(c == '{')
	case '"':
		return false, s.str()
	case 't':
		return false, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return false, s.word("null")
	default:
		return false, s.number()
	}
}

func (s *scanner) open(object bool) (opened bool, f Fault) {
	if s.depth == MaxDepth {
		return false, FaultDepth
	}
	s.object[s.depth] = object
	s.depth++
	s.i++
	s.space()
	if s.i < len(s.b) && s.b[s.i] == closer(object) {
		s.i++
		s.depth--
		return false, 0
	}
	if object {
		return true, s.key()
	}
	return true, 0
}

// after reads what follows a value: closings, then a comma and, in an object,
// the next key. more is false at the end of the text.
func (s *scanner) after() (more bool, f Fault) {
	for {
		if s.depth == 1 && s.object[0] {
			s.members[len(s.members)-1].End = s.i
		}
		s.space()
		if s.depth == 0 {
			if s.i < len(s.b) {
				return false, FaultSyntax
			}
			return false, 0
		}
		if s.i == len(s.b) {
			return false, FaultSyntax
		}
		object := s.object[s.depth-1]
		switch s.b[s.i] {
		case ',':
			s.i++
			if object {
				return true, s.key()
			}
			return true, 0
		case closer(object):
			s.i++
			s.depth--
		default:
			return false, FaultSyntax
		}
	}
}

func (s *scanner) key() Fault {
	s.space()
	start := s.i
	if s.i == len(s.b) || s.b[s.i] != '"' {
		return FaultSyntax
	}
	if f := s.str(); f != 0 {
		return f
	}
	if s.depth == 1 {
		if len(s.members) == MaxMembers {
			return FaultMembers
		}
		if s.members == nil {
			s.members = make(Members, 0, 8)
		}
		s.members = append(s.members, Member{Key: keyOf(s.b[start:s.i]), KeyStart: start})
	}
	s.space()
	if s.i == len(s.b) || s.b[s.i] != ':' {
		return FaultSyntax
	}
	s.i++
	return 0
}

// keyOf is Unquote without an allocation for the keys that replies and
// chunks have.
func keyOf(lit []byte) string {
	switch string(lit) {
	case `"id"`:
		return "id"
	case `"object"`:
		return "object"
	case `"created"`:
		return "created"
	case `"model"`:
		return "model"
	case `"choices"`:
		return "choices"
	case `"usage"`:
		return "usage"
	case `"service_tier"`:
		return "service_tier"
	case `"system_fingerprint"`:
		return "system_fingerprint"
	case `"obfuscation"`:
		return "obfuscation"
	case `"index"`:
		return "index"
	case `"message"`:
		return "message"
	case `"delta"`:
		return "delta"
	case `"role"`:
		return "role"
	case `"content"`:
		return "content"
	case `"refusal"`:
		return "refusal"
	case `"tool_calls"`:
		return "tool_calls"
	case `"logprobs"`:
		return "logprobs"
	case `"finish_reason"`:
		return "finish_reason"
	}
	return Unquote(lit)
}

func (s *scanner) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

func (s *scanner) word(w string) Fault {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return FaultSyntax
	}
	s.i += len(w)
	return 0
}

func (s *scanner) str() Fault {
	i := s.i + 1
	for {
		i = plain(s.b, i)
		if i == len(s.b) {
			s.i = i
			return FaultSyntax
		}
		switch s.b[i] {
		case '"':
			s.i = i + 1
			return 0
		case '\\':
			n := escape(s.b[i:])
			if n == 0 {
				s.i = i
				return FaultSyntax
			}
			i += n
		default: // a control character
			s.i = i
			return FaultSyntax
		}
	}
}

func (s *scanner) number() Fault {
	n := numberLen(s.b[s.i:])
	if n == 0 {
		return FaultSyntax
	}
	if n > MaxNumber {
		return FaultNumber
	}
	s.i += n
	return 0
}

// numberLen is the length of the number that b starts with; 0: none.
func numberLen(b []byte) int {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := digits(b[i:])
	if whole == 0 || whole > 1 && b[i] == '0' {
		return 0
	}
	i += whole
	if i < len(b) && b[i] == '.' {
		n := digits(b[i+1:])
		if n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := digits(b[i:])
		if n == 0 {
			return 0
		}
		i += n
	}
	return i
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// escape is the length of the escape that b starts with; 0: none that JSON has.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && hex4(b[2:6]) >= 0 {
			return 6
		}
	}
	return 0
}

// plain returns the position at or after i of the first byte that is not
// plain inside a string: a quote, a backslash or a control character.
func plain(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		quote := x ^ ones*'"'
		slash := x ^ ones*'\\'
		// Each term has the high bit set in the bytes it looks for. Borrows
		// can set it too, but only in bytes after the first that is right.
		hit := ((x - ones*0x20) &^ x) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
		if hit &= highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
		i += 8
	}
	for i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

func closer(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
