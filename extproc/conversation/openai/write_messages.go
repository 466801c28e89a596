package openai

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

func (w *chatWriter) messages() *dialect.Error {
	w.b = append(codec.AppendMember(w.b, "messages"), '[')
	if len(w.form.System) > 0 {
		if e := w.content("system", "", w.form.System); e != nil {
			return codec.In(e, "system")
		}
	}
	for i := range w.form.Messages {
		m := &w.form.Messages[i]
		var e *dialect.Error
		switch m.Role {
		case conversation.Assistant:
			e = w.assistant(m)
		case conversation.User:
			e = w.user(m)
		default:
			e = w.content("system", m.Name, m.Blocks)
		}
		if e != nil {
			return dialect.Within(e, "messages", i)
		}
	}
	w.b = append(w.b, ']')
	return nil
}

// open begins a message, up to its content.
func (w *chatWriter) open(role, name string) {
	w.b = codec.AppendText(append(jsontext.Comma(w.b), '{'), "role", role)
	if name != "" {
		w.b = codec.AppendText(w.b, "name", name)
	}
	w.b = codec.AppendMember(w.b, "content")
}

// content adds a message of text, or of parts where there is more than text.
func (w *chatWriter) content(role, name string, blocks []conversation.Block) *dialect.Error {
	w.open(role, name)
	e := w.parts(blocks)
	w.b = append(w.b, '}')
	return e
}

// parts adds the value of content. What is text only is one string, its
// blocks apart as paragraphs: not every server takes a list.
func (w *chatWriter) parts(blocks []conversation.Block) *dialect.Error {
	if text, ok := plain(blocks, "\n\n"); ok {
		w.b = dialect.AppendString(w.b, text)
		return nil
	}
	w.b = append(w.b, '[')
	for i := range blocks {
		if e := w.part(&blocks[i]); e != nil {
			return dialect.Within(e, "content", i)
		}
	}
	w.b = append(w.b, ']')
	return nil
}

// plain is the text of blocks that are all text.
func plain(blocks []conversation.Block, between string) (string, bool) {
	if len(blocks) == 1 && blocks[0].Kind == conversation.Text {
		return blocks[0].Text, true
	}
	var texts []string
	for i := range blocks {
		if blocks[i].Kind != conversation.Text {
			return "", false
		}
		if blocks[i].Text != "" {
			texts = append(texts, blocks[i].Text)
		}
	}
	return strings.Join(texts, between), true
}

func (w *chatWriter) part(b *conversation.Block) *dialect.Error {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		if b.Text != "" {
			w.b = append(codec.AppendText(append(jsontext.Comma(w.b), `{"type":"text"`...), "text", b.Text), '}')
		}
		return nil
	case conversation.Image:
		return w.image(b)
	case conversation.Document:
		return w.document(b)
	case conversation.Audio:
		return w.audio(b)
	}
	return dialect.Unsupported("type", "has no place in a user's message at this endpoint's provider.")
}

func (w *chatWriter) image(b *conversation.Block) *dialect.Error {
	if b.URL != "" && !strings.HasPrefix(strings.ToLower(b.URL), "http") {
		return dialect.Unsupported("url", "must be an http or https URL, or the image's data, for this endpoint's provider.")
	}
	w.b = append(jsontext.Comma(w.b), `{"type":"image_url","image_url":{`...)
	w.url("url", b)
	switch b.Detail {
	case "auto", "low", "high":
		w.b = codec.AppendText(w.b, "detail", b.Detail)
	}
	w.b = append(w.b, "}}"...)
	return nil
}

// url adds a URL, or a data URL.
func (w *chatWriter) url(name string, b *conversation.Block) {
	if b.URL != "" {
		w.b = codec.AppendText(w.b, name, b.URL)
		return
	}
	w.b = dialect.AppendString(codec.AppendMember(w.b, name), "data:"+b.MediaType+";base64,")
	w.b = codec.AppendInside(w.b[:len(w.b)-1], b.Data)
	w.b = append(w.b, '"')
}

func (w *chatWriter) document(b *conversation.Block) *dialect.Error {
	if b.URL != "" {
		return dialect.Unsupported("url", "names a document elsewhere. Send its data to this endpoint's provider.")
	}
	w.b = append(jsontext.Comma(w.b), `{"type":"file","file":{`...)
	name := b.Name
	if name == "" {
		name = "document" // one is needed beside file_data
	}
	w.b = codec.AppendText(w.b, "filename", name)
	w.url("file_data", b)
	w.b = append(w.b, "}}"...)
	return nil
}

func (w *chatWriter) audio(b *conversation.Block) *dialect.Error {
	var format string
	switch b.MediaType {
	case "audio/wav", "audio/x-wav", "audio/wave":
		format = "wav"
	case "audio/mpeg", "audio/mp3":
		format = "mp3"
	default:
		return dialect.Unsupported("type", "must be WAV or MP3 for this endpoint's provider.")
	}
	w.b = codec.AppendText(append(jsontext.Comma(w.b), `{"type":"input_audio","input_audio":{`...), "data", b.Data)
	w.b = append(codec.AppendText(w.b, "format", format), "}}"...)
	return nil
}

// user adds the tool results of a turn, which must follow their calls at
// once, and then what else the user said.
func (w *chatWriter) user(m *conversation.Message) *dialect.Error {
	var rest []conversation.Block
	results := 0
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if b.Kind != conversation.ToolResult {
			continue
		}
		results++
		more, e := w.result(b)
		if e != nil {
			return dialect.Within(e, "content", i)
		}
		rest = append(rest, more...)
	}
	if results == 0 {
		return w.content("user", m.Name, m.Blocks)
	}
	for i := range m.Blocks {
		if m.Blocks[i].Kind != conversation.ToolResult {
			rest = append(rest, m.Blocks[i])
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return w.content("user", m.Name, rest)
}

const errorMark = "Error: "

// result adds a tool message with the text of a result and returns the blocks
// that are no text, with a line that says whose they are.
func (w *chatWriter) result(b *conversation.Block) (rest []conversation.Block, e *dialect.Error) {
	var texts []string
	for i := range b.Blocks {
		switch part := &b.Blocks[i]; part.Kind {
		case conversation.Text:
			if part.Text != "" {
				texts = append(texts, part.Text)
			}
		case conversation.Image, conversation.Document, conversation.Audio:
			if len(rest) == 0 {
				rest = append(rest, conversation.Block{Kind: conversation.Text, Text: "Result of the tool call " + b.ID + ":"})
			}
			rest = append(rest, *part)
		default:
			return nil, dialect.Within(dialect.Unsupported("type", "has no place in a tool's result at this endpoint's provider."), "content", i)
		}
	}
	text := strings.Join(texts, "\n\n")
	if text == "" && len(rest) > 0 {
		text = "The result is in the next message."
	}
	if b.IsError && !strings.HasPrefix(strings.ToLower(text), "error") {
		text = errorMark + text
	}
	w.b = codec.AppendText(append(jsontext.Comma(w.b), `{"role":"tool"`...), "tool_call_id", b.ID)
	w.b = append(codec.AppendText(w.b, "content", text), '}')
	return rest, nil
}

// assistant adds an assistant's turn.
func (w *chatWriter) assistant(m *conversation.Message) *dialect.Error {
	text := joined(m.Blocks, conversation.Text)
	calls := has(m.Blocks, conversation.ToolUse)
	refused := has(m.Blocks, conversation.Refusal)
	for i := range m.Blocks {
		switch m.Blocks[i].Kind {
		case conversation.Text, conversation.Refusal, conversation.Thinking, conversation.Redacted, conversation.ToolUse:
		default:
			return dialect.Within(dialect.Unsupported("type", "has no place in an assistant's message at this endpoint's provider."), "content", i)
		}
	}
	if text == "" && !calls && !refused && !has(m.Blocks, conversation.Text) && w.traits.Echo == EchoNothing {
		return nil // reasoning alone, which does not go back
	}
	w.open("assistant", m.Name)
	if text == "" && (calls || refused) {
		w.b = append(w.b, "null"...)
	} else {
		w.b = dialect.AppendString(w.b, text)
	}
	if refused {
		w.b = codec.AppendText(w.b, "refusal", joined(m.Blocks, conversation.Refusal))
	}
	w.echo(m.Blocks)
	if calls {
		w.calls(m.Blocks)
	}
	w.b = append(w.b, '}')
	return nil
}

func (w *chatWriter) calls(blocks []conversation.Block) {
	w.b = append(codec.AppendMember(w.b, "tool_calls"), '[')
	for i := range blocks {
		c := &blocks[i]
		if c.Kind != conversation.ToolUse {
			continue
		}
		w.b = codec.AppendText(append(jsontext.Comma(w.b), '{'), "id", c.ID)
		w.b = codec.AppendText(append(w.b, `,"type":"function","function":{`...), "name", c.Name)
		input := string(c.Input)
		if input == "" {
			input = "{}"
		}
		w.b = append(codec.AppendText(w.b, "arguments", input), '}')
		w.b = append(appendSignature(w.b, c.Signature), '}')
	}
	w.b = append(w.b, ']')
}

// echo gives reasoning back to servers that want it.
func (w *chatWriter) echo(blocks []conversation.Block) {
	switch w.traits.Echo {
	case EchoContent:
		if text := joined(blocks, conversation.Thinking); text != "" {
			w.b = codec.AppendText(w.b, "reasoning_content", text)
		}
	case EchoDetails:
		open := false
		for i := range blocks {
			if k := blocks[i].Kind; k != conversation.Thinking && k != conversation.Redacted {
				continue
			}
			if !open {
				w.b, open = append(codec.AppendMember(w.b, "reasoning_details"), '['), true
			}
			w.b = appendDetail(jsontext.Comma(w.b), &blocks[i])
		}
		if open {
			w.b = append(w.b, ']')
		}
	}
}
