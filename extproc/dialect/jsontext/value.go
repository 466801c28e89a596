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

// MaxValues is how many values a text may have that is cut into a tree. A tree
// takes some 40 bytes for each, so a small text could ask for much memory.
const MaxValues = 1 << 20

// TooMany reports whether a valid text has more than MaxValues values.
func TooMany(b []byte) bool {
	if len(b) <= 2*MaxValues { // each takes two bytes at least
		return false
	}
	n := 1
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case ',', '[', '{':
			n++
		case '"':
			p := parser{b: b, i: i}
			p.str()
			i = p.i - 1
		}
	}
	return n > MaxValues
}

// Value is a JSON value as a tree over its text.
type Value struct {
	Kind Kind
	Raw  []byte // its whole text
	kids *kids  // of an Array or Object that is not empty
}

type kids struct {
	items []Value
	keys  []string
}

// Items are an Array's items, or the values of an Object.
func (v *Value) Items() []Value {
	if v.kids == nil {
		return nil
	}
	return v.kids.items
}

// Keys are an Object's keys, unescaped, beside Items. Each is there once.
func (v *Value) Keys() []string {
	if v.kids == nil {
		return nil
	}
	return v.kids.keys
}

// Get returns the value of an object's key.
func (v *Value) Get(key string) (*Value, bool) {
	for i, k := range v.Keys() {
		if k == key {
			return &v.kids.items[i], true
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
		if v.kids == nil {
			v.kids = &kids{}
		}
		v.kids.keys = append(v.kids.keys, Unquote(p.b[start:p.i]))
		p.space()
		p.i++ // the colon
		v.kids.items = append(v.kids.items, p.value())
	}
	p.i++
	if v.kids != nil {
		v.kids.dedupe()
	}
}

// dedupe removes the earlier ones of equal keys; the value takes the place of
// the first.
func (k *kids) dedupe() {
	const few = 12 // up to here, comparing each with each is faster than a map
	if len(k.keys) <= few {
		for i := 1; i < len(k.keys); i++ {
			for j := range i {
				if k.keys[i] == k.keys[j] {
					k.dedupeMany()
					return
				}
			}
		}
		return
	}
	k.dedupeMany()
}

func (k *kids) dedupeMany() {
	at := make(map[string]int, len(k.keys))
	n := 0
	for i, key := range k.keys {
		j, twice := at[key]
		if !twice {
			j = n
			n++
			at[key] = j
			k.keys[j] = key
		}
		k.items[j] = k.items[i]
	}
	k.keys, k.items = k.keys[:n], k.items[:n]
}

func (p *parser) array(v *Value) {
	p.i++
	for p.space(); p.b[p.i] != ']'; p.space() {
		if p.b[p.i] == ',' {
			p.i++
		}
		if v.kids == nil {
			v.kids = &kids{}
		}
		v.kids.items = append(v.kids.items, p.value())
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
