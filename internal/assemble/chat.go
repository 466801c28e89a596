package assemble

import (
	"slices"
	"strings"
)

// chat adds up the chunks of chat and text completions, OpenAI's and MLflow's.
type chat struct {
	root    value
	thought map[*value]int // of a message: how much of its reasoning has its block
}

func newChat() *chat { return &chat{root: value{index: -1}, thought: map[*value]int{}} }

func (f *chat) event(a *Assembler, data []byte) {
	c := at(data)
	c.next()
	f.root.become(object)
	for name, kid := range f.root.members(a, c) {
		if string(name) == "choices" && c.next() == '[' {
			f.choices(a, kid, c)
			continue
		}
		kid.fold(a, c, false)
	}
}

func (f *chat) choices(a *Assembler, list *value, c *cursor) {
	list.become(array)
	for c.item() {
		if c.b[c.i] != '{' {
			c.skip()
			continue
		}
		f.choice(a, choiceOf(a, list, c), c)
	}
}

var messageName = []byte("message")

// choiceOf is the choice that the object at the cursor adds to.
func choiceOf(a *Assembler, list *value, c *cursor) *value {
	index := int64(0)
	ahead := cursor{b: c.b, i: c.i}
	for name, ok := ahead.key(); ok; name, ok = ahead.key() {
		v := ahead.skip()
		if string(name) == "index" {
			index = digits(v)
			break
		}
	}
	if kid := list.numbered(index); kid != nil {
		return kid
	}
	kid := &value{kind: object, index: index}
	if a.grow(valueBytes) {
		list.kids = append(list.kids, kid)
	}
	return kid
}

func (f *chat) choice(a *Assembler, v *value, c *cursor) {
	c.next()
	near := 0
	for {
		name, ok := c.key()
		if !ok {
			return
		}
		join := true
		switch string(name) {
		case "delta", "message":
			name = messageName
		case "text", "logprobs", "token_ids":
		default:
			join = false
		}
		kid := v.kid(a, name, &near)
		if kid == nil {
			c.skip()
			continue
		}
		kid.fold(a, c, join)
		if string(name) == "message" {
			f.proof(a, kid)
		}
	}
}

// proof fills a block of thinking that came with its signature alone: the text
// before it went out as reasoning_content.
func (f *chat) proof(a *Assembler, message *value) {
	blocks, said := message.get("thinking_blocks"), message.get("reasoning_content")
	if blocks == nil || said == nil || blocks.kind != array || len(blocks.kids) == 0 {
		return
	}
	last := blocks.kids[len(blocks.kids)-1]
	signed, thinking := last.get("signature"), last.get("thinking")
	if signed == nil || thinking == nil || len(thinking.text) > 0 || f.thought[message] >= len(said.text) {
		return
	}
	thinking.set(a, said.text[f.thought[message]:])
	f.thought[message] = len(said.text)
}

func (f *chat) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	if kind := f.root.get("object"); kind != nil && kind.kind == text {
		s := strings.TrimSuffix(strings.TrimSuffix(string(kind.text), ".chunk"), "_chunk")
		kind.text = []byte(s)
	}
	if choices := f.root.get("choices"); choices != nil && choices.kind == array {
		choices.sort()
		for _, c := range choices.kids {
			finishMessage(c.get("message"))
		}
	}
	return f.root.append(b)
}

// finishMessage gives a message what replies without a stream have: null where
// there is no text beside tool calls, and calls without their numbers.
func finishMessage(m *value) {
	if m == nil {
		return
	}
	if role := m.member("role"); role.kind != text { // MLflow's streams leave it null
		*role = value{kind: text, text: []byte("assistant"), index: -1}
	}
	calls, refusal := m.get("tool_calls"), m.get("refusal")
	other := calls != nil && len(calls.kids) > 0 || m.get("function_call") != nil || refusal != nil && len(refusal.text) > 0
	if content := m.get("content"); other && content != nil && content.kind == text && len(content.text) == 0 {
		content.kind = null
	}
	if calls == nil {
		return
	}
	calls.sort()
	for _, c := range calls.kids {
		c.without("index")
	}
}

// ended reports whether a choice came to its end.
func (f *chat) ended() bool {
	choices := f.root.get("choices")
	return choices != nil && slices.ContainsFunc(choices.kids, func(c *value) bool { return c.said("finish_reason") || c.said("stop_reason") })
}
