package assemble

// cohere adds up the events of Cohere's chat, version 2.
type cohere struct {
	root    value
	content value // by index
	calls   value
	whole   bool // the last event came
}

func (f *cohere) event(a *Assembler, data []byte) {
	delta := member(data, "delta")
	message := member(delta, "message")
	f.root.become(object)
	switch string(inside(member(data, "type"))) {
	case "message-start":
		f.root.take(a, data, "type", "delta")
		if role := member(message, "role"); role != nil {
			f.root.member("message").member("role").fold(a, at(role), false)
		}
	case "content-start", "content-delta":
		f.numbered(a, &f.content, data, member(message, "content"))
		if told := member(data, "logprobs"); len(told) > 0 && told[0] == '{' {
			list := f.root.member("logprobs")
			list.become(array)
			list.item(a, told)
		}
	case "tool-plan-delta":
		if plan := member(message, "tool_plan"); plan != nil {
			f.root.member("message").member("tool_plan").fold(a, at(plan), true)
		}
	case "tool-call-start", "tool-call-delta":
		f.numbered(a, &f.calls, data, member(message, "tool_calls"))
	case "citation-start":
		list := f.root.member("message").member("citations")
		list.become(array)
		switch told := member(message, "citations"); {
		case len(told) > 0 && told[0] == '{':
			list.item(a, told)
		case len(told) > 0 && told[0] == '[':
			list.foldArray(a, at(told), true)
		}
	case "message-end":
		f.whole = true
		f.root.take(a, delta)
	}
}

// numbered takes a piece of a block or call.
func (f *cohere) numbered(a *Assembler, list *value, data, piece []byte) {
	if len(piece) == 0 || piece[0] != '{' {
		return
	}
	list.become(array)
	index := indexOf(data)
	kid := list.numbered(index)
	if kid == nil {
		if !a.grow(valueBytes) {
			return
		}
		kid = &value{index: index}
		list.kids = append(list.kids, kid)
	}
	kid.fold(a, at(piece), true)
}

func (f *cohere) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	message := f.root.member("message")
	message.become(object)
	if f.content.kind == array {
		f.content.sort()
		*message.member("content") = f.content
	}
	if f.calls.kind == array {
		f.calls.sort()
		*message.member("tool_calls") = f.calls
	}
	return f.root.append(b)
}

func (f *cohere) ended() bool { return f.whole }

// cohereV1 adds up the events of version 1 of its API, of chat and generate,
// which Amazon's models of Cohere's have as well. The last event has the whole
// reply; what came before matters where that never came.
type cohereV1 struct {
	root  value
	texts value // of generate, by index
	chat  bool
	whole bool // the last event came
}

func (f *cohereV1) event(a *Assembler, data []byte) {
	f.root.become(object)
	kind := string(inside(member(data, "event_type")))
	if whole := member(data, "response"); len(whole) > 0 && whole[0] == '{' {
		a.size, a.cut = 0, false // it takes the place of all that was counted
		f.root, f.texts, f.whole = value{index: -1}, value{}, true
		f.root.fold(a, at(whole), false)
		if why := member(data, "finish_reason"); why != nil && f.chat && f.root.get("finish_reason") == nil {
			f.root.member("finish_reason").fold(a, at(why), false)
		}
		return
	}
	if truth(member(data, "is_finished")) != nil {
		f.whole = true
	}
	switch kind {
	case "stream-start", "search-queries-generation", "search-results", "tool-calls-generation", "citation-generation", "stream-end":
		f.chat = f.chat || kind != "stream-end"
		f.root.take(a, data, "event_type", "is_finished", "citations")
		if told := member(data, "citations"); len(told) > 0 && told[0] == '[' {
			f.root.member("citations").foldArray(a, at(told), true)
		}
	case "tool-calls-chunk", "text-generation", "":
		said := member(data, "text")
		if len(said) == 0 || said[0] != '"' {
			said = []byte(`""`)
		}
		if f.chat {
			f.root.member("text").foldText(a, inside(said), true)
			return
		}
		f.texts.become(array)
		c := at(data)
		kid := choiceOf(a, &f.texts, c)
		kid.member("text").foldText(a, inside(said), true)
		if why := member(data, "finish_reason"); why != nil {
			kid.member("finish_reason").fold(a, at(why), false)
		}
	}
}

func (f *cohereV1) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	if f.texts.kind == array {
		f.texts.sort()
		*f.root.member("generations") = f.texts
	}
	return f.root.append(b)
}

func (f *cohereV1) ended() bool { return f.whole }
