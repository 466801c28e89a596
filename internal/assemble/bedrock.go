package assemble

import "encoding/base64"

// bedrock adds up the events of ConverseStream, and of the models that stream
// the same by InvokeModel, to a reply of Converse.
type bedrock struct {
	role   []byte
	root   value // but for the output
	blocks []*bedrockBlock
	at     map[int64]*bedrockBlock // by index
	begun  bool
	whole  bool // the answer's end came
}

// bedrockBlock is one block of content, in the shape that Converse has for it.
type bedrockBlock struct {
	value  value
	input  []byte // of a tool: its arguments' JSON so far
	hidden []byte // reasoning that only the model can read, decoded
}

// padding is a member that hides how long an event's text is.
const padding = "p"

var converseEvents = map[string]bool{
	"messageStart": true, "contentBlockStart": true, "contentBlockDelta": true, "contentBlockStop": true, "messageStop": true, "metadata": true,
}

// event takes an event whose name is that of its only member.
func (f *bedrock) event(a *Assembler, data []byte) {
	if name, v := first(data); len(v) > 0 && v[0] == '{' {
		f.named(a, []byte(name), v)
	}
}

func (f *bedrock) named(a *Assembler, name, data []byte) {
	switch string(name) {
	case "messageStart":
		f.begun, f.role = true, append(f.role[:0], inside(member(data, "role"))...)
	case "contentBlockStart":
		c := at(member(data, "start"))
		if b := f.block(a, data); b != nil && c.next() == '{' {
			b.value.foldObject(a, c, false)
		}
	case "contentBlockDelta":
		if delta := member(data, "delta"); len(delta) > 0 && delta[0] == '{' {
			if b := f.block(a, data); b != nil {
				b.delta(a, delta)
			}
		}
	case "messageStop":
		f.whole = true
		f.root.take(a, data, padding)
	case "metadata":
		f.root.take(a, data, padding)
	}
}

func (f *bedrock) block(a *Assembler, data []byte) *bedrockBlock {
	index := number(data, "contentBlockIndex")
	if b := f.at[index]; b != nil {
		return b
	}
	if !a.grow(valueBytes) {
		return nil
	}
	b := &bedrockBlock{value: value{kind: object, index: -1}}
	if f.at == nil {
		f.at = map[int64]*bedrockBlock{}
	}
	f.blocks, f.at[index], f.begun = append(f.blocks, b), b, true
	return b
}

func (b *bedrockBlock) delta(a *Assembler, delta []byte) {
	c := at(delta)
	c.next()
	for name, ok := c.key(); ok; name, ok = c.key() {
		raw := c.skip()
		switch string(name) {
		case "text":
			b.value.member("text").fold(a, at(raw), true)
		case "toolUse":
			if s := inside(member(raw, "input")); a.grow(len(s)) {
				b.input = append(b.input, s...)
			}
		case "toolResult":
			b.results(a, raw)
		case "reasoningContent":
			b.reasoning(a, raw)
		case "citation":
			list := b.value.member("citations")
			list.become(array)
			list.item(a, raw)
		default:
			near := 0
			if kid := b.value.kid(a, name, &near); kid != nil {
				kid.fold(a, at(raw), false)
			}
		}
	}
}

// results takes pieces of what a tool of the provider's own came to.
func (b *bedrockBlock) results(a *Assembler, raw []byte) {
	if raw[0] != '[' {
		return
	}
	tool := b.value.member("toolResult")
	list := tool.member("content")
	list.become(array)
	for c := at(raw); c.item(); {
		piece := c.skip()
		said := inside(member(piece, "text"))
		if n := len(list.kids); said != nil && n > 0 && list.kids[n-1].get("text") != nil {
			list.kids[n-1].get("text").foldText(a, said, true)
			continue
		}
		if a.grow(valueBytes) {
			kid := &value{index: -1}
			kid.fold(a, at(piece), false)
			list.kids = append(list.kids, kid)
		}
	}
}

func (b *bedrockBlock) reasoning(a *Assembler, raw []byte) {
	if data := inside(member(raw, "redactedContent")); data != nil {
		if plain, err := base64.StdEncoding.DecodeString(string(data)); err == nil && a.grow(len(data)) {
			b.hidden = append(b.hidden, plain...)
		}
		return
	}
	into := b.value.member("reasoningContent").member("reasoningText")
	for _, name := range []string{"text", "signature"} {
		if v := member(raw, name); v != nil {
			into.member(name).fold(a, at(v), true)
		}
	}
}

// finish gives a block the shape that it has without a stream.
func (b *bedrockBlock) finish() {
	if len(b.input) > 0 {
		*b.value.member("toolUse").member("input") = arguments(b.input)
	} else if tool := b.value.get("toolUse"); tool != nil && tool.get("input") == nil {
		*tool.member("input") = value{kind: object, index: -1}
	}
	if len(b.hidden) > 0 {
		*b.value.member("reasoningContent").member("redactedContent") =
			value{kind: text, text: []byte(base64.StdEncoding.EncodeToString(b.hidden)), index: -1}
	}
	list := b.value.get("citations")
	if list == nil {
		return
	}
	cited := &value{kind: object, index: -1}
	if said := b.value.get("text"); said != nil {
		cited.member("content").become(array)
		cited.get("content").kids = []*value{{kind: object, index: -1, keys: []string{"text"}, kids: []*value{said}}}
	}
	*cited.member("citations") = *list
	b.value = value{kind: object, index: -1, keys: []string{"citationsContent"}, kids: []*value{cited}}
}

func (f *bedrock) message(b []byte) []byte {
	if !f.begun && f.root.kind != object {
		return nil
	}
	message := value{kind: object, index: -1}
	*message.member("role") = value{kind: text, text: f.role, index: -1}
	if len(f.role) == 0 {
		message.get("role").text = []byte("assistant")
	}
	content := message.member("content")
	content.become(array)
	for _, blk := range f.blocks {
		blk.finish()
		content.kids = append(content.kids, &blk.value)
	}
	f.root.become(object)
	for _, name := range []string{"metrics", "trace"} { // which InvokeModel leaves empty
		if told := f.root.get(name); told != nil && told.kind == object && len(told.keys) == 0 {
			f.root.without(name)
		}
	}
	*f.root.member("output") = value{kind: object, index: -1, keys: []string{"message"}, kids: []*value{&message}}
	return f.root.append(b)
}

func (f *bedrock) ended() bool { return f.whole }
