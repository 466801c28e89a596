package assemble

import (
	"bytes"
	"iter"
	"slices"
)

// kind tells what a value is.
type kind uint8

const (
	absent kind = iota
	null
	scalar // number, true, false
	text
	object
	array
)

// value is a JSON value that grows.
type value struct {
	kind kind
	// text is that of a scalar, or what is between the quotes of a string: joined
	// as it was escaped, also where a pair of surrogates was sent in two parts.
	text  []byte
	keys  []string // of an object
	kids  []*value // of an object or array
	index int64    // the member "index" of an item of an array; -1: it has none
	look  *lookup  // of keys and kids, where there are many
}

// valueBytes is about what a value takes beside its text.
const valueBytes = 128

// few is how many keys or kids are looked through one by one.
const few = 16

// lookup finds members by name and items by index however many there are: a
// provider may send as many as it likes. It learns what was added when it is
// asked.
type lookup struct {
	names   map[string]int
	indexes map[int64]int
	seen    int // how many kids indexes knows
}

// fixed are members of a delta that are told whole, perhaps again and again.
var fixed = map[string]bool{
	"id": true, "type": true, "role": true, "index": true, "name": true, "object": true, "call_id": true, "format": true,
	"signature": true, "thought_signature": true, "finish_reason": true, "stop_reason": true, "encrypted_content": true,
}

func newLookup() *lookup { return &lookup{names: map[string]int{}, indexes: map[int64]int{}} }

func (v *value) become(k kind) {
	if v.kind != k {
		*v = value{kind: k, index: v.index}
	}
}

// get is a member of an object; nil where there is none.
func (v *value) get(name string) *value {
	if v == nil || v.kind != object {
		return nil
	}
	if i := v.find([]byte(name)); i >= 0 {
		return v.kids[i]
	}
	return nil
}

// kid is a member of an object, made where it is new; nil where nothing more
// may be kept. near is where the members of a stream's chunks, which come in
// the same order, suggest it, and after the call where to look for the next.
func (v *value) kid(a *Assembler, name []byte, near *int) *value {
	at := *near
	if at >= len(v.keys) || v.keys[at] != string(name) {
		if at = v.find(name); at < 0 {
			if !a.grow(len(name) + valueBytes) {
				return nil
			}
			at = len(v.kids)
			v.keys, v.kids = append(v.keys, string(name)), append(v.kids, &value{index: -1})
		}
	}
	*near = at + 1
	return v.kids[at]
}

// members goes through the object that the cursor has entered: the name of each
// member and what is kept of it, made where it is new. The cursor is before what
// is to be added, which the caller reads. What can't be kept is passed over.
func (v *value) members(a *Assembler, c *cursor) iter.Seq2[[]byte, *value] {
	return func(yield func([]byte, *value) bool) {
		near := 0
		for name, ok := c.key(); ok; name, ok = c.key() {
			kid := v.kid(a, name, &near)
			if kid == nil {
				c.skip()
				continue
			}
			if !yield(name, kid) {
				return
			}
		}
	}
}

// find is where the member of that name is; -1: there is none.
func (v *value) find(name []byte) int {
	if len(v.keys) <= few {
		for i, k := range v.keys {
			if k == string(name) {
				return i
			}
		}
		return -1
	}
	if v.look == nil {
		v.look = newLookup()
	}
	for i := len(v.look.names); i < len(v.keys); i++ {
		v.look.names[v.keys[i]] = i
	}
	if i, ok := v.look.names[string(name)]; ok {
		return i
	}
	return -1
}

// numbered is the last item that has an index; nil where none has.
func (v *value) numbered(index int64) *value {
	if len(v.kids) <= few {
		for i := len(v.kids) - 1; i >= 0; i-- {
			if v.kids[i].index == index {
				return v.kids[i]
			}
		}
		return nil
	}
	if v.look == nil {
		v.look = newLookup()
	}
	for i := v.look.seen; i < len(v.kids); i++ {
		v.look.indexes[v.kids[i].index] = i
	}
	v.look.seen = len(v.kids)
	if i, ok := v.look.indexes[index]; ok {
		return v.kids[i]
	}
	return nil
}

// member is a member of an object, made where it is new.
func (v *value) member(name string) *value {
	v.become(object)
	if kid := v.get(name); kid != nil {
		return kid
	}
	v.keys, v.kids = append(v.keys, name), append(v.kids, &value{index: -1})
	return v.kids[len(v.kids)-1]
}

// take takes over the members of an object, as they are told last, but for some.
func (v *value) take(a *Assembler, data []byte, but ...string) {
	v.become(object)
	c := at(data)
	if c.next() != '{' {
		return
	}
	for name, ok := c.key(); ok; name, ok = c.key() {
		if slices.Contains(but, string(name)) {
			c.skip()
			continue
		}
		near := 0
		if kid := v.kid(a, name, &near); kid != nil {
			kid.fold(a, c, false)
		} else {
			c.skip()
		}
	}
}

// fold takes in the value at the cursor. Strings are joined to what there is,
// and items added to arrays, where join says so; else the last one stays. null
// takes nothing away.
func (v *value) fold(a *Assembler, c *cursor, join bool) {
	switch c.next() {
	case '{':
		v.foldObject(a, c, join)
	case '[':
		v.foldArray(a, c, join)
	case '"':
		v.foldText(a, c.str(), join)
	default:
		raw := c.skip()
		if raw[0] == 'n' {
			if v.kind == absent {
				v.kind = null
			}
			return
		}
		if v.kind != scalar || !bytes.Equal(v.text, raw) {
			v.become(scalar)
			v.set(a, raw)
		}
	}
}

func (v *value) foldObject(a *Assembler, c *cursor, join bool) {
	v.become(object)
	for name, kid := range v.members(a, c) {
		kid.fold(a, c, join && !fixed[string(name)])
	}
}

func (v *value) foldText(a *Assembler, s []byte, join bool) {
	switch {
	case v.kind == array && join: // parts before, plain text now
		if len(s) > 0 {
			v.item(a, append(append([]byte(`{"type":"text","text":"`), s...), `"}`...))
		}
	case v.kind != text:
		v.become(text)
		v.set(a, s)
	case join:
		if a.grow(len(s)) {
			v.text = append(v.text, s...)
		}
	case len(s) > 0 && !bytes.Equal(v.text, s):
		v.set(a, s)
	}
}

func (v *value) set(a *Assembler, s []byte) {
	if a.grow(len(s)) {
		v.text = append(v.text[:0], s...)
	} else {
		v.text = v.text[:0]
		if v.kind == scalar {
			v.kind = null
		}
	}
}

func (v *value) foldArray(a *Assembler, c *cursor, join bool) {
	if v.kind == text && join && len(v.text) > 0 { // plain text before, parts now
		part := append(append([]byte(`{"type":"text","text":"`), v.text...), `"}`...)
		v.become(array)
		v.item(a, part)
	}
	if !join {
		v.kind, v.kids = absent, nil
	}
	v.become(array)
	for c.item() {
		v.item(a, c.skip())
	}
}

// item adds to an array: to the item that has the same index, or that goes on
// with text of the same kind; else it is a new one. One that nothing will be
// added to is kept as it is.
func (v *value) item(a *Assembler, raw []byte) {
	index := int64(-1)
	if raw[0] == '{' {
		if n := member(raw, "index"); len(n) > 0 && n[0] >= '0' && n[0] <= '9' {
			index = digits(n)
		}
	}
	kid := v.goesOn(raw, index)
	if kid == nil {
		if !a.grow(valueBytes) {
			return
		}
		kid = &value{index: index}
		v.kids = append(v.kids, kid)
	}
	if kid.kind == absent && index < 0 && !continued(inside(member(raw, "type"))) {
		kid.kind = scalar
		kid.set(a, raw)
		return
	}
	kid.fold(a, at(raw), true)
}

// continued reports whether items of this type are told in pieces that have no
// index.
func continued(kind []byte) bool {
	switch string(kind) {
	case "text", "reasoning.text", "thinking":
		return true
	}
	return false
}

// goesOn is the item that raw adds to.
func (v *value) goesOn(raw []byte, index int64) *value {
	if index >= 0 {
		kid := v.numbered(index)
		if kid == nil {
			return nil
		}
		// Some number all their tool calls 0.
		if old, id := kid.get("id"), inside(member(raw, "id")); len(id) > 0 && old != nil && len(old.text) > 0 && !bytes.Equal(old.text, id) {
			return nil
		}
		return kid
	}
	if raw[0] != '{' || len(v.kids) == 0 {
		return nil
	}
	last := v.kids[len(v.kids)-1]
	kind := last.get("type")
	if kind == nil || !continued(kind.text) || !bytes.Equal(kind.text, inside(member(raw, "type"))) {
		return nil
	}
	if s := last.get("signature"); string(kind.text) == "thinking" && s != nil && len(s.text) > 0 {
		return nil
	}
	return last
}

// sort orders items by their index; those without one stay in front.
func (v *value) sort() {
	v.look = nil
	slices.SortStableFunc(v.kids, func(x, y *value) int { return int(max(min(x.index-y.index, 1), -1)) })
}

// without takes a member away.
func (v *value) without(name string) {
	if i := v.find([]byte(name)); i >= 0 {
		v.keys, v.kids, v.look = slices.Delete(v.keys, i, i+1), slices.Delete(v.kids, i, i+1), nil
	}
}

// said reports whether a member is a text that is not empty.
func (v *value) said(name string) bool {
	m := v.get(name)
	return m != nil && m.kind == text && len(m.text) > 0
}

func (v *value) append(b []byte) []byte {
	switch v.kind {
	case scalar:
		return append(b, v.text...)
	case text:
		return append(append(append(b, '"'), v.text...), '"')
	case object:
		b = append(b, '{')
		for i, kid := range v.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = kid.append(append(append(append(b, '"'), v.keys[i]...), `":`...))
		}
		return append(b, '}')
	case array:
		b = append(b, '[')
		for i, kid := range v.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = kid.append(b)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}
