package anthropic

import (
	"strconv"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// NewWriter begins a streamed message.
func (client) NewWriter(m conversation.Meta) conversation.Writer { return &writer{meta: m, index: -1} }

// writer writes the published flow of events: message_start; each block's
// start, deltas and stop; message_delta; message_stop.
type writer struct {
	meta conversation.Meta

	index    int               // of the last block written
	kind     conversation.Kind // of the open block
	media    string            // its media type
	begun    bool              // its start was written
	refused  bool
	stop     conversation.StopReason
	stopText string
}

func (w *writer) Append(b []byte, ev *conversation.Event) []byte {
	switch ev.Kind {
	case conversation.Start:
		return w.start(b, ev)
	case conversation.BlockStart:
		w.kind, w.begun, w.media = ev.Block.Kind, false, strings.Clone(ev.Block.MediaType)
		if w.kind == conversation.ToolUse || w.kind == conversation.Thinking {
			return w.blockStart(b, &ev.Block) // others have nothing to show yet
		}
	case conversation.Delta:
		return w.delta(b, ev)
	case conversation.BlockStop:
		return w.blockStop(b, &ev.Block)
	case conversation.Finish:
		w.stop, w.stopText = ev.Stop, strings.Clone(ev.StopText)
	case conversation.End:
		b = append(b, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
		b = appendStop(b, w.stop, w.stopText, w.refused)
		b = appendUsage(append(b, `},"usage":`...), ev.Usage)
		b = append(b, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
	}
	return b
}

func (w *writer) start(b []byte, ev *conversation.Event) []byte {
	b = append(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	b = appendHead(b, ev.ID, ev.Model, w.meta)
	b = append(b, `],"stop_reason":null,"stop_sequence":null,"usage":`...)
	b = appendUsage(b, ev.Usage)
	return append(b, "}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"...)
}

// blockStart writes the start of a block, empty as the API does it.
func (w *writer) blockStart(b []byte, block *conversation.Block) []byte {
	w.begun = true
	w.index++
	b = w.head(b, BlockStart)
	b = append(b, `,"content_block":`...)
	switch w.kind {
	case conversation.Thinking:
		b = append(b, `{"type":"thinking","thinking":"","signature":""}`...)
	case conversation.ToolUse:
		b = appendToolUse(b, block, "{}")
	case conversation.Redacted:
		b = appendRedacted(b, block.Data)
	default:
		b = append(b, `{"type":"text","text":""}`...)
	}
	return append(b, "}\n\n"...)
}

// head writes an event about the open block up to its own members.
func (w *writer) head(b []byte, kind string) []byte {
	b = append(append(b, "event: "...), kind...)
	b = append(append(b, "\ndata: {\"type\":\""...), kind...)
	return strconv.AppendInt(append(b, `","index":`...), int64(w.index), 10)
}

func (w *writer) delta(b []byte, ev *conversation.Event) []byte {
	kind, member := "text_delta", "text"
	switch w.kind {
	case conversation.Thinking:
		kind, member = "thinking_delta", "thinking"
	case conversation.ToolUse:
		kind, member = "input_json_delta", "partial_json"
	case conversation.Refusal:
		w.refused = true
	}
	if ev.Text == "" || w.kind == conversation.Image || w.kind == conversation.Audio || w.kind == conversation.Document {
		return b
	}
	if !w.begun {
		b = w.blockStart(b, &conversation.Block{})
	}
	return w.piece(b, kind, member, ev.Text)
}

func (w *writer) piece(b []byte, kind, member, text string) []byte {
	b = append(append(w.head(b, BlockDelta), `,"delta":{"type":"`...), kind...)
	b = append(append(append(b, `","`...), member...), `":`...)
	return append(dialect.AppendString(b, text), "}}\n\n"...)
}

func (w *writer) blockStop(b []byte, block *conversation.Block) []byte {
	switch w.kind {
	case conversation.Redacted:
		b = w.blockStart(b, block)
	case conversation.Image, conversation.Audio, conversation.Document:
		b = w.piece(w.blockStart(b, block), "text_delta", "text", noteOf(w.media))
	}
	if !w.begun {
		return b // an empty text
	}
	if w.kind == conversation.Thinking && block.Signature != "" {
		b = w.piece(b, "signature_delta", "signature", block.Signature)
	}
	b = append(w.head(b, BlockStop), "}\n\n"...)
	w.begun = false
	if w.kind == conversation.ToolUse && block.Signature != "" {
		w.kind = conversation.Redacted
		b = w.blockStop(b, &conversation.Block{Data: SignatureMark + block.Signature})
	}
	return b
}
