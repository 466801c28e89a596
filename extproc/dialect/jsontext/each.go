package jsontext

// Each calls fn with the text of each item of an array, which must be valid.
// Anything but an array has no items.
func Each(raw []byte, fn func(i int, item []byte)) {
	if len(raw) == 0 || raw[0] != '[' {
		return
	}
	p := parser{b: raw, i: 1}
	for i := 0; ; i++ {
		p.space()
		if p.b[p.i] == ',' {
			p.i++
			p.space()
		}
		if p.b[p.i] == ']' {
			return
		}
		start := p.i
		p.skip()
		fn(i, raw[start:p.i:p.i])
	}
}

// skip passes over one value.
func (p *parser) skip() {
	depth := 0
	for {
		switch p.b[p.i] {
		case '"':
			p.str()
		case '{', '[':
			depth++
			p.i++
		case '}', ']':
			depth--
			p.i++
		case ',', ':', ' ', '\t', '\r', '\n':
			p.i++
			continue
		default:
			for p.i < len(p.b) && !ends(p.b[p.i]) {
				p.i++
			}
		}
		if depth == 0 {
			return
		}
	}
}

// ends reports whether c can follow a number or a word.
func ends(c byte) bool { return c == ',' || c == ']' || c == '}' || c == ':' || isSpace(c) }
