package gemini

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
)

// part makes of one part of an answer what it is in the form. Parts of tools
// that Google runs do not come: such tools are not asked for.
func (r *reader) part(v gjson.Result, fn func(*conversation.Event)) error {
	var words, call, media gjson.Result
	var signature string
	thought := false
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "text":
			words = v
		case "thought":
			thought = v.Type == gjson.True
		case "thoughtSignature":
			signature = v.Str
		case "functionCall":
			call = v
		case "inlineData":
			media = v
		}
		return true
	})
	switch {
	case call.IsObject():
		return r.call(call, signature, fn)
	case media.IsObject():
		r.media(media, fn)
	case thought:
		r.words(conversation.Thinking, words.Str, fn)
		if signature != "" && r.kind == conversation.Thinking {
			r.signature = ofGemini + signature
		}
	default:
		r.words(conversation.Text, words.Str, fn)
	}
	return nil
}

func (r *reader) begin(fn func(*conversation.Event)) {
	if !r.begun {
		r.begun = true
		r.emit(fn, conversation.Event{Kind: conversation.Start, ID: r.id, Model: r.model})
	}
}

// start begins a block, and ends the one before.
func (r *reader) start(fn func(*conversation.Event), b conversation.Block) {
	r.begin(fn)
	r.end(fn)
	r.kind = b.Kind
	r.emit(fn, conversation.Event{Kind: conversation.BlockStart, Index: r.index, Block: b})
}

// end ends the block that is open.
func (r *reader) end(fn func(*conversation.Event)) {
	if r.kind == 0 {
		return
	}
	b := conversation.Block{Kind: r.kind, Signature: r.signature}
	r.emit(fn, conversation.Event{Kind: conversation.BlockStop, Index: r.index, Block: b})
	r.kind, r.signature = 0, ""
	r.index++
}

func (r *reader) words(kind conversation.Kind, words string, fn func(*conversation.Event)) {
	if words == "" {
		return
	}
	if r.kind != kind {
		r.start(fn, conversation.Block{Kind: kind})
	}
	r.emit(fn, conversation.Event{Kind: conversation.Delta, Index: r.index, Text: words})
}

// call reads a function call, which comes whole.
func (r *reader) call(v gjson.Result, signature string, fn func(*conversation.Event)) error {
	var function, id string
	args := "{}"
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "name":
			function = v.Str
		case "id":
			id = v.Str
		case "args":
			if v.IsObject() {
				args = compact(v.Raw)
			}
		}
		return true
	})
	if function == "" {
		return errReply
	}
	if id == "" {
		id = idOf(r.id, r.calls, function, args)
	}
	r.calls++
	r.start(fn, conversation.Block{Kind: conversation.ToolUse, ID: id, Name: function})
	r.emit(fn, conversation.Event{Kind: conversation.Delta, Index: r.index, Text: args})
	r.signature = signature
	r.end(fn)
	return nil
}

func compact(raw string) string {
	return string(jsontext.AppendCompact(make([]byte, 0, len(raw)), []byte(raw)))
}

func (r *reader) media(v gjson.Result, fn func(*conversation.Event)) {
	b := conversation.Block{Kind: conversation.Image, MediaType: v.Get("mimeType").Str, Data: v.Get("data").Str}
	if b.Data == "" {
		return
	}
	r.start(fn, b)
	r.end(fn)
}

// Count takes over a usageMetadata, which has the totals so far. What tools put
// into the prompt is input, what was thought is output.
func Count(u *conversation.Usage, usageMetadata gjson.Result) {
	prompt, tools, answer, thoughts, cached, total := int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1)
	usageMetadata.ForEach(func(k, v gjson.Result) bool {
		var into *int64
		switch k.Str {
		case "promptTokenCount":
			into = &prompt
		case "toolUsePromptTokenCount":
			into = &tools
		case "candidatesTokenCount":
			into = &answer
		case "thoughtsTokenCount":
			into = &thoughts
		case "cachedContentTokenCount":
			into = &cached
		case "totalTokenCount":
			into = &total
		default:
			return true
		}
		if v.Type == gjson.Number && v.Num >= 0 {
			*into = v.Int()
		}
		return true
	})
	if prompt >= 0 {
		u.Input = prompt + max(tools, 0)
	}
	switch {
	case answer >= 0 || thoughts >= 0:
		u.Output = max(answer, 0) + max(thoughts, 0)
	case total >= 0 && u.Input >= 0:
		u.Output = max(total-u.Input, 0)
	}
	if thoughts >= 0 {
		u.Reasoning = thoughts
	}
	if cached >= 0 {
		u.CacheRead = cached
	}
}
