package assemble

// orchestration adds up the chunks of SAP's orchestration service: those of chat
// completions, as the result and among what the modules said.
type orchestration struct {
	root  value
	chats []wrappedChat
}

// wrappedChat is a chat within the reply.
type wrappedChat struct {
	at   []string // where it stands: the names of members
	chat *chat
}

// wrapped are the places of chats in the service's versions 2 and 1.
var wrapped = [][]string{
	{"final_result"}, {"intermediate_results", "llm"}, {"orchestration_result"}, {"module_results", "llm"},
}

func (f *orchestration) event(a *Assembler, data []byte) {
	f.root.take(a, data, "final_result", "intermediate_results", "orchestration_result", "module_results")
	for _, name := range []string{"intermediate_results", "module_results"} {
		if v := member(data, name); v != nil {
			f.root.member(name).take(a, v, "llm")
		}
	}
	for i, place := range wrapped {
		chunk := data
		for _, name := range place {
			chunk = member(chunk, name)
		}
		if len(chunk) == 0 || chunk[0] != '{' {
			continue
		}
		if f.chats == nil {
			f.chats = make([]wrappedChat, len(wrapped))
		}
		if f.chats[i].chat == nil {
			f.chats[i] = wrappedChat{place, newChat()}
		}
		f.chats[i].chat.event(a, chunk)
	}
}

func (f *orchestration) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	for _, c := range f.chats {
		if c.chat == nil {
			continue
		}
		into := &f.root
		for _, name := range c.at {
			into = into.member(name)
		}
		*into = value{kind: scalar, text: c.chat.message(nil), index: -1}
	}
	return f.root.append(b)
}

func (f *orchestration) ended() bool {
	for _, c := range f.chats {
		if c.chat != nil && c.chat.ended() {
			return true
		}
	}
	return false
}

// agent adds up the chunks of an agent that is served by MLflow (ChatAgent): the
// messages by their ids.
type agent struct {
	root value
	list value
	at   map[string]*value
}

func (f *agent) event(a *Assembler, data []byte) {
	f.root.take(a, data, "delta")
	delta := member(data, "delta")
	if len(delta) == 0 || delta[0] != '{' {
		return
	}
	id := string(inside(member(delta, "id")))
	message := f.at[id]
	if message == nil {
		if !a.grow(valueBytes) {
			return
		}
		message = &value{index: -1}
		if f.at == nil {
			f.at = map[string]*value{}
		}
		f.at[id], f.list.kids = message, append(f.list.kids, message)
	}
	c := at(delta)
	c.next()
	message.become(object)
	for name, kid := range message.members(a, c) {
		kid.fold(a, c, string(name) == "content")
	}
}

func (f *agent) message(b []byte) []byte {
	if f.root.kind != object {
		return nil
	}
	f.list.kind = array
	*f.root.member("messages") = f.list
	return f.root.append(b)
}

// ended: agents need not say that they are done.
func (f *agent) ended() bool { return true }
