package responses

import (
	"cmp"
	"strconv"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

func (client) NewWriter(m conversation.Meta) conversation.Writer {
	return &writer{answer: newAnswer(m)}
}

// writer writes one stream of events. An item's last events are held back
// until the next begins or the answer ends: only then is its status known.
type writer struct {
	answer
	model    string
	sequence int64
	begun    bool

	open   *item
	text   strings.Builder    // of the open item
	closed conversation.Block // what proves the open item, once it is complete
	held   bool               // the open item waits for its status
	items  int
	output []byte // the items that are complete
	// refused: a refusal is among them.
	refused bool

	status, reason string // once the answer ended
}

func (w *writer) Append(b []byte, ev *conversation.Event) []byte {
	switch ev.Kind {
	case conversation.Start:
		return w.start(b, strings.Clone(ev.Model))
	case conversation.BlockStart:
		return w.blockStart(w.settle(b, completed), &ev.Block)
	case conversation.Delta:
		return w.delta(b, ev.Text)
	case conversation.BlockStop:
		w.held = w.open != nil
		w.closed.Signature, w.closed.Data = strings.Clone(ev.Block.Signature), strings.Clone(ev.Block.Data)
	case conversation.Finish:
		w.status, w.reason = statusOf(ev.Stop, w.refused)
		return w.settle(b, w.status)
	case conversation.End:
		return w.response(b, "response."+w.status, w.status, w.reason, ev.Usage)
	}
	return b
}

func (w *writer) start(b []byte, model string) []byte {
	w.model, w.begun = model, true
	b = w.response(b, "response.created", inProgress, "", conversation.NoUsage)
	return w.response(b, "response.in_progress", inProgress, "", conversation.NoUsage)
}

// event begins an event; end completes it.
func (w *writer) event(b []byte, kind string) []byte {
	b = append(append(append(b, "event: "...), kind...), "\ndata: {"...)
	b = codec.AppendText(b, "type", kind)
	b = strconv.AppendInt(append(b, `,"sequence_number":`...), w.sequence, 10)
	w.sequence++
	return b
}

func end(b []byte) []byte { return append(b, "}\n\n"...) }

func (w *writer) response(b []byte, kind, status, reason string, u conversation.Usage) []byte {
	b = append(w.event(b, kind), `,"response":`...)
	return end(w.appendResponse(b, w.model, status, reason, w.output, u))
}

// about begins an event about the open item.
func (w *writer) about(b []byte, kind string) []byte {
	b = codec.AppendText(w.event(b, kind), "item_id", w.open.id)
	return strconv.AppendInt(append(b, `,"output_index":`...), int64(w.open.index), 10)
}

// place begins an event about the open item's content or summary, of which
// there is one.
func (w *writer) place(b []byte, kind, index string) []byte {
	return append(codec.AppendMember(w.about(b, kind), index), '0')
}

func (w *writer) blockStart(b []byte, block *conversation.Block) []byte {
	it := w.answer.open(&conversation.Block{
		Kind: block.Kind, ID: strings.Clone(block.ID), Name: strings.Clone(block.Name),
	}, w.items)
	w.open, w.items = &it, w.items+1
	w.refused = w.refused || block.Kind == conversation.Refusal
	w.text.Reset()
	w.closed = conversation.Block{}
	b = w.itemEvent(b, "response.output_item.added", inProgress)
	switch it.kind {
	case conversation.Thinking:
		if w.show {
			b = w.place(b, "response.reasoning_summary_part.added", "summary_index")
			b = end(appendSummary(append(b, `,"part":`...), ""))
		}
	case conversation.Text, conversation.Refusal:
		b = w.place(b, "response.content_part.added", "content_index")
		b = end(appendPart(append(b, `,"part":`...), it.kind, ""))
	}
	return b
}

// itemEvent adds an event with the open item as it is so far.
func (w *writer) itemEvent(b []byte, kind, status string) []byte {
	b = strconv.AppendInt(append(w.event(b, kind), `,"output_index":`...), int64(w.open.index), 10)
	return end(w.appendItem(append(b, `,"item":`...), w.open, &w.closed, status))
}

func (w *writer) delta(b []byte, text string) []byte {
	if text == "" || w.open == nil {
		return b
	}
	if w.keeps() {
		w.text.WriteString(text)
	}
	switch w.open.kind {
	case conversation.Thinking:
		if !w.show {
			return b
		}
		b = w.place(b, "response.reasoning_summary_text.delta", "summary_index")
	case conversation.Text:
		b = append(w.place(b, "response.output_text.delta", "content_index"), `,"logprobs":[]`...)
	case conversation.Refusal:
		b = w.place(b, "response.refusal.delta", "content_index")
	case conversation.ToolUse:
		if w.open.tool.kind != function {
			return b // known as a whole only
		}
		b = w.about(b, "response.function_call_arguments.delta")
	default:
		return b
	}
	return end(codec.AppendText(b, "delta", text))
}

// keeps reports whether the open item's text is told again at its end.
func (w *writer) keeps() bool {
	return w.open.kind != conversation.Thinking || w.show || w.proof
}

// settle ends the item that waits for its status.
func (w *writer) settle(b []byte, status string) []byte {
	if !w.held {
		return b
	}
	w.held = false
	w.open.text = w.text.String()
	if w.open.kind == conversation.ToolUse && w.open.text == "" && status == completed {
		w.open.text = "{}" // what clients parse must be an object
		b = w.delta(b, w.open.text)
	}
	b = w.done(b)
	b = w.itemEvent(b, "response.output_item.done", status)
	w.keep(status)
	call, signature := w.open.callID, w.closed.Signature
	w.open = nil
	if call != "" && signature != "" && w.proof {
		b = w.signed(b, call, signature)
	}
	return b
}

// keep adds the open item to the output of the whole.
func (w *writer) keep(status string) {
	w.output = w.appendItem(jsontext.Comma(w.output), w.open, &w.closed, status)
}

// done adds the events that tell the open item's text as a whole.
func (w *writer) done(b []byte) []byte {
	text := w.open.text
	switch w.open.kind {
	case conversation.Thinking:
		if !w.show {
			return b
		}
		b = w.place(b, "response.reasoning_summary_text.done", "summary_index")
		b = end(codec.AppendText(b, "text", text))
		b = w.place(b, "response.reasoning_summary_part.done", "summary_index")
		return end(appendSummary(append(b, `,"part":`...), text))
	case conversation.Text:
		b = append(w.place(b, "response.output_text.done", "content_index"), `,"logprobs":[]`...)
		b = end(codec.AppendText(b, "text", text))
	case conversation.Refusal:
		b = w.place(b, "response.refusal.done", "content_index")
		b = end(codec.AppendText(b, "refusal", text))
	case conversation.ToolUse:
		return w.callDone(b, text)
	default:
		return b
	}
	b = w.place(b, "response.content_part.done", "content_index")
	return end(appendPart(append(b, `,"part":`...), w.open.kind, text))
}

func (w *writer) callDone(b []byte, text string) []byte {
	switch w.open.tool.kind {
	case custom:
		input := customInput(text)
		if input != "" {
			b = end(codec.AppendText(w.about(b, "response.custom_tool_call_input.delta"), "delta", input))
		}
		return end(codec.AppendText(w.about(b, "response.custom_tool_call_input.done"), "input", input))
	case toolSearch:
		return b
	}
	return end(codec.AppendText(w.about(b, "response.function_call_arguments.done"), "arguments", text))
}

// signed adds the item that carries a tool call's signature.
func (w *writer) signed(b []byte, call, signature string) []byte {
	raw := appendReasoning(nil, w.id("rs_", w.items), "", callProof(call, signature))
	for _, kind := range []string{"response.output_item.added", "response.output_item.done"} {
		b = strconv.AppendInt(append(w.event(b, kind), `,"output_index":`...), int64(w.items), 10)
		b = end(append(append(b, `,"item":`...), raw...))
	}
	w.output = append(append(w.output, ','), raw...)
	w.items++
	return b
}

// AppendFailure ends a stream that failed.
func (w *writer) AppendFailure(b []byte, e *dialect.Error) []byte {
	if !w.begun {
		b = w.response(b, "response.created", inProgress, "", conversation.NoUsage)
	}
	return AppendFailed(b, e, Failed{
		ID: w.id("resp_", -1), Model: cmp.Or(w.model, w.meta.Model), Created: w.meta.Created, Sequence: w.sequence, ExchangeID: w.meta.ExchangeID,
	})
}

var _ conversation.Writer = (*writer)(nil)
