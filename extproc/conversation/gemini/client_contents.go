package gemini

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// calls are the function calls of a history that wait for their results, so
// that a result without an id finds its call: by name, in order.
type calls struct {
	open []conversation.Block
}

// answer takes the call that a result is for.
func (c *calls) answer(id, name string) (conversation.Block, bool) {
	for i, call := range c.open {
		if id != "" && call.ID == id || id == "" && call.Name == name {
			c.open = append(c.open[:i], c.open[i+1:]...)
			return call, true
		}
	}
	return conversation.Block{}, false
}

func (r *request) contents(list gjson.Result) (e *dialect.Error) {
	i := 0
	list.ForEach(func(_, v gjson.Result) bool {
		e = dialect.Within(r.content(v, i), "contents", i)
		i++
		return e == nil
	})
	return e
}

func (r *request) content(v gjson.Result, number int) *dialect.Error {
	m := conversation.Message{Role: conversation.User, Number: number + 1}
	switch role := v.Get("role"); role.Str {
	case roleModel:
		m.Role = conversation.Assistant
		r.calls.open = nil // what was not answered will not be any more
	case roleUser, "function", "":
	default:
		return dialect.InvalidField("role", "must be user or model.")
	}
	var e *dialect.Error
	i := 0
	v.Get("parts").ForEach(func(_, v gjson.Result) bool {
		p := part{request: r, number: number, index: i}
		if e = each(v, p.member); e == nil {
			e = p.finish(&m)
		}
		e = dialect.Within(e, "parts", i)
		i++
		return e == nil
	})
	if e == nil && len(m.Blocks) > 0 {
		r.Messages = append(r.Messages, m)
	}
	return e
}

// part is one part of a content on its way into a block.
type part struct {
	*request
	number, index int // of the content and in it

	block     conversation.Block
	thought   bool
	signature string
}

func (p *part) member(key string, v gjson.Result) *dialect.Error {
	switch key {
	case "text":
		p.block.Kind, p.block.Text = conversation.Text, v.Str
	case "thought":
		p.thought = v.Type == gjson.True
	case "thoughtSignature":
		p.signature = v.Str
	case "inlineData", "fileData":
		return codec.In(p.media(key, v), key)
	case "functionCall":
		return codec.In(p.call(v), key)
	case "functionResponse":
		return codec.In(p.result(v), key)
	case "mediaResolution", "partMetadata":
	default:
		return dialect.Unsupported(key, "can't be expressed for the model of this endpoint.")
	}
	return nil
}

// finish adds the block that a part has become.
func (p *part) finish(m *conversation.Message) *dialect.Error {
	kind, signature := foreign(p.signature)
	switch {
	case kind == sealedThinking:
		p.block = conversation.Block{Kind: conversation.Redacted, Data: signature}
	case p.block.Kind == conversation.Text && p.thought:
		p.block.Kind, p.block.Signature = conversation.Thinking, signature
	case p.block.Kind == conversation.ToolUse:
		p.block.Signature = signature
		p.calls.open = append(p.calls.open, p.block)
	case p.block.Kind == 0 && p.signature != "", p.block.Kind == conversation.Text && p.block.Text == "":
		return nil // a signature on its own: it is Gemini's
	case p.block.Kind == 0:
		return dialect.InvalidField("text", "or another member that holds data is missing.")
	}
	// A stream gives reasoning in pieces and its signature at the end.
	if n := len(m.Blocks); n > 0 && p.block.Kind == conversation.Thinking {
		if last := &m.Blocks[n-1]; last.Kind == conversation.Thinking && last.Signature == "" {
			last.Text, last.Signature = last.Text+p.block.Text, p.block.Signature
			return nil
		}
	}
	m.Blocks = append(m.Blocks, p.block)
	return nil
}

func (p *part) media(key string, v gjson.Result) *dialect.Error {
	var b conversation.Block
	_ = each(v, func(key string, v gjson.Result) *dialect.Error {
		switch key {
		case "mimeType":
			b.MediaType = v.Str
		case "data":
			b.Data = v.Str
		case "fileUri":
			b.URL = v.Str
		case "displayName":
			b.Name = v.Str
		}
		return nil
	})
	if b.MediaType == "" && b.URL != "" {
		b.MediaType = mediaTypeOf(b.URL)
	}
	major, _, _ := strings.Cut(b.MediaType, "/")
	switch {
	case key == "inlineData" && (b.Data == "" || b.MediaType == ""):
		return dialect.InvalidField("data", "and its mimeType must be there.")
	case key == "fileData" && strings.HasPrefix(b.URL, "https://generativelanguage.googleapis.com/"):
		return dialect.Unsupported("fileUri", "is a file that only Gemini's own models can read. Send the data itself.")
	case key == "fileData" && !codec.IsURL(b.URL):
		return dialect.InvalidField("fileUri", "must be an https or gs URL.")
	case major == "image":
		b.Kind = conversation.Image
	case major == "audio":
		b.Kind = conversation.Audio
	case major == "application", major == "text":
		b.Kind = conversation.Document
	default:
		return dialect.Unsupported("mimeType", "can't be expressed for the model of this endpoint: it must be of an image, audio, or a document.")
	}
	p.block = b
	return nil
}

// mediaTypeOf guesses the type of a file by the end of its name; "" where that
// does not tell.
func mediaTypeOf(url string) string {
	path, _, _ := strings.Cut(url, "?")
	path, _, _ = strings.Cut(path, "#")
	return mediaTypes[strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])]
}

var mediaTypes = map[string]string{
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
	"heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown",
	"csv": "text/csv", "html": "text/html", "json": "application/json", "mp3": "audio/mp3", "wav": "audio/wav",
}

func (p *part) call(v gjson.Result) *dialect.Error {
	b := conversation.Block{Kind: conversation.ToolUse, ID: v.Get("id").Str, Name: v.Get("name").Str, Input: "{}"}
	if args := v.Get("args"); args.IsObject() {
		b.Input = conversation.Raw(args.Raw)
	} else if jsontext.Present(args) {
		return dialect.InvalidField("args", "must be an object.")
	}
	if b.Name == "" {
		return dialect.InvalidField("name", "must be the name of the function.")
	}
	if b.ID == "" {
		// The place in the history stays the same from call to call.
		b.ID = "call_" + strconv.Itoa(p.number) + "_" + strconv.Itoa(p.index)
	}
	p.block = b
	return nil
}

func (p *part) result(v gjson.Result) (e *dialect.Error) {
	name := v.Get("name").Str
	call, found := p.calls.answer(v.Get("id").Str, name)
	if !found {
		return dialect.InvalidField("name", "answers no functionCall of the content before.")
	}
	b := conversation.Block{Kind: conversation.ToolResult, ID: call.ID, Name: call.Name}
	words, failed := resultOf(v.Get("response"))
	b.IsError = failed
	if words != "" {
		b.Blocks = append(b.Blocks, conversation.Block{Kind: conversation.Text, Text: words})
	}
	i := 0
	v.Get("parts").ForEach(func(_, v gjson.Result) bool {
		inner := part{request: p.request}
		e = dialect.Within(each(v, func(key string, v gjson.Result) *dialect.Error {
			if key != "inlineData" && key != "fileData" {
				return unknown(key)
			}
			return codec.In(inner.media(key, v), key)
		}), "parts", i)
		if e == nil && inner.block.Kind != 0 {
			b.Blocks = append(b.Blocks, inner.block)
		}
		i++
		return e == nil
	})
	p.block = b
	return e
}

// resultOf is the text of a function's result. By Gemini's convention "output"
// holds it and "error" a failure; SDKs also write "result".
func resultOf(response gjson.Result) (words string, failed bool) {
	var key string
	var only gjson.Result
	n := 0
	response.ForEach(func(k, v gjson.Result) bool {
		n++
		key, only = k.Str, v
		return n < 2
	})
	if n != 1 || key != "output" && key != "result" && key != "error" {
		return response.Raw, false
	}
	if only.Type == gjson.String {
		return only.Str, key == "error"
	}
	return only.Raw, key == "error"
}
