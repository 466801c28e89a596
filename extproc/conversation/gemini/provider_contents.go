package gemini

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// turns writes contents: the messages of a conversation, those of one side
// that follow each other joined.
type turns struct {
	vertex bool
	model  model
	system []conversation.Block

	b     []byte
	role  string            // of the content that is open
	names map[string]string // of tool calls, by their ids
}

func (w *turns) messages(list []conversation.Message) *dialect.Error {
	for i := range list {
		m := &list[i]
		if e := w.message(m); e != nil {
			if m.Number > 0 {
				return dialect.Within(e, "messages", m.Number-1)
			}
			return e
		}
	}
	if w.role != "" {
		w.b = append(w.b, "]}"...)
	}
	return nil
}

func (w *turns) message(m *conversation.Message) *dialect.Error {
	switch m.Role {
	case conversation.System: // Gemini has one place for them
		w.system = append(w.system[:len(w.system):len(w.system)], m.Blocks...)
		return nil
	case conversation.Assistant:
		return w.assistant(m)
	}
	return w.user(m)
}

// open begins a part of a turn.
func (w *turns) open(role string) {
	switch {
	case w.role == role:
		w.b = append(w.b, `,{`...)
		return
	case w.role != "":
		w.b = append(w.b, `]},`...)
	}
	w.role = role
	w.b = append(codec.AppendText(append(w.b, '{'), "role", role), `,"parts":[{`...)
}

func (w *turns) user(m *conversation.Message) *dialect.Error {
	var media []*conversation.Block // of tool results: after them, as all models take them
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if b.Kind != conversation.ToolResult {
			continue
		}
		if e := w.result(b); e != nil {
			return e
		}
		for j := range b.Blocks {
			if b.Blocks[j].Kind != conversation.Text {
				media = append(media, &b.Blocks[j])
			}
		}
	}
	for _, b := range media {
		if e := w.part(roleUser, b); e != nil {
			return e
		}
	}
	for i := range m.Blocks {
		if b := &m.Blocks[i]; b.Kind != conversation.ToolResult {
			if e := w.part(roleUser, b); e != nil {
				return e
			}
		}
	}
	return nil
}

func (w *turns) assistant(m *conversation.Message) *dialect.Error {
	signed := false // one of the calls of this message has a signature
	for i := range m.Blocks {
		b := &m.Blocks[i]
		switch b.Kind {
		case conversation.Thinking:
			w.thought(b)
		case conversation.ToolUse:
			signature := b.Signature
			if signature == "" && !signed && w.model.signs() {
				signature = unsigned
			}
			signed = true
			if e := w.call(b, signature); e != nil {
				return e
			}
		default:
			if e := w.part(roleModel, b); e != nil {
				return e
			}
		}
	}
	return nil
}

// thought writes reasoning that Gemini signed. Without its signature Gemini
// does not want it back.
func (w *turns) thought(b *conversation.Block) {
	signature, ok := strings.CutPrefix(b.Signature, ofGemini)
	if !ok {
		return
	}
	w.open(roleModel)
	w.b = append(codec.AppendText(w.b, "text", b.Text), `,"thought":true`...)
	w.b = append(codec.AppendText(w.b, "thoughtSignature", signature), '}')
}

func (w *turns) call(b *conversation.Block, signature string) *dialect.Error {
	if !strings.HasPrefix(string(object(b.Input)), "{") {
		return dialect.InvalidField("arguments", "of a tool call must be an object for Gemini models.")
	}
	w.names[b.ID] = b.Name
	w.open(roleModel)
	w.b = append(codec.AppendMember(w.b, "functionCall"), '{')
	w.id(b.ID)
	w.b = append(codec.AppendRaw(codec.AppendText(w.b, "name", b.Name), "args", object(b.Input)), '}')
	if signature != "" {
		w.b = codec.AppendText(w.b, "thoughtSignature", signature)
	}
	w.b = append(w.b, '}')
	return nil
}

// id writes the id of a call where the server knows it.
func (w *turns) id(id string) {
	if id != "" && !w.vertex && !isOwnID(id) {
		w.b = codec.AppendText(w.b, "id", id)
	}
}

func (w *turns) result(b *conversation.Block) *dialect.Error {
	function := b.Name
	if called, ok := w.names[b.ID]; ok {
		function = called
	}
	if function == "" {
		return dialect.InvalidField("tool_call_id", "names no tool call that comes before.")
	}
	w.open(roleUser)
	w.b = append(codec.AppendMember(w.b, "functionResponse"), '{')
	w.id(b.ID)
	w.b = codec.AppendMember(codec.AppendText(w.b, "name", function), "response")
	var words strings.Builder
	for i := range b.Blocks {
		if b.Blocks[i].Kind == conversation.Text {
			words.WriteString(b.Blocks[i].Text)
		}
	}
	w.b = append(appendResult(w.b, words.String(), b.IsError), "}}"...)
	return nil
}

// appendResult writes a function's result, which must be an object: one that
// is none goes under the key that Gemini's API names for it.
func appendResult(b []byte, words string, failed bool) []byte {
	trimmed := strings.TrimSpace(words)
	if !failed && strings.HasPrefix(trimmed, "{") && jsontext.Valid([]byte(trimmed)) {
		return append(b, trimmed...)
	}
	key := "output"
	if failed {
		key = "error"
	}
	return append(codec.AppendText(append(b, '{'), key, words), '}')
}

// part writes a block that both sides may have.
func (w *turns) part(role string, b *conversation.Block) *dialect.Error {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		if b.Text == "" {
			return nil // Gemini refuses parts without text
		}
		w.open(role)
		w.b = codec.AppendText(w.b, "text", b.Text)
	case conversation.Image, conversation.Document, conversation.Audio:
		return w.media(role, b)
	case conversation.Thinking, conversation.Redacted:
		return nil
	default:
		return dialect.Unsupported("content", "holds a part that can't be expressed for Gemini models.")
	}
	w.b = append(w.b, '}')
	return nil
}

func (w *turns) media(role string, b *conversation.Block) *dialect.Error {
	kind := b.MediaType
	if kind == "" {
		kind = mediaTypeOf(b.URL)
	}
	switch {
	case b.Data != "" && kind != "":
		w.open(role)
		w.b = append(codec.AppendMember(w.b, "inlineData"), '{')
		w.b = codec.AppendText(codec.AppendText(w.b, "mimeType", kind), "data", b.Data)
	case b.URL != "":
		w.open(role)
		w.b = append(codec.AppendMember(w.b, "fileData"), '{')
		if kind != "" {
			w.b = codec.AppendText(w.b, "mimeType", kind)
		}
		w.b = codec.AppendText(w.b, "fileUri", b.URL)
	default:
		return dialect.InvalidField("content", "holds an image or a file without data.")
	}
	w.b = append(w.b, "}}"...)
	return nil
}
