package assemble

// joined adds up streams of which each event has the shape of the reply, with a
// piece of its text.
type joined struct {
	root value
	text string // the member whose strings are joined, with what is in it
	more string // another
	rows string // the list of objects whose members "text" are joined, by index
	last func(root *value) bool
}

// completion is Anthropic's text completions, version 1.
func completion() format {
	return &joined{text: "completion", last: func(v *value) bool { return v.said("stop_reason") }}
}

// llama is Meta's models by InvokeModel.
func llama() format {
	return &joined{text: "generation", last: func(v *value) bool { return v.said("stop_reason") }}
}

// outputsOf is Mistral's text models by InvokeModel.
func outputsOf() format {
	return &joined{rows: "outputs", last: func(v *value) bool {
		list := v.get("outputs")
		return list != nil && len(list.kids) > 0 && list.kids[len(list.kids)-1].said("stop_reason")
	}}
}

// ollama is Ollama's own chat and generate.
func ollama() format {
	return &joined{text: "message", more: "response", last: func(v *value) bool {
		done := v.get("done")
		return done != nil && truth(done.text) != nil
	}}
}

func (f *joined) event(a *Assembler, data []byte) {
	c := at(data)
	c.next()
	f.root.become(object)
	for name, kid := range f.root.members(a, c) {
		switch {
		case string(name) == f.rows && c.next() == '[':
			kid.become(array)
			for c.item() {
				if c.b[c.i] != '{' {
					c.skip()
					continue
				}
				row := choiceOf(a, kid, c)
				c.next()
				for name, v := range row.members(a, c) {
					v.fold(a, c, string(name) == "text")
				}
			}
		default:
			join := string(name) == f.text || string(name) == f.more || string(name) == "thinking"
			kid.fold(a, c, join)
		}
	}
}

func (f *joined) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	return f.root.append(b)
}

func (f *joined) ended() bool { return f.last(&f.root) }

// titan adds up the pieces of Amazon's Titan text models by InvokeModel.
type titan struct {
	root value // of the reply
	row  value // its only result
}

func (f *titan) event(a *Assembler, data []byte) {
	f.root.become(object)
	f.row.become(object)
	for _, m := range [...]struct {
		into     *value
		from, to string
		join     bool
	}{
		{&f.root, "inputTextTokenCount", "inputTextTokenCount", false}, {&f.row, "totalOutputTextTokenCount", "tokenCount", false},
		{&f.row, "outputText", "outputText", true}, {&f.row, "completionReason", "completionReason", false},
	} {
		if v := member(data, m.from); v != nil {
			m.into.member(m.to).fold(a, at(v), m.join)
		}
	}
}

func (f *titan) message(b []byte) []byte {
	if f.row.kind != object {
		return nil
	}
	list := f.root.member("results")
	list.become(array)
	list.kids = []*value{&f.row}
	return f.root.append(b)
}

func (f *titan) ended() bool { return f.row.said("completionReason") }

// tgi adds up the tokens of Hugging Face's Text Generation Inference. The last
// one comes with the text.
type tgi struct {
	root  value
	whole bool
}

func (f *tgi) event(a *Assembler, data []byte) {
	f.root.become(object)
	if v := member(data, "error"); v != nil {
		f.root.take(a, data)
		return
	}
	into := f.root.member("generated_text")
	if v := member(data, "generated_text"); len(v) > 0 && v[0] == '"' {
		f.whole = true
		into.fold(a, at(v), false)
	} else if token := member(data, "token"); truth(member(token, "special")) == nil && !f.whole {
		into.foldText(a, inside(member(token, "text")), true)
	}
	if v := member(data, "details"); len(v) > 0 && v[0] == '{' {
		f.root.member("details").fold(a, at(v), false)
	}
}

func (f *tgi) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	return f.root.append(b)
}

func (f *tgi) ended() bool { return f.whole }

// transcript adds up what OpenAI's models hear.
type transcript struct {
	root  value
	whole bool
}

func (f *transcript) event(a *Assembler, data []byte) {
	f.root.become(object)
	switch string(inside(member(data, "type"))) {
	case "transcript.text.delta":
		if !f.whole {
			f.root.member("text").foldText(a, inside(member(data, "delta")), true)
		}
	case "transcript.text.done":
		f.whole = true
		f.root.take(a, data, "type")
	case "error":
		f.root.take(a, data, "type")
	}
}

func (f *transcript) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	return f.root.append(b)
}

func (f *transcript) ended() bool { return f.whole }
