package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// openAIChunks writes a Messages stream as OpenAI's chunks, of chat or, where
// text is set, of completions.
type openAIChunks struct {
	text    bool
	usage   bool // the client asked for usage
	created int64

	head  []byte // of every chunk, up to its choices
	tools int64  // tool calls begun
	args  bool   // the open tool call has been given arguments
	block string // kind of the open block
}

func (c *openAIChunks) event(b []byte, ev messageEvent, _ tokens) []byte {
	switch ev.kind {
	case "message_start":
		return c.start(b, ev.message)
	case "content_block_start":
		return c.blockStart(b, ev.block)
	case "content_block_delta":
		return c.delta(b, ev.delta)
	case "content_block_stop":
		return c.blockStop(b)
	default:
		return c.finish(b, ev.delta)
	}
}

func (c *openAIChunks) start(b []byte, message gjson.Result) []byte {
	c.head = append(c.head[:0], `data: {"id":`...)
	c.head = append(c.head, jsontext.RawString(message.Get("id"))...)
	if c.text {
		c.head = append(c.head, `,"object":"text_completion","created":`...)
	} else {
		c.head = append(c.head, `,"object":"chat.completion.chunk","created":`...)
	}
	c.head = appendCount(c.head, c.created)
	c.head = append(append(c.head, `,"model":`...), jsontext.RawString(message.Get("model"))...)
	c.head = append(c.head, `,"choices":[`...)
	if c.text {
		return b
	}
	b = append(c.open(b), `"role":"assistant","content":"","refusal":null`...)
	return c.close(b, "")
}

// open begins a chat chunk with a delta; close ends it.
func (c *openAIChunks) open(b []byte) []byte {
	return append(append(b, c.head...), `{"index":0,"delta":{`...)
}

func (c *openAIChunks) close(b []byte, finish string) []byte {
	return c.end(append(b, '}'), finish)
}

// end adds what follows the delta or text of a choice.
func (c *openAIChunks) end(b []byte, finish string) []byte {
	b = append(b, `,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		b = append(b, "null}]"...)
	} else {
		b = append(append(append(b, '"'), finish...), `"}]`...)
	}
	if c.usage {
		b = append(b, `,"usage":null`...)
	}
	return append(b, "}\n\n"...)
}

// content adds a chunk with text, given as JSON. Empty text is no news.
func (c *openAIChunks) content(b []byte, text gjson.Result) []byte {
	if text.Type != gjson.String || text.Raw == `""` {
		return b
	}
	if c.text {
		b = append(append(b, c.head...), `{"index":0,"text":`...)
		return c.end(append(b, text.Raw...), "")
	}
	return c.member(b, "content", text)
}

// member adds a chunk whose delta is one string, unless that is empty or has
// no place in the operation.
func (c *openAIChunks) member(b []byte, name string, v gjson.Result) []byte {
	if c.text || v.Type != gjson.String || v.Raw == `""` {
		return b
	}
	b = append(append(c.open(b), '"'), name...)
	b = append(append(b, `":`...), v.Raw...)
	return c.close(b, "")
}

func (c *openAIChunks) blockStart(b []byte, block gjson.Result) []byte {
	c.block = ""
	switch block.Get("type").Str {
	case "text":
		return c.content(b, block.Get("text"))
	case "thinking":
		return c.member(b, "reasoning_content", block.Get("thinking"))
	case "redacted_thinking":
		return c.thinkingBlock(b, jsontext.Compact(block.Raw))
	case "tool_use":
		c.block, c.args = "tool_use", false
		c.tools++
		b = appendCount(append(c.open(b), `"tool_calls":[{"index":`...), c.tools-1)
		b = append(append(b, `,"id":`...), jsontext.RawString(block.Get("id"))...)
		b = append(append(b, `,"type":"function","function":{"name":`...), jsontext.RawString(block.Get("name"))...)
		b = c.close(append(b, `,"arguments":""}}]`...), "")
		if input := jsontext.Compact(block.Get("input").Raw); input != "{}" {
			b = c.arguments(b, string(dialect.AppendString(nil, input)))
		}
	}
	return b
}

func (c *openAIChunks) delta(b []byte, delta gjson.Result) []byte {
	switch delta.Get("type").Str {
	case "text_delta":
		return c.content(b, delta.Get("text"))
	case "thinking_delta":
		return c.member(b, "reasoning_content", delta.Get("thinking"))
	case "signature_delta":
		// The thinking itself went out as reasoning_content.
		return c.thinkingBlock(b, `{"type":"thinking","thinking":"","signature":`+jsontext.RawString(delta.Get("signature"))+"}")
	case "input_json_delta":
		if part := delta.Get("partial_json"); c.block == "tool_use" && part.Type == gjson.String && part.Raw != `""` {
			return c.arguments(b, part.Raw)
		}
	}
	return b
}

// arguments adds a piece of the open tool call's arguments, given as JSON.
func (c *openAIChunks) arguments(b []byte, raw string) []byte {
	c.args = true
	b = appendCount(append(c.open(b), `"tool_calls":[{"index":`...), c.tools-1)
	b = append(append(b, `,"function":{"arguments":`...), raw...)
	return c.close(append(b, "}}]"...), "")
}

// blockStop completes a tool call that was given no arguments: what clients
// parse must be an object, and Anthropic sends nothing for an empty one.
func (c *openAIChunks) blockStop(b []byte) []byte {
	if c.block == "tool_use" && !c.args {
		b = c.arguments(b, `"{}"`)
	}
	c.block = ""
	return b
}

func (c *openAIChunks) thinkingBlock(b []byte, raw string) []byte {
	if c.text {
		return b
	}
	b = append(append(c.open(b), `"thinking_blocks":[`...), raw...)
	return c.close(append(b, ']'), "")
}

// finish tells why the message ended.
func (c *openAIChunks) finish(b []byte, delta gjson.Result) []byte {
	reason := delta.Get("stop_reason")
	if reason.Type != gjson.String {
		return b
	}
	b = c.member(b, "refusal", delta.Get("stop_details.explanation"))
	if c.text {
		b = append(append(b, c.head...), `{"index":0,"text":""`...)
		return c.end(b, openAIFinish(reason.Str))
	}
	return c.close(c.open(b), openAIFinish(reason.Str))
}

func (c *openAIChunks) stop(b []byte, u tokens) []byte {
	if c.usage {
		b = append(append(b, c.head...), `],"usage":`...)
		b = append(u.appendOpenAI(b), "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}
