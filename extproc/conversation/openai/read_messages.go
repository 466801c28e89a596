package openai

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

func (r *chatReader) messages(list gjson.Result) *dialect.Error {
	if !list.IsArray() {
		return dialect.InvalidField("messages", "must be a list of messages.")
	}
	return codec.Each(list, func(i int, v gjson.Result) *dialect.Error {
		n := len(r.form.Messages)
		e := dialect.Within(r.message(v), "messages", i)
		if len(r.form.Messages) > n {
			r.form.Messages[n].Number = i + 1
		}
		return e
	})
}

// message is one message of a call, by its members.
type message struct {
	role, content, name, toolCalls, toolCallID, refusal, thinking, reasoning gjson.Result
}

func readMessage(v gjson.Result) (m message, e *dialect.Error) {
	e = codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "role":
			m.role = v
		case "content":
			m.content = v
		case "name":
			m.name = v
		case "tool_calls":
			m.toolCalls = v
		case "tool_call_id":
			m.toolCallID = v
		case "refusal":
			m.refusal = v
		case "thinking_blocks":
			m.thinking = v
		case "reasoning_content":
			m.reasoning = v
		case "annotations": // of an earlier answer: nothing new to a model
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	return m, e
}

func (r *chatReader) message(v gjson.Result) *dialect.Error {
	m, e := readMessage(v)
	if e != nil {
		return e
	}
	if m.name.Exists() && m.name.Type != gjson.String {
		return dialect.InvalidField("name", "must be a string.")
	}
	if m.role.Str == "tool" {
		return r.result(m)
	}
	r.results = false
	switch m.role.Str {
	case "system", "developer":
		return r.system(m)
	case "user":
		blocks, e := contentOf(m.content, userParts)
		return r.turn(conversation.User, m, blocks, e)
	case "assistant":
		blocks, e := assistantBlocks(m)
		return r.turn(conversation.Assistant, m, blocks, e)
	}
	return dialect.Unsupported("role", "must be system, developer, user, assistant or tool.")
}

func (r *chatReader) turn(role conversation.Role, m message, blocks []conversation.Block, e *dialect.Error) *dialect.Error {
	if e == nil {
		r.turns++
		r.form.Messages = append(r.form.Messages, conversation.Message{Role: role, Name: m.name.Str, Blocks: blocks})
	}
	return e
}

// system hoists system text that comes first and has no author.
func (r *chatReader) system(m message) *dialect.Error {
	blocks, e := contentOf(m.content, textParts)
	if e != nil {
		return e
	}
	if len(r.form.Messages) == 0 && m.name.Str == "" {
		r.form.System = append(r.form.System, blocks...)
		return nil
	}
	r.form.Messages = append(r.form.Messages, conversation.Message{Role: conversation.System, Name: m.name.Str, Blocks: blocks})
	return nil
}

// result puts a tool's result into a user turn. All results that follow each
// other share one.
func (r *chatReader) result(m message) *dialect.Error {
	if m.toolCallID.Type != gjson.String {
		return dialect.InvalidField("tool_call_id", "must name the tool call that this answers.")
	}
	blocks, e := contentOf(m.content, resultParts)
	if e != nil {
		return e
	}
	result := conversation.Block{Kind: conversation.ToolResult, ID: m.toolCallID.Str, Name: m.name.Str, Blocks: blocks}
	if result.Name == "" {
		result.Name = calledName(r.form.Messages, result.ID)
	}
	r.turns++
	if !r.results {
		r.results = true
		r.form.Messages = append(r.form.Messages, conversation.Message{Role: conversation.User})
	}
	last := &r.form.Messages[len(r.form.Messages)-1]
	last.Blocks = append(last.Blocks, result)
	return nil
}

// calledName is the name of the tool that the last assistant's turn called
// under an id; "" if it did not.
func calledName(messages []conversation.Message, id string) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role != conversation.Assistant {
			continue
		}
		for _, b := range messages[i].Blocks {
			if b.Kind == conversation.ToolUse && b.ID == id {
				return b.Name
			}
		}
		return ""
	}
	return ""
}

// assistantBlocks are thinking first, since providers want it before tool
// calls, then text and refusal, then the calls.
func assistantBlocks(m message) ([]conversation.Block, *dialect.Error) {
	blocks, e := thinkingBlocks(nil, m)
	if e != nil {
		return nil, e
	}
	if m.content.Exists() && (m.content.Str != "" || m.content.Type != gjson.String) {
		parts, e := contentOf(m.content, assistantParts)
		if e != nil {
			return nil, e
		}
		blocks = append(blocks, parts...)
	}
	if m.refusal.Exists() {
		if m.refusal.Type != gjson.String {
			return nil, dialect.InvalidField("refusal", "must be a string.")
		}
		blocks = append(blocks, conversation.Block{Kind: conversation.Refusal, Text: m.refusal.Str})
	}
	if m.toolCalls.Exists() && !m.toolCalls.IsArray() {
		return nil, dialect.InvalidField("tool_calls", "must be a list.")
	}
	e = codec.Each(m.toolCalls, func(i int, v gjson.Result) *dialect.Error {
		b, e := toolCall(v)
		blocks = append(blocks, b)
		return dialect.Within(e, "tool_calls", i)
	})
	return blocks, e
}

// thinkingBlocks reads what an answer gave as thinking_blocks. A stream gave
// the text of one as reasoning_content: it is put back where that is certain.
func thinkingBlocks(blocks []conversation.Block, m message) ([]conversation.Block, *dialect.Error) {
	if m.thinking.Exists() && !m.thinking.IsArray() {
		return nil, dialect.InvalidField("thinking_blocks", "must be thinking blocks as a reply gave them.")
	}
	e := codec.Each(m.thinking, func(_ int, v gjson.Result) *dialect.Error {
		switch v.Get("type").Str {
		case "thinking":
			blocks = append(blocks, conversation.Block{
				Kind: conversation.Thinking, Text: v.Get("thinking").Str, Signature: v.Get("signature").Str,
			})
		case "redacted_thinking":
			blocks = append(blocks, conversation.Block{Kind: conversation.Redacted, Data: v.Get("data").Str})
		default:
			return dialect.InvalidField("thinking_blocks", "must be thinking blocks as a reply gave them.")
		}
		return nil
	})
	restoreText(blocks, m.reasoning.Str)
	return blocks, e
}

// restoreText gives the reasoning to the only block of thinking, if that has
// no text.
func restoreText(blocks []conversation.Block, text string) {
	var only *conversation.Block
	for i := range blocks {
		if blocks[i].Kind != conversation.Thinking {
			continue
		}
		if only != nil {
			return
		}
		only = &blocks[i]
	}
	if only != nil && only.Text == "" {
		only.Text = text
	}
}

func toolCall(v gjson.Result) (b conversation.Block, e *dialect.Error) {
	if kind := v.Get("type"); kind.Exists() && kind.Type != gjson.Null && kind.Str != "function" {
		return b, dialect.Unsupported("type", "must be function.")
	}
	id, name := v.Get("id"), v.Get("function.name")
	if id.Type != gjson.String || name.Type != gjson.String {
		return b, codec.Self("must have an id and a function.name.")
	}
	input, ok := codec.Object(v.Get("function.arguments").Str)
	if !ok {
		return b, dialect.Unsupported("function.arguments", "must be a JSON object in a string.")
	}
	b = conversation.Block{Kind: conversation.ToolUse, ID: id.Str, Name: name.Str, Input: input}
	if b.Signature = v.Get("extra_content.google.thought_signature").Str; b.Signature == "" {
		b.Signature = v.Get("thought_signature").Str
	}
	return b, nil
}
