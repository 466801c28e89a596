package gemini

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect/jsontext"
)

// finishOf is Gemini's word for why an answer ended.
func finishOf(reason conversation.StopReason) string {
	switch reason {
	case conversation.StopEnd, conversation.StopSequence, conversation.StopTools:
		return "STOP"
	case conversation.StopLength:
		return "MAX_TOKENS"
	case conversation.StopFilter, conversation.StopRefusal:
		return "SAFETY"
	}
	return "OTHER"
}

func (client) AppendReply(b []byte, r *conversation.Reply, m conversation.Meta) []byte {
	w := newWriter(m)
	w.id, w.model = r.ID, r.Model
	b = append(b, `{"candidates":[{"content":{"parts":[`...)
	for i := range r.Blocks {
		if block := &r.Blocks[i]; !w.odd(block) {
			b = w.block(jsontext.Comma(b), block)
		}
	}
	b = append(append(b, `],"role":"model"},"finishReason":"`...), w.finish(r.Stop)...)
	b = append(b, `","index":0}]`...)
	return append(w.tail(b, &r.Usage), '}')
}

func (client) NewWriter(m conversation.Meta) conversation.Writer { return newWriter(m) }

// writer writes an answer, whole or as a stream of events that are
// GenerateContentResponses each. Gemini's function calls are never in pieces:
// a call goes out when it is complete.
type writer struct {
	meta      conversation.Meta
	id, model string // as the provider told them

	kind   conversation.Kind
	call   conversation.Block // that is under way, or media
	args   []byte             // its arguments so far
	broken bool               // a call's arguments are no object
	stop   conversation.StopReason
}

func newWriter(m conversation.Meta) *writer {
	return &writer{meta: m, stop: conversation.StopUnknown}
}

// odd notes and reports a call that was cut off: it can't be written.
func (w *writer) odd(b *conversation.Block) bool {
	if b.Kind != conversation.ToolUse || isObject(string(b.Input)) {
		return false
	}
	w.broken = true
	return true
}

func isObject(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s == "" || s[0] == '{' && jsontext.Valid([]byte(s))
}

func (w *writer) finish(stop conversation.StopReason) string {
	if w.broken && stop != conversation.StopLength {
		return "MALFORMED_FUNCTION_CALL"
	}
	return finishOf(stop)
}

// block writes a part.
func (w *writer) block(b []byte, block *conversation.Block) []byte {
	switch block.Kind {
	case conversation.Thinking:
		b = append(codec.AppendText(append(b, '{'), "text", block.Text), `,"thought":true`...)
		if block.Signature != "" {
			b = appendForeign(b, signedThinking, block.Signature)
		}
	case conversation.Redacted:
		b = appendForeign(append(b, `{"text":"","thought":true`...), sealedThinking, block.Data)
	case conversation.ToolUse:
		b = append(b, `{"functionCall":{`...)
		if block.ID != "" {
			b = codec.AppendText(b, "id", block.ID)
		}
		b = codec.AppendRaw(codec.AppendText(b, "name", block.Name), "args", object(block.Input))
		b = append(b, '}')
		if block.Signature != "" {
			b = appendForeign(b, signedThinking, block.Signature)
		}
	case conversation.Image, conversation.Audio, conversation.Document:
		b = codec.AppendText(append(b, `{"inlineData":{`...), "mimeType", block.MediaType)
		b = append(codec.AppendText(b, "data", block.Data), '}')
	default:
		b = codec.AppendText(append(b, '{'), "text", block.Text)
	}
	return append(b, '}')
}

// tail writes what follows the candidates.
func (w *writer) tail(b []byte, u *conversation.Usage) []byte {
	if u != nil && (u.Input >= 0 || u.Output >= 0) {
		b = append(b, `,"usageMetadata":{`...)
		b = number(b, "promptTokenCount", max(u.Input, 0))
		b = number(b, "candidatesTokenCount", max(u.Output-max(u.Reasoning, 0), 0))
		if u.Reasoning > 0 {
			b = number(b, "thoughtsTokenCount", u.Reasoning)
		}
		if u.CacheRead > 0 {
			b = number(b, "cachedContentTokenCount", u.CacheRead)
		}
		b = append(number(b, "totalTokenCount", max(u.Input, 0)+max(u.Output, 0)), '}')
	}
	model, id := w.model, w.id
	if model == "" {
		model = w.meta.Model
	}
	if id == "" {
		id = w.meta.ExchangeID
	}
	return codec.AppendText(codec.AppendText(b, "modelVersion", model), "responseId", id)
}

func (w *writer) Append(b []byte, ev *conversation.Event) []byte {
	switch ev.Kind {
	case conversation.Start:
		w.id, w.model = strings.Clone(ev.ID), strings.Clone(ev.Model)
	case conversation.BlockStart:
		w.kind, w.args = ev.Block.Kind, w.args[:0]
		w.call = conversation.Block{
			ID: strings.Clone(ev.Block.ID), Name: strings.Clone(ev.Block.Name),
			MediaType: strings.Clone(ev.Block.MediaType), Data: strings.Clone(ev.Block.Data),
		}
	case conversation.Delta:
		if w.kind == conversation.ToolUse {
			w.args = append(w.args, ev.Text...)
			return b
		}
		if ev.Text != "" {
			return w.event(b, &conversation.Block{Kind: w.kind, Text: ev.Text})
		}
	case conversation.BlockStop:
		return w.blockStop(b, ev)
	case conversation.Finish:
		w.stop = ev.Stop
	case conversation.End:
		return w.end(b, ev)
	}
	return b
}

func (w *writer) blockStop(b []byte, ev *conversation.Event) []byte {
	block := conversation.Block{Kind: w.kind, Signature: ev.Block.Signature, Data: ev.Block.Data}
	switch w.kind {
	case conversation.ToolUse:
		block.ID, block.Name, block.Input = w.call.ID, w.call.Name, conversation.Raw(w.args)
		if w.odd(&block) {
			return b
		}
	case conversation.Thinking:
		if block.Signature == "" {
			return b
		}
	case conversation.Redacted:
	case conversation.Image, conversation.Audio, conversation.Document:
		block.MediaType = w.call.MediaType
		if block.Data == "" {
			block.Data = w.call.Data
		}
	default:
		return b
	}
	return w.event(b, &block)
}

// event writes one part in an event of its own.
func (w *writer) event(b []byte, block *conversation.Block) []byte {
	b = append(b, `data: {"candidates":[{"content":{"parts":[`...)
	b = append(w.block(b, block), `],"role":"model"},"index":0}]`...)
	return append(w.tail(b, nil), "}\n\n"...)
}

func (w *writer) end(b []byte, ev *conversation.Event) []byte {
	b = append(b, `data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"`...)
	b = append(append(b, w.finish(w.stop)...), `","index":0}]`...)
	return append(w.tail(b, &ev.Usage), "}\n\n"...)
}

var _ conversation.Writer = (*writer)(nil)
