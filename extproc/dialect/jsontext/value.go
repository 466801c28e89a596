package jsontext

// Kind is what a Value is.
type Kind uint8

// The kinds. Int is a number without fraction and exponent.
const (
	Null Kind = iota + 1
	False
	True
	Int
	Float
	String
	Array
	Object
)

// Value is a JSON value as a tree over its text.
type Value struct {
	Kind  Kind
	Raw   []byte   // its whole text
	Items []Value  // of an Array; the values of an Object
	Keys  []string // of an Object, unescaped, beside Items, each once
}

// Get returns the value of an object's key.
func (v *Value) Get(key string) (*Value, bool) {
	for i := range v.Keys {
		if v.Keys[i] == key {
			return &v.Items[i], true
		}
	}
	return nil, false
}

// Text is the string that a String stands for.
func (v *Value) Text() string { return Unquote(v.Raw) }

// Parse cuts b, which Scan must have accepted, into a tree. Of several equal
// keys in an object the last one's value is kept, as Python and most others do.
func Parse(b []byte) Value {
	p := parser{b: b}
	return p.value()
}

type parser struct {
	b []byte
	i int
}

func (p *parser) value() Value {
	p.space()
	start := p.i
	v := Value{}
	switch c := p.b[p.i]; c {
	case '{':
		v.Kind = Object
		p.object(&v)
	case '[':
		v.Kind = Array
		p.array(&v)
	case '"':
		v.Kind = String
		p.str()
	case 't':
		v.Kind = True
		p.i += 4
	case 'f':
		v.Kind = False
		p.i += 5
	case 'n':
		v.Kind = Null
		p.i += 4
	default:
		v.Kind = p.number()
	}
	v.Raw = p.b[start:p.i:p.i]
	return v
}

func (p *parser) object(v *Value) {
	p.i++
	for p.space(); p.b[p.i] != '}'; p.space() {
		if p.b[p.i] == ',' {
			p.i++
			p.space()
		}
		start := p.i
		p.str()
		v.Keys = append(v.Keys, Unquote(p.b[start:p.i]))
		p.space()
		p.i++ // the colon
		v.Items = append(v.Items, p.value())
	}
	p.i++
	v.dedupe()
}

// dedupe removes the earlier ones of equal keys; the value takes the place of
// the first.
func (v *Value) dedupe() {
	const few = 12 // up to here, comparing each with each is faster than a map
	if len(v.Keys) <= few {
		for i := 1; i < len(v.Keys); i++ {
			for j := range i {
				if v.Keys[i] == v.Keys[j] {
					v.dedupeMany()
					return
				}
			}
		}
		return
	}
	v.dedupeMany()
}

func (v *Value) dedupeMany() {
	at := make(map[string]int, len(v.Keys))
	n := 0
	for i, key := range v.Keys {
		j, twice := at[key]
		if !twice {
			j = n
			n++
			at[key] = j
			v.Keys[j] = key
		}
		v.Items[j] = v.Items[i]
	}
	v.Keys, v.Items = v.Keys[:n], v.Items[:n]
}

func (p *parser) array(v *Value) {
	p.i++
	for p.space(); p.b[p.i] != ']'; p.space() {
		if p.b[p.i] == ',' {
			p.i++
		}
		v.Items = append(v.Items, p.value())
	}
	p.i++
}

func (p *parser) str() {
	for p.i++; ; {
		p.i = plain(p.b, p.i)
		if p.b[p.i] == '"' {
			p.i++
			return
		}
		p.i += 2 // whatever is escaped, its first character
	}
}

func (p *parser) number() Kind {
	kind := Int
	for ; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case '0' <= c && c <= '9', c == '-', c == '+':
		case c == '.', c == 'e', c == 'E':
			kind = Float
		default:
			return kind
		}
	}
	return kind
}

func (p *parser) space() {
	for p.i < len(p.b) && isSpace(p.b[p.i]) {
		p.i++
	}
}
