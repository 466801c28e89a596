package anthropic

import (
	"encoding/base64"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

func (c *call) messages(v gjson.Result) *dialect.Error {
	return each(v, "messages", func(v gjson.Result) *dialect.Error {
		m := conversation.Message{Number: len(c.form.Messages) + 1}
		var content gjson.Result
		e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
			switch name {
			case "role":
				m.Role = conversation.Role(v.Str)
				switch m.Role {
				case conversation.User, conversation.Assistant, conversation.System:
					return nil
				}
				return dialect.InvalidField(name, "must be user, assistant or system.")
			case "content":
				content = v
			default:
				return unknown(name)
			}
			return nil
		})
		switch {
		case e != nil:
			return e
		case m.Role == "":
			return dialect.InvalidField("role", "must be user, assistant or system.")
		}
		m.Blocks, e = c.content(content, "content")
		c.form.Messages = append(c.form.Messages, m)
		return e
	})
}

// content reads a string or a list of blocks.
func (c *call) content(v gjson.Result, name string) ([]conversation.Block, *dialect.Error) {
	if v.Type == gjson.String {
		return []conversation.Block{{Kind: conversation.Text, Text: v.Str}}, nil
	}
	if !v.IsArray() {
		return nil, dialect.InvalidField(name, "must be a string or a list of blocks.")
	}
	var blocks []conversation.Block
	e := each(v, name, func(v gjson.Result) *dialect.Error {
		var raw rawBlock
		if e := raw.read(v); e != nil {
			return e
		}
		if proof, ok := toolSignature(&raw); ok && len(blocks) > 0 && blocks[len(blocks)-1].Kind == conversation.ToolUse {
			blocks[len(blocks)-1].Signature = proof
			return nil
		}
		block, e := c.block(&raw)
		blocks = append(blocks, block)
		return e
	})
	return blocks, e
}

// rawBlock are the members of a block, whatever its type.
type rawBlock struct {
	kind                                                   string
	text, source, title, id, name, input, content, isError gjson.Result
	thinking, signature, data, toolUseID                   gjson.Result
	cache                                                  conversation.Raw
}

func (b *rawBlock) read(v gjson.Result) *dialect.Error {
	return codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			b.kind = v.Str
		case "text":
			b.text = v
		case "source":
			b.source = v
		case "title":
			b.title = v
		case "id":
			b.id = v
		case "name":
			b.name = v
		case "input":
			b.input = v
		case "content":
			b.content = v
		case "is_error":
			b.isError = v
		case "thinking":
			b.thinking = v
		case "signature":
			b.signature = v
		case "data":
			b.data = v
		case "tool_use_id":
			b.toolUseID = v
		case "cache_control":
			return raw(&b.cache, name, v)
		default:
			return b.other(name, v)
		}
		return nil
	})
}

// other accepts members that ask for nothing, or tell of an earlier answer
// what the model need not know again.
func (b *rawBlock) other(name string, v gjson.Result) *dialect.Error {
	switch name {
	case "citations":
		if b.kind == "text" || nothing(v) || v.Get("enabled").Type == gjson.False {
			return nil
		}
	case "caller":
		if v.Get("type").Str == "direct" {
			return nil
		}
	}
	return unknown(name)
}

// block makes a block of the form.
func (c *call) block(b *rawBlock) (conversation.Block, *dialect.Error) {
	out := conversation.Block{Cache: b.cache}
	switch b.kind {
	case "text":
		out.Kind = conversation.Text
		return out, str(&out.Text, "text", b.text)
	case "image":
		out.Kind = conversation.Image
		return out, codec.In(source(&out, b.source), "source")
	case "document":
		out.Kind, out.Name = conversation.Document, b.title.Str
		return out, codec.In(source(&out, b.source), "source")
	case "tool_use":
		return c.toolUse(out, b)
	case "tool_result":
		return c.toolResult(out, b)
	case "thinking":
		out.Kind, out.Signature = conversation.Thinking, b.signature.Str
		return out, str(&out.Text, "thinking", b.thinking)
	case "redacted_thinking":
		out.Kind = conversation.Redacted
		return out, str(&out.Data, "data", b.data)
	}
	return out, dialect.Unsupported("type", "can't be '"+clip(b.kind)+"' for the models of this endpoint.")
}

func (c *call) toolUse(out conversation.Block, b *rawBlock) (conversation.Block, *dialect.Error) {
	out.Kind = conversation.ToolUse
	if e := str(&out.ID, "id", b.id); e != nil {
		return out, e
	}
	if e := str(&out.Name, "name", b.name); e != nil {
		return out, e
	}
	if c.names == nil {
		c.names = map[string]string{}
	}
	c.names[out.ID] = out.Name
	return out, raw(&out.Input, "input", b.input)
}

func (c *call) toolResult(out conversation.Block, b *rawBlock) (conversation.Block, *dialect.Error) {
	out.Kind = conversation.ToolResult
	if e := str(&out.ID, "tool_use_id", b.toolUseID); e != nil {
		return out, e
	}
	out.Name = c.names[out.ID]
	if b.isError.Exists() {
		if e := boolean(&out.IsError, "is_error", b.isError); e != nil {
			return out, e
		}
	}
	if !b.content.Exists() {
		return out, nil
	}
	var e *dialect.Error
	out.Blocks, e = c.content(b.content, "content")
	for i := range out.Blocks {
		switch out.Blocks[i].Kind {
		case conversation.Text, conversation.Image, conversation.Document:
		default:
			return out, dialect.Within(dialect.InvalidField("type", "must be text, image or document in the result of a tool."), "content", i)
		}
	}
	return out, e
}

// source reads where an image or a document is.
func source(out *conversation.Block, v gjson.Result) *dialect.Error {
	var kind, text string
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			return str(&kind, name, v)
		case "media_type":
			return str(&out.MediaType, name, v)
		case "url":
			return str(&out.URL, name, v)
		case "data":
			return str(&text, name, v)
		}
		return unknown(name)
	})
	switch {
	case e != nil:
		return e
	case kind == "url" && out.URL != "":
		return nil
	case kind == "base64" && out.MediaType != "":
		out.Data = text
		return nil
	case kind == "text" && out.Kind == conversation.Document:
		out.MediaType = "text/plain"
		out.Data = base64.StdEncoding.EncodeToString([]byte(text))
		return nil
	}
	return dialect.Unsupported("type", "must be base64, url, or text in a document, for the models of this endpoint.")
}
