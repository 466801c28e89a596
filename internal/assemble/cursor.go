package assemble

import (
	"bytes"

	"sluice/extproc/dialect/jsontext"
)

// cursor walks over JSON that was found valid.
type cursor struct {
	b []byte
	i int
}

func at(b []byte) *cursor { return &cursor{b: b} }

// next is the next byte that is not white space; 0 at the end.
func (c *cursor) next() byte {
	for ; c.i < len(c.b); c.i++ {
		if b := c.b[c.i]; b > ' ' {
			return b
		}
	}
	return 0
}

// str moves over the string that begins here, and returns what is between its
// quotes.
func (c *cursor) str() []byte {
	c.i++
	start := c.i
	for {
		quote := bytes.IndexByte(c.b[c.i:], '"')
		slash := bytes.IndexByte(c.b[c.i:c.i+quote], '\\')
		if slash < 0 {
			c.i += quote + 1
			return c.b[start : c.i-1]
		}
		c.i += slash + 2
	}
}

// key moves to the next member of the object that the cursor is in, and returns
// its name; ok is false at the object's end, which it moves over. Before the
// first call the cursor is on the opening brace.
func (c *cursor) key() (name []byte, ok bool) {
	switch c.next() {
	case '{', ',':
		c.i++
	}
	if c.next() != '"' {
		c.i++
		return nil, false
	}
	name = c.str()
	c.next()
	c.i++ // the colon
	c.next()
	return name, true
}

// item moves to the next item of the array that the cursor is in, as key does.
func (c *cursor) item() bool {
	switch c.next() {
	case '[', ',':
		c.i++
	}
	if c.next() == ']' {
		c.i++
		return false
	}
	return true
}

// skip moves over the value that begins here and returns its text.
func (c *cursor) skip() []byte {
	c.next()
	start, depth := c.i, 0
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case '"':
			c.str()
		case '{', '[':
			depth++
			c.i++
		case '}', ']', ',':
			if depth == 0 {
				return bytes.TrimRight(c.b[start:c.i], " \r\n\t")
			}
			if c.b[c.i] != ',' {
				depth--
			}
			c.i++
		default:
			c.i++
			continue
		}
		if depth == 0 {
			break
		}
	}
	return c.b[start:c.i]
}

// member is the text of an object's member; nil where there is none.
func member(object []byte, name string) []byte {
	c := at(object)
	if c.next() != '{' {
		return nil
	}
	for {
		key, ok := c.key()
		if !ok {
			return nil
		}
		if string(key) == name {
			return c.skip()
		}
		c.skip()
	}
}

// first is the name and the text of the first member of an object; "" where
// there is none.
func first(object []byte) (name string, v []byte) {
	c := at(object)
	if c.next() != '{' {
		return "", nil
	}
	key, ok := c.key()
	if !ok {
		return "", nil
	}
	return string(key), c.skip()
}

// without is an object without a member. It is the object itself where there is
// no such member.
func without(object []byte, name string) []byte {
	if !bytes.Contains(object, []byte(name)) || !jsontext.Valid(object) {
		return object
	}
	c := at(object)
	if c.next() != '{' {
		return object
	}
	out := append(make([]byte, 0, len(object)), '{')
	for key, ok := c.key(); ok; key, ok = c.key() {
		v := c.skip()
		if string(key) == name {
			continue
		}
		out = append(append(append(append(jsontext.Comma(out), '"'), key...), `":`...), v...)
	}
	return append(out, '}')
}

// inside is what stands between the quotes of a string; nil of anything else.
func inside(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	return v[1 : len(v)-1]
}

// digits is a number that counts something; 0 where it is none.
func digits(v []byte) (n int64) {
	for _, d := range v {
		if d < '0' || d > '9' || n > 1<<40 {
			break
		}
		n = n*10 + int64(d-'0')
	}
	return n
}
