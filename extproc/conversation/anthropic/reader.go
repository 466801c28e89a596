package anthropic

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/sse"
)

// NewReader begins a stream of a server of the Messages API.
func (provider) NewReader() conversation.Reader {
	return &reader{stream: Stream{Usage: NoUsage}, index: -1}
}

// reader turns a stream into the form's events.
type reader struct {
	stream Stream
	fn     func(*conversation.Event) // during one call
	ev     conversation.Event        // used again

	index    int // of the last block that the client is told of
	open     conversation.Kind
	args     bool   // the open tool call was given arguments
	proof    []byte // signature of the open block
	data     string // of an open redacted block
	finished bool
}

func (r *reader) Feed(b []byte, fn func(*conversation.Event)) error {
	r.fn = fn
	return r.stream.Feed(b, r.event)
}

func (r *reader) Close(fn func(*conversation.Event)) error {
	r.fn = fn
	return r.stream.Close(r.event)
}

// tell passes an event on.
func (r *reader) tell(ev conversation.Event) {
	ev.Index, ev.Usage = max(r.index, 0), r.stream.Usage.form()
	r.ev = ev
	r.fn(&r.ev)
}

func (r *reader) event(_ sse.Event, ev *Event) {
	switch ev.Kind {
	case MessageStart:
		r.tell(conversation.Event{Kind: conversation.Start, ID: ev.Message.Get("id").Str, Model: ev.Message.Get("model").Str})
	case BlockStart:
		r.start(ev.Block)
	case BlockDelta:
		r.delta(ev.Delta)
	case BlockStop:
		r.stop()
	case MessageDelta:
		r.finish(ev.Delta)
	case MessageStop:
		r.stop()
		if !r.finished {
			r.tell(conversation.Event{Kind: conversation.Finish, Stop: conversation.StopUnknown})
		}
		r.tell(conversation.Event{Kind: conversation.End})
	}
}

func (r *reader) start(block gjson.Result) {
	r.stop() // the one before, should its end be missing
	b, ok := readReplyBlock(block)
	if !ok || r.finished {
		return
	}
	r.index++
	r.open, r.args, r.proof, r.data = b.Kind, false, append(r.proof[:0], b.Signature...), strings.Clone(b.Data)
	r.tell(conversation.Event{Kind: conversation.BlockStart, Block: conversation.Block{Kind: b.Kind, ID: b.ID, Name: b.Name}})
	switch {
	case b.Kind == conversation.ToolUse && b.Input != "{}":
		r.more(string(b.Input))
	case b.Kind == conversation.Text, b.Kind == conversation.Thinking:
		r.more(b.Text)
	}
}

// more passes on a piece of the open block.
func (r *reader) more(text string) {
	if text != "" {
		r.args = true
		r.tell(conversation.Event{Kind: conversation.Delta, Block: conversation.Block{Kind: r.open}, Text: text})
	}
}

func (r *reader) delta(delta gjson.Result) {
	var kind, text string
	delta.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			kind = v.Str
		case "text", "thinking", "partial_json", "signature":
			text = v.Str
		}
		return true
	})
	switch {
	case kind == "text_delta" && r.open == conversation.Text,
		kind == "thinking_delta" && r.open == conversation.Thinking,
		kind == "input_json_delta" && r.open == conversation.ToolUse:
		r.more(text)
	case kind == "signature_delta" && r.open == conversation.Thinking:
		r.proof = append(r.proof, text...)
	}
}

// stop ends the open block. A tool call without arguments gets the object that
// it is called with.
func (r *reader) stop() {
	if r.open == 0 {
		return
	}
	if r.open == conversation.ToolUse && !r.args {
		r.more("{}")
	}
	block := conversation.Block{Kind: r.open, Signature: string(r.proof), Data: r.data}
	r.open = 0
	r.tell(conversation.Event{Kind: conversation.BlockStop, Block: block})
}

func (r *reader) finish(delta gjson.Result) {
	reason := delta.Get("stop_reason")
	if reason.Type != gjson.String || r.finished {
		return
	}
	r.stop()
	r.finished = true
	if words := delta.Get("stop_details.explanation").Str; words != "" {
		r.index++
		r.open = conversation.Refusal
		r.tell(conversation.Event{Kind: conversation.BlockStart, Block: conversation.Block{Kind: conversation.Refusal}})
		r.more(words)
		r.proof, r.data = r.proof[:0], ""
		r.stop()
	}
	r.tell(conversation.Event{Kind: conversation.Finish, Stop: stopOf(reason.Str), StopText: delta.Get("stop_sequence").Str})
}
