package assemble

// maxItem is how many bytes one chunk of an array may have.
const maxItem = 8 << 20

// lister cuts a JSON array that arrives in pieces into its items. It looks at
// each byte once.
type lister struct {
	buf    []byte // the item under way
	depth  int    // 1: in the array, between items
	quoted bool
	escape bool
}

// feed takes the next bytes and calls fn for each object that they complete. It
// is false when the array can't be followed any more.
func (l *lister) feed(p []byte, fn func([]byte)) bool {
	start := 0
	for i, c := range p {
		switch {
		case l.escape:
			l.escape = false
		case l.quoted:
			l.escape, l.quoted = c == '\\', c != '"'
		case c == '"':
			l.quoted = true
		case c == '{' || c == '[':
			if l.depth++; l.depth == 2 {
				start = i
			}
		case c == '}' || c == ']':
			if l.depth--; l.depth == 1 {
				l.buf = append(l.buf, p[start:i+1]...)
				fn(l.buf)
				l.buf = l.buf[:0]
			}
			if l.depth < 0 {
				return false
			}
		}
	}
	if l.depth > 1 {
		l.buf = append(l.buf, p[start:]...)
	}
	return len(l.buf) <= maxItem
}
