package responses

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

// input reads what is said so far: one string, or items. Items of one turn,
// reasoning, text and calls of the assistant, or results of tools, become one
// message.
func (r *reader) input(v gjson.Result) *dialect.Error {
	switch {
	case v.Type == gjson.String:
		r.turn(conversation.User, conversation.Block{Kind: conversation.Text, Text: v.Str})
		return nil
	case !v.IsArray():
		return dialect.InvalidField("input", "must be a string or a list of items.")
	}
	return codec.Each(v, func(i int, v gjson.Result) *dialect.Error {
		return dialect.Within(r.item(v), "input", i)
	})
}

// turn adds blocks to the last message if it is of the same role and kind of
// turn, or begins one.
func (r *reader) turn(role conversation.Role, blocks ...conversation.Block) {
	if n := len(r.form.Messages); n > 0 && role == conversation.Assistant && r.form.Messages[n-1].Role == role {
		last := &r.form.Messages[n-1]
		last.Blocks = append(last.Blocks, blocks...)
		return
	}
	r.form.Messages = append(r.form.Messages, conversation.Message{Role: role, Blocks: blocks})
}

func (r *reader) item(v gjson.Result) *dialect.Error {
	if !v.IsObject() {
		return codec.Self("must be an object.")
	}
	switch v.Get("type").Str {
	case "message", "": // the type of a message may be left out
		return r.message(v)
	case "reasoning":
		return r.reasoningItem(v)
	case "function_call":
		input, ok := codec.Object(v.Get("arguments").Str)
		if !ok {
			// A model wrote it and was told so: the conversation goes on.
			input = conversation.Raw(append(dialect.AppendString([]byte(`{"invalid_arguments":`), v.Get("arguments").Str), '}'))
		}
		return r.call(v, nameOf(v.Get("namespace").Str, v.Get("name").Str), input)
	case "custom_tool_call":
		input := append(dialect.AppendString([]byte(`{"input":`), v.Get("input").Str), '}')
		return r.call(v, nameOf(v.Get("namespace").Str, v.Get("name").Str), conversation.Raw(input))
	case "tool_search_call":
		input := conversation.Raw("{}")
		if a := v.Get("arguments"); a.IsObject() {
			input = conversation.Raw(a.Raw)
		}
		return r.call(v, searchName, input)
	case "function_call_output", "custom_tool_call_output":
		blocks, e := outputOf(v.Get("output"))
		if e != nil {
			return e
		}
		return r.result(v, blocks)
	case "tool_search_output":
		return r.searched(v)
	}
	return dialect.Unsupported("type", "must be message, reasoning, function_call, custom_tool_call, tool_search_call, or the output of one: "+
		"other items belong to tools or to a store that only OpenAI has.")
}

func (r *reader) message(v gjson.Result) *dialect.Error {
	role := v.Get("role").Str
	blocks, e := contentOf(v.Get("content"))
	if e != nil {
		return e
	}
	switch role {
	case "user":
		r.turn(conversation.User, blocks...)
	case "assistant":
		r.turn(conversation.Assistant, blocks...)
	case "system", "developer":
		if len(r.form.Messages) == 0 {
			r.form.System = append(r.form.System, blocks...)
		} else {
			r.turn(conversation.System, blocks...)
		}
	default:
		return dialect.Unsupported("role", "must be system, developer, user or assistant.")
	}
	return nil
}

// reasoningItem reads reasoning that this package wrote. What it can't read is
// another provider's: no one else could verify it, and models reason anew.
func (r *reader) reasoningItem(v gjson.Result) *dialect.Error {
	var summary strings.Builder
	v.Get("summary").ForEach(func(_, part gjson.Result) bool {
		summary.WriteString(part.Get("text").Str)
		return true
	})
	b, ok := readProof(v.Get("encrypted_content").Str, summary.String())
	switch {
	case !ok:
	case b.Kind == conversation.ToolUse:
		r.sign(b.ID, b.Signature)
	default:
		r.turn(conversation.Assistant, b)
	}
	return nil
}

// sign gives the last call with an id its signature.
func (r *reader) sign(id, signature string) {
	if c := r.called(id); c != nil {
		c.Signature = signature
	}
}

// called is the last tool call with an id.
func (r *reader) called(id string) *conversation.Block {
	for i := len(r.form.Messages) - 1; i >= 0; i-- {
		for j := range r.form.Messages[i].Blocks {
			if b := &r.form.Messages[i].Blocks[j]; b.Kind == conversation.ToolUse && b.ID == id {
				return b
			}
		}
	}
	return nil
}

func (r *reader) call(v gjson.Result, name string, input conversation.Raw) *dialect.Error {
	id := v.Get("call_id")
	if id.Type != gjson.String || name == "" {
		return codec.Self("must have a call_id and a name.")
	}
	r.turn(conversation.Assistant, conversation.Block{Kind: conversation.ToolUse, ID: id.Str, Name: name, Input: input})
	return nil
}

// result puts a tool's result into a user turn. All that follow each other
// share one.
func (r *reader) result(v gjson.Result, blocks []conversation.Block) *dialect.Error {
	id := v.Get("call_id")
	if id.Type != gjson.String {
		return dialect.InvalidField("call_id", "must name the call that this answers.")
	}
	b := conversation.Block{Kind: conversation.ToolResult, ID: id.Str, Blocks: blocks}
	if c := r.called(b.ID); c != nil {
		b.Name = c.Name
	}
	if n := len(r.form.Messages); n > 0 {
		last := &r.form.Messages[n-1]
		if k := len(last.Blocks); last.Role == conversation.User && k > 0 && last.Blocks[k-1].Kind == conversation.ToolResult {
			last.Blocks = append(last.Blocks, b)
			return nil
		}
	}
	r.turn(conversation.User, b)
	return nil
}

// searched offers the tools that a search has found, and tells the model.
func (r *reader) searched(v gjson.Result) *dialect.Error {
	found, e := readTools(v.Get("tools"))
	if e != nil {
		return e
	}
	var names []string
	for i := range found {
		names = append(names, found[i].tool.Name)
		if _, known := r.named[found[i].tool.Name]; known {
			continue // found before
		}
		if e := r.offer(found[i : i+1]); e != nil {
			return e
		}
	}
	text := "No tools were found."
	if len(names) > 0 {
		text = "These tools can be called now: " + strings.Join(names, ", ") + "."
	}
	return r.result(v, []conversation.Block{{Kind: conversation.Text, Text: text}})
}

// outputOf reads a tool's output: a string or a list of parts.
func outputOf(v gjson.Result) ([]conversation.Block, *dialect.Error) {
	blocks, e := contentOf(v)
	if e != nil {
		e.Param = strings.Replace(e.Param, "content", "output", 1)
		e.Message = strings.Replace(e.Message, "'content", "'output", 1)
	}
	return blocks, e
}

// contentOf reads content: a string or a list of parts. Empty texts say
// nothing, and most providers refuse them.
func contentOf(v gjson.Result) (blocks []conversation.Block, e *dialect.Error) {
	if v.Type == gjson.String {
		return []conversation.Block{{Kind: conversation.Text, Text: v.Str}}, nil
	}
	if !v.IsArray() {
		return nil, dialect.InvalidField("content", "must be a string or a list of parts.")
	}
	e = codec.Each(v, func(i int, v gjson.Result) *dialect.Error {
		b, e := partOf(v)
		if e == nil && (b.Kind != conversation.Text || b.Text != "") {
			blocks = append(blocks, b)
		}
		return dialect.Within(e, "content", i)
	})
	return blocks, e
}

func partOf(v gjson.Result) (b conversation.Block, e *dialect.Error) {
	switch v.Get("type").Str {
	case "input_text", "output_text", "text":
		return conversation.Block{Kind: conversation.Text, Text: v.Get("text").Str}, nil
	case "refusal":
		return conversation.Block{Kind: conversation.Refusal, Text: v.Get("refusal").Str}, nil
	case "input_image":
		b = conversation.Block{Kind: conversation.Image, Detail: v.Get("detail").Str}
		e = source(&b, v, "image_url", "image_url")
		return b, e
	case "input_file":
		b = conversation.Block{Kind: conversation.Document, Name: v.Get("filename").Str}
		e = source(&b, v, "file_data", "file_url")
		return b, e
	case "input_audio":
		b = conversation.Block{Kind: conversation.Audio, Data: v.Get("input_audio.data").Str}
		switch v.Get("input_audio.format").Str {
		case "wav":
			b.MediaType = "audio/wav"
		case "mp3":
			b.MediaType = "audio/mpeg"
		default:
			e = dialect.Unsupported("input_audio.format", "must be wav or mp3.")
		}
		return b, e
	}
	return b, dialect.Unsupported("type", "must be input_text, input_image, input_file, input_audio, output_text or refusal.")
}

// source reads where an image or file is: in the call, or at a URL.
func source(b *conversation.Block, v gjson.Result, data, url string) *dialect.Error {
	if v.Get("file_id").Type == gjson.String {
		return dialect.Unsupported("file_id", "names a file at OpenAI. Send its content.")
	}
	if u := v.Get(url).Str; codec.IsURL(u) {
		b.URL = u
		return nil
	}
	var ok bool
	if b.MediaType, b.Data, ok = codec.DataURL(v.Get(data).Str); !ok {
		return dialect.Unsupported(data, "must be a base64 data URL, or give an http or https URL.")
	}
	return nil
}
