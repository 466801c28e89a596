package assemble

import (
	"bytes"

	"sluice/extproc/dialect/jsontext"
)

// anthropic adds up the events of a Messages stream.
type anthropic struct {
	root   value
	blocks []*block
	at     map[int64]*block // by index
	whole  bool             // the last event came
}

type block struct {
	value value
	input []byte // of a tool: its arguments' JSON so far
}

func (f *anthropic) event(a *Assembler, data []byte) {
	switch string(inside(member(data, "type"))) {
	case "message_start":
		if m := member(data, "message"); len(m) > 0 && m[0] == '{' {
			f.root.fold(a, at(m), false)
		}
	case "message_stop":
		f.whole = true
	case "content_block_start":
		start := member(data, "content_block")
		if len(start) == 0 || start[0] != '{' || !a.grow(valueBytes) {
			return
		}
		b := &block{}
		b.value.fold(a, at(start), false)
		f.blocks = append(f.blocks, b)
		if f.at == nil {
			f.at = map[int64]*block{}
		}
		f.at[indexOf(data)] = b
	case "content_block_delta":
		if delta := member(data, "delta"); len(delta) > 0 && delta[0] == '{' {
			f.delta(a, indexOf(data), delta)
		}
	case "message_delta":
		f.root.become(object)
		if delta := member(data, "delta"); len(delta) > 0 && delta[0] == '{' {
			f.root.fold(a, at(delta), false)
		}
		f.more(a, data, "usage", "context_management")
	case "error":
		f.root.become(object)
		f.more(a, data, "error")
	}
}

// more takes members of an event over into the message.
func (f *anthropic) more(a *Assembler, data []byte, names ...string) {
	for _, name := range names {
		if v := member(data, name); v != nil && (f.root.get(name) != nil || a.grow(len(name)+valueBytes)) {
			f.root.member(name).fold(a, at(v), false)
		}
	}
}

func indexOf(data []byte) int64 {
	return digits(member(data, "index"))
}

func (f *anthropic) delta(a *Assembler, index int64, delta []byte) {
	b := f.at[index]
	if b == nil {
		return
	}
	c := cursor{b: delta}
	c.next()
	for {
		name, ok := c.key()
		if !ok {
			return
		}
		switch string(name) {
		case "type":
			c.skip()
		case "partial_json":
			if s := c.skip(); s[0] == '"' && a.grow(len(s)) {
				b.input = append(b.input, inside(s)...)
			}
		case "citation":
			list := b.value.member("citations")
			if list.kind != array {
				list.become(array)
			}
			list.item(a, c.skip())
		default:
			near := 1
			if kid := b.value.kid(a, name, &near); kid != nil {
				kid.fold(a, &c, string(name) != "signature")
			} else {
				c.skip()
			}
		}
	}
}

func (f *anthropic) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	if len(f.blocks) > 0 {
		list := f.root.member("content")
		*list = value{kind: array, index: -1}
		for _, blk := range f.blocks {
			blk.finish()
			list.kids = append(list.kids, &blk.value)
		}
	}
	return f.root.append(b)
}

func (f *anthropic) ended() bool { return f.whole }

// finish makes the arguments of a tool an object.
func (b *block) finish() {
	if len(bytes.TrimSpace(b.input)) > 0 {
		*b.value.member("input") = arguments(b.input)
	}
}

// arguments is the object whose JSON was told in pieces of text; of a call that
// broke off it is the text that it is.
func arguments(input []byte) value {
	literal := append(append([]byte{'"'}, input...), '"')
	if plain := []byte(jsontext.Unquote(literal)); jsontext.Valid(plain) {
		return value{kind: scalar, text: plain, index: -1}
	}
	return value{kind: text, text: input, index: -1}
}
