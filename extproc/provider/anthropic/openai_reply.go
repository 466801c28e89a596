package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// openAIFinish maps Anthropic's stop_reason. Reasons that OpenAI has no word
// for (end_turn, stop_sequence, pause_turn, new ones) are a stop.
func openAIFinish(reason string) string {
	switch reason {
	case "max_tokens", "model_context_window_exceeded":
		return "length"
	case "tool_use":
		return "tool_calls"
	case "refusal":
		return "content_filter"
	}
	return "stop"
}

// replyContent is the content of a reply, gathered by kind. Each part is
// JSON without what surrounds it: text without its quotes, lists without
// their brackets.
type replyContent struct {
	text, thinking []byte
	blocks         []byte // thinking blocks as they came
	calls          []byte // tool calls in OpenAI's shape
}

func readContent(list gjson.Result) replyContent {
	var c replyContent
	list.ForEach(func(_, b gjson.Result) bool {
		switch b.Get("type").Str {
		case "text":
			c.text = appendInner(c.text, b.Get("text"))
		case "thinking":
			c.thinking = appendInner(c.thinking, b.Get("thinking"))
			c.blocks = append(jsontext.Comma(c.blocks), b.Raw...)
		case "redacted_thinking":
			c.blocks = append(jsontext.Comma(c.blocks), b.Raw...)
		case "tool_use":
			c.calls = append(append(jsontext.Comma(c.calls), `{"id":`...), jsontext.RawString(b.Get("id"))...)
			c.calls = append(append(c.calls, `,"type":"function","function":{"name":`...), jsontext.RawString(b.Get("name"))...)
			c.calls = append(c.calls, `,"arguments":`...)
			c.calls = dialect.AppendString(c.calls, jsontext.Compact(b.Get("input").Raw))
			c.calls = append(c.calls, "}}"...)
		}
		return true
	})
	return c
}

// chatForOpenAI renders a whole message as OpenAI's chat completion.
func chatForOpenAI(message gjson.Result, u tokens, created int64) []byte {
	c := readContent(message.Get("content"))
	refusal := message.Get("stop_details.explanation")
	b := make([]byte, 0, len(message.Raw)+256)
	b = append(append(b, `{"id":`...), jsontext.RawString(message.Get("id"))...)
	b = appendCount(append(b, `,"object":"chat.completion","created":`...), created)
	b = append(append(b, `,"model":`...), jsontext.RawString(message.Get("model"))...)
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if len(c.text) == 0 && (len(c.calls) > 0 || refusal.Type == gjson.String) {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), c.text...), '"')
	}
	b = append(b, `,"refusal":`...)
	if refusal.Type == gjson.String {
		b = append(b, refusal.Raw...)
	} else {
		b = append(b, "null"...)
	}
	if len(c.thinking) > 0 {
		b = append(append(append(b, `,"reasoning_content":"`...), c.thinking...), '"')
	}
	if len(c.blocks) > 0 {
		b = append(append(append(b, `,"thinking_blocks":[`...), c.blocks...), ']')
	}
	if len(c.calls) > 0 {
		b = append(append(append(b, `,"tool_calls":[`...), c.calls...), ']')
	}
	b = append(b, `},"logprobs":null,"finish_reason":"`...)
	b = append(append(b, openAIFinish(message.Get("stop_reason").Str)...), `"}],"usage":`...)
	b = u.appendOpenAI(b)
	return append(appendOpenAITier(b, message), '}')
}

// completionForOpenAI renders a whole message as OpenAI's text completion.
// Thinking has no place in it.
func completionForOpenAI(message gjson.Result, u tokens, created int64) []byte {
	c := readContent(message.Get("content"))
	b := make([]byte, 0, len(message.Raw)+256)
	b = append(append(b, `{"id":`...), jsontext.RawString(message.Get("id"))...)
	b = appendCount(append(b, `,"object":"text_completion","created":`...), created)
	b = append(append(b, `,"model":`...), jsontext.RawString(message.Get("model"))...)
	b = append(append(b, `,"choices":[{"index":0,"text":"`...), c.text...)
	b = append(append(b, `","logprobs":null,"finish_reason":"`...), openAIFinish(message.Get("stop_reason").Str)...)
	b = append(b, `"}],"usage":`...)
	return append(u.appendOpenAI(b), '}')
}

// appendOpenAITier tells the service tier that answered, where OpenAI has a
// word for it.
func appendOpenAITier(b []byte, message gjson.Result) []byte {
	switch message.Get("usage.service_tier").Str {
	case "standard":
		return append(b, `,"service_tier":"default"`...)
	case "priority":
		return append(b, `,"service_tier":"priority"`...)
	}
	return b
}

// appendInner adds a JSON string without its quotes.
func appendInner(b []byte, v gjson.Result) []byte {
	if v.Type != gjson.String {
		return b
	}
	return append(b, v.Raw[1:len(v.Raw)-1]...)
}
