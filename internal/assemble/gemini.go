package assemble

import (
	"bytes"
	"slices"
)

// gemini adds up the chunks of streamGenerateContent: each is a whole response
// about a piece of the answer.
type gemini struct{ root value }

func (f *gemini) event(a *Assembler, data []byte) {
	c := at(data)
	c.next()
	f.root.become(object)
	for name, kid := range f.root.members(a, c) {
		if string(name) == "candidates" && c.next() == '[' {
			kid.become(array)
			for c.item() {
				if c.b[c.i] != '{' {
					c.skip()
					continue
				}
				f.candidate(a, choiceOf(a, kid, c), c)
			}
			continue
		}
		kid.fold(a, c, false)
	}
}

func (f *gemini) candidate(a *Assembler, v *value, c *cursor) {
	c.next()
	for name, kid := range v.members(a, c) {
		switch {
		case string(name) == "content" && c.next() == '{':
			f.content(a, kid, c)
		case string(name) == "citationMetadata", string(name) == "logprobsResult":
			kid.fold(a, c, true)
		default:
			kid.fold(a, c, false)
		}
	}
}

func (f *gemini) content(a *Assembler, v *value, c *cursor) {
	v.become(object)
	for name, kid := range v.members(a, c) {
		if string(name) != "parts" || c.next() != '[' {
			kid.fold(a, c, false)
			continue
		}
		kid.become(array)
		for c.item() {
			if raw := c.skip(); raw[0] == '{' {
				addPart(a, kid, raw)
			}
		}
	}
}

// addPart adds a part: text goes on with the text before it, thoughts with
// thoughts. A signature ends a part; an empty text that says nothing is left
// out.
func addPart(a *Assembler, list *value, raw []byte) {
	said := member(raw, "text")
	signed, thought := member(raw, "thoughtSignature") != nil, truth(member(raw, "thought"))
	if len(said) > 0 && said[0] == '"' {
		empty := len(said) == 2 && !signed
		last := &value{}
		if len(list.kids) > 0 {
			last = list.kids[len(list.kids)-1]
		}
		if before := last.get("text"); before != nil && last.get("thoughtSignature") == nil &&
			(empty || bytes.Equal(flag(last.get("thought")), thought)) {
			before.foldText(a, inside(said), true)
			if signed {
				last.member("thoughtSignature").fold(a, at(member(raw, "thoughtSignature")), false)
			}
			return
		}
		if empty {
			return
		}
	}
	if a.grow(valueBytes) {
		part := &value{index: -1}
		part.fold(a, at(raw), false)
		list.kids = append(list.kids, part)
	}
}

func flag(v *value) []byte {
	if v == nil {
		return nil
	}
	return truth(v.text)
}

// truth is "true", or nothing.
func truth(raw []byte) []byte {
	if string(raw) == "true" {
		return raw
	}
	return nil
}

func (f *gemini) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	if list := f.root.get("candidates"); list != nil && list.kind == array {
		list.sort()
	}
	return f.root.append(b)
}

// ended reports whether a candidate came to its end, or there is none to come.
func (f *gemini) ended() bool {
	list := f.root.get("candidates")
	return f.root.get("promptFeedback") != nil ||
		list != nil && slices.ContainsFunc(list.kids, func(c *value) bool { return c.said("finishReason") })
}
