package openai

import (
	"cmp"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// finishOf is the finish_reason of a stop. What OpenAI has no word for is a
// stop.
func finishOf(s conversation.StopReason) string {
	switch s {
	case conversation.StopLength:
		return "length"
	case conversation.StopTools:
		return "tool_calls"
	case conversation.StopFilter, conversation.StopRefusal:
		return "content_filter"
	}
	return "stop"
}

// appendHead begins an answer, up to its choices.
func appendHead(b []byte, id, model, object string, m conversation.Meta) []byte {
	b = codec.AppendText(append(b, '{'), "id", cmp.Or(id, "chatcmpl-"+m.ExchangeID))
	b = codec.AppendText(b, "object", object)
	b = appendCount(codec.AppendMember(b, "created"), m.Created)
	b = codec.AppendText(b, "model", cmp.Or(model, m.Model))
	return append(b, `,"choices":[`...)
}

// AppendReply adds a chat completion.
func (chatClient) AppendReply(b []byte, r *conversation.Reply, m conversation.Meta) []byte {
	b = appendHead(b, r.ID, r.Model, "chat.completion", m)
	b = append(b, `{"index":0,"message":{"role":"assistant","content":`...)
	text := joined(r.Blocks, conversation.Text)
	refusal, refused := joined(r.Blocks, conversation.Refusal), has(r.Blocks, conversation.Refusal)
	if text == "" && (refused || has(r.Blocks, conversation.ToolUse)) {
		b = append(b, "null"...)
	} else {
		b = dialect.AppendString(b, text)
	}
	if b = append(b, `,"refusal":`...); refused {
		b = dialect.AppendString(b, refusal)
	} else {
		b = append(b, "null"...)
	}
	if thinking := joined(r.Blocks, conversation.Thinking); thinking != "" {
		b = codec.AppendText(b, "reasoning_content", thinking)
	}
	b = appendLists(b, r.Blocks)
	b = append(b, `},"logprobs":null,"finish_reason":"`...)
	b = append(append(b, finishOf(r.Stop)...), `"}],"usage":`...)
	b = appendUsage(b, r.Usage)
	if r.ServiceTier != "" {
		b = codec.AppendText(b, "service_tier", r.ServiceTier)
	}
	return append(b, '}')
}

// joined is the text of all blocks of a kind.
func joined(blocks []conversation.Block, kind conversation.Kind) string {
	var one string
	var more strings.Builder
	for i := range blocks {
		switch {
		case blocks[i].Kind != kind || blocks[i].Text == "":
		case one == "":
			one = blocks[i].Text
		default:
			if more.Len() == 0 {
				more.WriteString(one)
			}
			more.WriteString(blocks[i].Text)
		}
	}
	if more.Len() > 0 {
		return more.String()
	}
	return one
}

func has(blocks []conversation.Block, kind conversation.Kind) bool {
	for i := range blocks {
		if blocks[i].Kind == kind {
			return true
		}
	}
	return false
}

// appendLists adds thinking_blocks and tool_calls, where there are any. Only
// thinking that its provider can verify has to come back.
func appendLists(b []byte, blocks []conversation.Block) []byte {
	open := false
	for i := range blocks {
		if k := blocks[i].Kind; k == conversation.Redacted || k == conversation.Thinking && blocks[i].Signature != "" {
			if !open {
				b, open = append(codec.AppendMember(b, "thinking_blocks"), '['), true
			}
			b = appendThinking(jsontext.Comma(b), &blocks[i])
		}
	}
	if open {
		b = append(b, ']')
	}
	open = false
	for i := range blocks {
		if c := &blocks[i]; c.Kind == conversation.ToolUse {
			if !open {
				b, open = append(codec.AppendMember(b, "tool_calls"), '['), true
			}
			b = codec.AppendText(append(jsontext.Comma(b), '{'), "id", c.ID)
			b = codec.AppendText(append(b, `,"type":"function","function":{`...), "name", c.Name)
			b = codec.AppendText(b, "arguments", jsontext.Compact(string(c.Input)))
			b = append(appendSignature(append(b, '}'), c.Signature), '}')
		}
	}
	if open {
		b = append(b, ']')
	}
	return b
}

// appendThinking adds a thinking or redacted block in Anthropic's shape.
func appendThinking(b []byte, block *conversation.Block) []byte {
	if block.Kind == conversation.Redacted {
		return append(codec.AppendText(append(b, `{"type":"redacted_thinking"`...), "data", block.Data), '}')
	}
	b = codec.AppendText(append(b, `{"type":"thinking"`...), "thinking", block.Text)
	return append(codec.AppendText(b, "signature", block.Signature), '}')
}

// appendSignature adds what proves a tool call to Gemini, where Google puts it.
func appendSignature(b []byte, signature string) []byte {
	if signature == "" {
		return b
	}
	b = append(jsontext.Comma(b), `"extra_content":{"google":{`...)
	return append(codec.AppendText(b, "thought_signature", signature), "}}"...)
}

// AppendReply adds a text completion. Reasoning has no place in it.
func (completionsClient) AppendReply(b []byte, r *conversation.Reply, m conversation.Meta) []byte {
	b = appendHead(b, r.ID, r.Model, "text_completion", m)
	b = codec.AppendText(append(b, `{"index":0`...), "text", joined(r.Blocks, conversation.Text))
	b = append(b, `,"logprobs":null,"finish_reason":"`...)
	b = append(append(b, textFinishOf(r.Stop)...), `"}],"usage":`...)
	return append(appendUsage(b, r.Usage), '}')
}

// textFinishOf is the finish_reason of a text completion, which knows no
// tools.
func textFinishOf(s conversation.StopReason) string {
	if s == conversation.StopTools {
		return "stop"
	}
	return finishOf(s)
}
