package variant

import (
	"bytes"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Mistral's reasoning models and Databricks answer with a list of parts where
// OpenAI's clients expect a string. Flatten gives them the string, and the
// reasoning in the members in which such clients know it: reasoning_content,
// its text; thinking_blocks, where it is signed.

// Flatten edits a whole chat completion. join goes between its pieces of text.
func Flatten(join string) func(body []byte) []byte {
	return func(body []byte) []byte { return (&flattener{join: join}).edit(body, "message") }
}

// FlattenEvents edits the chunks of one stream.
func FlattenEvents() func(data []byte) []byte {
	f := &flattener{stream: true}
	return func(data []byte) []byte { return f.edit(data, "delta") }
}

type flattener struct {
	join     string
	stream   bool
	thinking []byte // of a stream, so far: a signature comes at the end and is for all of it
}

// edit replaces the content of each choice where it is a list.
func (f *flattener) edit(body []byte, member string) []byte {
	if !hasList(body) { // nearly all chunks
		return body
	}
	body = bytes.TrimLeft(body, " \t\r\n") // so that gjson's positions are those in body
	root := jsontext.View(body)
	var edits []jsontext.Edit
	root.Get("choices").ForEach(func(_, choice gjson.Result) bool {
		message := choice.Get(member)
		if content := message.Get("content"); content.IsArray() {
			edits = append(edits, jsontext.Edit{
				Start: message.Index, End: message.Index + len(message.Raw), Text: string(f.message(message, content)),
			})
		}
		return true
	})
	if len(edits) == 0 {
		return body
	}
	return jsontext.Apply(body, edits...)
}

var contentKey = []byte(`"content"`)

// hasList reports whether some content is a list. Inside a JSON string the
// quotes would be escaped, so the key is found as text.
func hasList(body []byte) bool {
	for {
		i := bytes.Index(body, contentKey)
		if i < 0 {
			return false
		}
		body = body[i+len(contentKey):]
		if rest := bytes.TrimLeft(body, ": \t\r\n"); len(rest) > 0 && rest[0] == '[' {
			return true
		}
	}
}

// message writes a message, or a delta, without a list.
func (f *flattener) message(message, content gjson.Result) []byte {
	p := f.read(content)
	b := append(make([]byte, 0, len(message.Raw)), '{')
	message.ForEach(func(name, v gjson.Result) bool {
		b = append(append(jsontext.Comma(b), name.Raw...), ':')
		switch {
		case name.Str != "content":
			b = append(b, v.Raw...)
		case len(p.text) == 0: // as MLflow's server has it for Databricks
			b = append(b, "null"...)
		default:
			b = dialect.AppendString(b, string(p.text))
		}
		return true
	})
	if len(p.thinking) > 0 {
		b = dialect.AppendString(append(b, `,"reasoning_content":`...), string(p.thinking))
	}
	if len(p.blocks) > 0 {
		b = append(append(append(b, `,"thinking_blocks":[`...), p.blocks...), ']')
	}
	return append(b, '}')
}

// parts are what a list of parts says.
type parts struct {
	text, thinking, blocks []byte
}

func (f *flattener) read(content gjson.Result) parts {
	var p parts
	said := false
	content.ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "text", "output_text":
			if said {
				p.text = append(p.text, f.join...)
			}
			p.text, said = append(p.text, part.Get("text").Str...), true
		case "thinking": // Mistral
			f.think(&p, part.Get("thinking"), part.Get("signature").Str)
		case "reasoning": // Databricks
			part.Get("summary").ForEach(func(_, piece gjson.Result) bool {
				f.think(&p, piece.Get("text"), piece.Get("signature").Str)
				return true
			})
		}
		return true
	})
	return p
}

// think adds reasoning: a string, or a list of texts.
func (f *flattener) think(p *parts, v gjson.Result, signature string) {
	before := len(p.thinking)
	if v.Type == gjson.String {
		p.thinking = append(p.thinking, v.Str...)
	}
	if v.IsArray() {
		v.ForEach(func(_, piece gjson.Result) bool {
			p.thinking = append(p.thinking, piece.Get("text").Str...)
			return true
		})
	}
	all := p.thinking[before:]
	if f.stream {
		f.thinking = append(f.thinking, all...)
		all = f.thinking
	}
	if signature == "" {
		return
	}
	if len(p.blocks) > 0 {
		p.blocks = append(p.blocks, ',')
	}
	p.blocks = dialect.AppendString(append(p.blocks, `{"type":"thinking","thinking":`...), string(all))
	p.blocks = append(dialect.AppendString(append(p.blocks, `,"signature":`...), signature), '}')
	f.thinking = nil
}
