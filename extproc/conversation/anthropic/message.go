package anthropic

import (
	"cmp"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// SignatureMark begins the data of a redacted_thinking block that carries the
// signature of the tool call before it. The API has no place for one; clients
// give such blocks back as they came, as they must with Anthropic's own.
const SignatureMark = "tool_use_signature:"

// toolSignature is the signature that a block carries.
func toolSignature(b *rawBlock) (string, bool) {
	if b.kind != "redacted_thinking" {
		return "", false
	}
	return strings.CutPrefix(b.data.Str, SignatureMark)
}

// AppendReply writes a message. A refusal's words are a text block; the
// signature of a tool call follows it in a redacted_thinking block; for an image
// or a sound, which messages of the API do not have, a text says so.
func (client) AppendReply(b []byte, r *conversation.Reply, m conversation.Meta) []byte {
	b = appendHead(b, r.ID, r.Model, m)
	refused := false
	for i := range r.Blocks {
		b = appendReplyBlock(b, &r.Blocks[i])
		refused = refused || r.Blocks[i].Kind == conversation.Refusal
	}
	b = appendStop(append(b, `],`...), r.Stop, r.StopText, refused)
	return append(appendUsage(append(b, `,"usage":`...), r.Usage), '}')
}

// appendHead writes a message up to its content.
func appendHead(b []byte, id, model string, m conversation.Meta) []byte {
	b = dialect.AppendString(append(b, `{"id":`...), cmp.Or(id, "msg_"+m.ExchangeID))
	b = dialect.AppendString(append(b, `,"type":"message","role":"assistant","model":`...), cmp.Or(model, m.Model))
	return append(b, `,"content":[`...)
}

func appendReplyBlock(b []byte, block *conversation.Block) []byte {
	switch block.Kind {
	case conversation.Text, conversation.Refusal:
		if block.Text == "" {
			return b // clients would send it back, and empty texts are refused
		}
		b = dialect.AppendString(append(jsontext.Comma(b), `{"type":"text","text":`...), block.Text)
	case conversation.Thinking:
		b = dialect.AppendString(append(jsontext.Comma(b), `{"type":"thinking","thinking":`...), block.Text)
		b = dialect.AppendString(append(b, `,"signature":`...), block.Signature)
	case conversation.Redacted:
		b = appendRedacted(jsontext.Comma(b), block.Data)
	case conversation.ToolUse:
		b = appendToolUse(jsontext.Comma(b), block, objectOf(block.Input))
		if block.Signature == "" {
			return b
		}
		b = appendRedacted(append(b, ','), SignatureMark+block.Signature)
	case conversation.Image, conversation.Audio, conversation.Document:
		b = dialect.AppendString(append(jsontext.Comma(b), `{"type":"text","text":`...), noteOf(block.MediaType))
	}
	if block.Kind == conversation.ToolUse || block.Kind == conversation.Redacted {
		return b
	}
	return append(b, '}')
}

// noteOf tells of a block that can't be carried.
func noteOf(mediaType string) string {
	return "[The model answered with " + cmp.Or(mediaType, "a file") + ", which the Messages API can't carry.]"
}

func appendRedacted(b []byte, data string) []byte {
	return append(dialect.AppendString(append(b, `{"type":"redacted_thinking","data":`...), data), '}')
}

func appendToolUse(b []byte, block *conversation.Block, input conversation.Raw) []byte {
	b = dialect.AppendString(append(b, `{"type":"tool_use","id":`...), block.ID)
	b = dialect.AppendString(append(b, `,"name":`...), block.Name)
	return append(append(append(b, `,"input":`...), input...), '}')
}

// appendStop writes why a message ended.
func appendStop(b []byte, stop conversation.StopReason, text string, refused bool) []byte {
	reason := "end_turn"
	switch stop {
	case conversation.StopSequence:
		reason = "stop_sequence"
	case conversation.StopLength:
		reason = "max_tokens"
	case conversation.StopTools:
		reason = "tool_use"
	case conversation.StopFilter, conversation.StopRefusal:
		reason = "refusal"
	case conversation.StopPause:
		reason = "pause_turn"
	default:
		if refused {
			reason = "refusal"
		}
	}
	b = append(append(append(b, `"stop_reason":"`...), reason...), `","stop_sequence":`...)
	if text == "" {
		return append(b, "null"...)
	}
	return dialect.AppendString(b, text)
}
