package jsontext

// Edit is a replacement in a text: the bytes from Start to End become Text.
type Edit struct {
	Start, End int
	Text       string
}

// Apply makes edits, which must be in order and must not overlap, in a copy of
// b. All other bytes stay as they are.
func Apply(b []byte, edits ...Edit) []byte {
	size := len(b)
	for _, e := range edits {
		size += len(e.Text) - (e.End - e.Start)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, e := range edits {
		out = append(append(out, b[at:e.Start]...), e.Text...)
		at = e.End
	}
	return append(out, b[at:]...)
}

// Without is the edit that removes the i-th member of an object, with one of
// the commas around it.
func (m Members) Without(i int) Edit {
	switch {
	case i > 0:
		return Edit{Start: m[i-1].End, End: m[i].End}
	case len(m) > 1:
		return Edit{Start: m[0].KeyStart, End: m[1].KeyStart}
	}
	return Edit{Start: m[0].KeyStart, End: m[0].End}
}

// With is the edit that gives an object a member: it replaces the value of
// the member if there is one, else it adds one after the last. The object must
// have members.
func (m Members) With(key, value string) Edit {
	if f, ok := m.Find(key); ok {
		return Edit{Start: f.Start, End: f.End, Text: value}
	}
	last := m[len(m)-1].End
	return Edit{Start: last, End: last, Text: "," + string(AppendString(nil, key)) + ":" + value}
}

// AppendCompact adds the valid JSON text raw to b without the white space
// around its tokens.
func AppendCompact(b, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case isSpace(c):
			i++
		case c == '"':
			p := parser{b: raw, i: i}
			p.str()
			b = append(b, raw[i:p.i]...)
			i = p.i
		default:
			b = append(b, c)
			i++
		}
	}
	return b
}
