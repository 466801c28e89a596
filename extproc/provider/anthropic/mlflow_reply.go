package anthropic

import (
	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// mlflowFinish maps Anthropic's stop_reason as MLflow does.
func mlflowFinish(reason string) string {
	switch reason {
	case "max_tokens":
		return "length"
	case "tool_use":
		return "tool_calls"
	}
	return "stop"
}

// chatForMLflow renders a whole message as AnthropicAdapter.model_to_chat
// does: thinking joins the text, other blocks than tool calls are left out.
func chatForMLflow(message gjson.Result, u format.Usage, created int64, provider string) []byte {
	var text, calls []byte
	message.Get("content").ForEach(func(_, b gjson.Result) bool {
		switch b.Get("type").Str {
		case "text":
			text = appendInner(text, b.Get("text"))
		case "thinking":
			text = appendInner(text, b.Get("thinking"))
		case "tool_use":
			calls = appendMLflowCall(jsontext.Comma(calls), b)
		}
		return true
	})
	b := make([]byte, 0, len(message.Raw)+256)
	b = append(append(b, `{"id":`...), jsontext.RawString(message.Get("id"))...)
	b = appendCount(append(b, `,"object":"chat.completion","created":`...), created)
	b = append(append(b, `,"model":`...), jsontext.RawString(message.Get("model"))...)
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if len(text) == 0 {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), text...), '"')
	}
	b = append(b, `,"tool_calls":`...)
	if len(calls) == 0 {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '['), calls...), ']')
	}
	b = append(append(b, `,"refusal":null},"finish_reason":"`...), mlflowFinish(message.Get("stop_reason").Str)...)
	b = appendMLflowUsage(append(b, `"}],"usage":`...), u, message.Get("usage"))
	return append(dialect.AppendString(append(b, `,"provider":`...), provider), '}')
}

func appendMLflowCall(b []byte, block gjson.Result) []byte {
	b = append(append(b, `{"id":`...), jsontext.RawString(block.Get("id"))...)
	b = append(append(b, `,"type":"function","function":{"name":`...), jsontext.RawString(block.Get("name"))...)
	args := jsontext.AppendPython(nil, gjson.Parse(jsontext.Compact(block.Get("input").Raw)))
	b = dialect.AppendString(append(b, `,"arguments":`...), string(args))
	return append(b, "}}"...)
}

// completionForMLflow renders a reply of the text completions API as
// AnthropicAdapter.model_to_completions does.
func completionForMLflow(reply gjson.Result, created int64) []byte {
	b := appendCount([]byte(`{"id":null,"object":"text_completion","created":`), created)
	b = append(append(b, `,"model":`...), jsontext.RawString(reply.Get("model"))...)
	b = append(append(b, `,"choices":[{"index":0,"text":`...), jsontext.RawString(reply.Get("completion"))...)
	finish := "length"
	if reply.Get("stop_reason").Str == "stop_sequence" {
		finish = "stop"
	}
	b = append(append(b, `,"finish_reason":"`...), finish...)
	return append(b, `"}],"usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}}`...)
}

// mlflowChunks writes a Messages stream as MLflow's chat chunks, as
// AnthropicAdapter.model_to_chat_streaming does: one for each block's start,
// each delta and each message_delta. The last is held back until the stream
// is known to be complete: MLflow's streams have no other end.
type mlflowChunks struct {
	created  int64
	provider string

	head  []byte          // of every chunk, up to the finish reason
	tools map[int64]int64 // block index → tool call index
	held  []byte          // the last message_delta's chunk

	// What MLflow counts: input as message_start had it.
	usage format.Usage
}

func (c *mlflowChunks) event(b []byte, ev *format.Event) []byte {
	switch ev.Kind {
	case format.MessageStart, format.BlockStart, format.BlockDelta, format.BlockStop, format.MessageDelta, format.MessageStop:
		b = append(b, c.held...)
		c.held = c.held[:0]
	}
	switch ev.Kind {
	case format.MessageStart:
		c.start(ev.Message)
	case format.BlockStart:
		if ev.Block.Get("type").Str == "tool_use" {
			c.tools[ev.Index] = int64(len(c.tools))
		}
		return c.chunk(b, ev, ev.Block)
	case format.BlockDelta:
		return c.chunk(b, ev, ev.Delta)
	case format.MessageDelta:
		if n := ev.Usage.Get("output_tokens"); n.Type == gjson.Number && n.Num >= 0 {
			c.usage.Output = n.Int()
		}
		c.held = c.chunk(c.held, ev, ev.Delta)
	}
	return b
}

func (c *mlflowChunks) start(message gjson.Result) {
	c.usage.Update(message.Get("usage"))
	c.usage.Output = -1
	c.head = append(c.head[:0], `data: {"id":`...)
	c.head = append(c.head, jsontext.RawString(message.Get("id"))...)
	c.head = appendCount(append(c.head, `,"object":"chat.completion.chunk","created":`...), c.created)
	c.head = append(append(c.head, `,"model":`...), jsontext.RawString(message.Get("model"))...)
	c.head = append(c.head, `,"choices":[{"index":0,"finish_reason":`...)
}

// chunk adds one chunk for the content that an event carries.
func (c *mlflowChunks) chunk(b []byte, ev *format.Event, content gjson.Result) []byte {
	b = append(b, c.head...)
	if reason := content.Get("stop_reason"); reason.Type == gjson.String {
		b = append(append(append(b, '"'), mlflowFinish(reason.Str)...), '"')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"delta":{"role":null,"content":`...)
	switch content.Get("type").Str {
	case "tool_use":
		b = appendCount(append(b, `null,"tool_calls":[{"index":`...), c.tools[ev.Index])
		b = append(append(b, `,"id":`...), jsontext.RawString(content.Get("id"))...)
		b = append(append(b, `,"type":"function","function":{"name":`...), jsontext.RawString(content.Get("name"))...)
		b = append(b, `,"arguments":null}}]`...)
	case "input_json_delta":
		b = appendCount(append(b, `null,"tool_calls":[{"index":`...), c.tools[ev.Index])
		b = append(b, `,"id":null,"type":null,"function":{"name":null,"arguments":`...)
		b = append(append(b, jsontext.RawString(content.Get("partial_json"))...), "}}]"...)
	default:
		if text := content.Get("text"); text.Type == gjson.String {
			b = append(b, text.Raw...)
		} else {
			b = append(b, "null"...)
		}
		b = append(b, `,"tool_calls":null`...)
	}
	b = append(b, `}}],"usage":`...)
	if ev.Kind == format.MessageDelta && c.usage != format.NoUsage {
		b = appendMLflowUsage(b, c.usage, gjson.Result{})
	} else {
		b = append(b, "null"...)
	}
	b = dialect.AppendString(append(b, `,"provider":`...), c.provider)
	return append(b, "}\n\n"...)
}
