package converse

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
)

// Read reads a reply of Converse.
func (provider) Read(body []byte) (*conversation.Reply, error) {
	root := jsontext.View(body)
	content := root.Get("output.message.content")
	if !content.IsArray() {
		return nil, errReply
	}
	r := &conversation.Reply{Usage: Usage(root.Get("usage"))}
	called := false
	content.ForEach(func(_, v gjson.Result) bool {
		r.Blocks = readBlock(r.Blocks, v)
		if n := len(r.Blocks); n > 0 && r.Blocks[n-1].Kind == conversation.ToolUse {
			called = true
		}
		return true
	})
	r.Stop = stopReason(root.Get("stopReason").Str, called)
	r.StopText = root.Get("additionalModelResponseFields.stop_sequence").Str
	return r, nil
}

// readBlock adds a block of content. What is new, or adds nothing to the
// answer, is passed over.
func readBlock(blocks []conversation.Block, v gjson.Result) []conversation.Block {
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "text":
			blocks = append(blocks, conversation.Block{Kind: conversation.Text, Text: v.Str})
		case "toolUse":
			blocks = append(blocks, readToolUse(v))
		case "reasoningContent":
			if data := v.Get("redactedContent"); data.Type == gjson.String {
				blocks = append(blocks, conversation.Block{Kind: conversation.Redacted, Data: data.Str})
			} else if text := v.Get("reasoningText"); text.IsObject() {
				blocks = append(blocks, conversation.Block{
					Kind: conversation.Thinking, Text: text.Get("text").Str, Signature: text.Get("signature").Str,
				})
			}
		case "citationsContent":
			v.Get("content").ForEach(func(_, part gjson.Result) bool {
				blocks = append(blocks, conversation.Block{Kind: conversation.Text, Text: part.Get("text").Str})
				return true
			})
		case "image":
			if data := v.Get("source.bytes"); data.Type == gjson.String {
				blocks = append(blocks, conversation.Block{
					Kind: conversation.Image, MediaType: "image/" + v.Get("format").Str, Data: data.Str,
				})
			}
		}
		return true
	})
	return blocks
}

// readToolUse reads a tool call; that of AnswerTool is the answer's text.
func readToolUse(v gjson.Result) conversation.Block {
	input := v.Get("input")
	raw := input.Raw
	if !input.IsObject() {
		raw = "{}"
	}
	if v.Get("name").Str == AnswerTool {
		return conversation.Block{Kind: conversation.Text, Text: raw}
	}
	return conversation.Block{
		Kind: conversation.ToolUse, ID: v.Get("toolUseId").Str, Name: v.Get("name").Str, Input: conversation.Raw(raw),
	}
}

// stopReason reads why an answer ended. called: it holds tool calls for the
// client; without one, tool_use means that AnswerTool was called.
func stopReason(reason string, called bool) conversation.StopReason {
	switch reason {
	case "end_turn":
		return conversation.StopEnd
	case "tool_use":
		if !called {
			return conversation.StopEnd
		}
		return conversation.StopTools
	case "max_tokens", "model_context_window_exceeded":
		return conversation.StopLength
	case "stop_sequence":
		return conversation.StopSequence
	case "guardrail_intervened", "content_filtered":
		return conversation.StopFilter
	case "refusal":
		return conversation.StopRefusal
	case "pause_turn":
		return conversation.StopPause
	}
	return conversation.StopUnknown
}

// Usage reads a usage object. Bedrock's inputTokens are without those that
// were read from, or written to, a cache.
func Usage(v gjson.Result) conversation.Usage {
	u := conversation.NoUsage
	v.ForEach(func(k, v gjson.Result) bool {
		if v.Type != gjson.Number || v.Num < 0 {
			return true
		}
		switch k.Str {
		case "inputTokens":
			u.Input = v.Int()
		case "outputTokens":
			u.Output = v.Int()
		case "cacheReadInputTokens":
			u.CacheRead = v.Int()
		case "cacheWriteInputTokens":
			u.CacheWrite = v.Int()
		}
		return true
	})
	if u.Input >= 0 {
		u.Input += max(u.CacheRead, 0) + max(u.CacheWrite, 0)
	}
	return u
}
