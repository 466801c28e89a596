package cohere

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

// NewReader begins a streamed reply: server-sent events, whose data name their
// type.
func (codec) NewReader() conversation.Reader { return &reader{usage: conversation.NoUsage} }

type reader struct {
	events sse.Reader
	usage  conversation.Usage
	next   int               // index of the next block
	open   conversation.Kind // of the block under way; 0: none
	begun  bool
	whole  bool // message-end came
	err    error
}

func (r *reader) Feed(b []byte, fn func(*conversation.Event)) error {
	if r.err != nil {
		return r.err
	}
	r.err = r.events.Feed(b, func(ev sse.Event) error { return r.event(ev, fn) })
	return r.err
}

func (r *reader) Close(fn func(*conversation.Event)) error {
	if r.err != nil || r.whole {
		return r.err
	}
	err := r.events.End(func(ev sse.Event) error {
		if !jsontext.Valid(ev.Data) {
			return nil
		}
		return r.event(ev, fn)
	})
	if err == nil && !r.whole {
		err = conversation.ErrTruncated
	}
	r.err = err
	return err
}

func (r *reader) event(ev sse.Event, fn func(*conversation.Event)) error {
	switch {
	case r.whole, ev.Data == nil, string(ev.Data) == "[DONE]":
		return nil
	case !jsontext.Valid(ev.Data):
		return errReply
	}
	return r.read(jsontext.View(ev.Data), fn)
}

func (r *reader) read(data gjson.Result, fn func(*conversation.Event)) error {
	kind := data.Get("type").Str
	message := data.Get("delta.message")
	if kind != "message-start" && kind != "" && !r.begun {
		r.start("", fn)
	}
	switch kind {
	case "message-start":
		r.start(data.Get("id").Str, fn)
	case "content-start":
		r.content(message.Get("content"), true, fn)
	case "content-delta":
		r.content(message.Get("content"), false, fn)
	case "tool-plan-delta":
		r.text(conversation.Text, message.Get("tool_plan").Str, false, fn)
	case "tool-call-start":
		r.call(message.Get("tool_calls"), fn)
	case "tool-call-delta":
		if r.open != conversation.ToolUse {
			return errReply
		}
		r.delta(message.Get("tool_calls.function.arguments").Str, fn)
	case "content-end", "tool-call-end":
		r.stop(fn)
	case "message-end":
		return r.end(data.Get("delta"), fn)
	case "":
		if text := data.Get("message"); text.Type == gjson.String {
			return &conversation.Failure{Message: text.Str}
		}
	}
	return nil // citations, debug, and what is new
}

func (r *reader) start(id string, fn func(*conversation.Event)) {
	if !r.begun {
		r.begun = true
		fn(&conversation.Event{Kind: conversation.Start, ID: id, Usage: r.usage})
	}
}

// content begins or goes on with a block of text or thinking.
func (r *reader) content(v gjson.Result, begins bool, fn func(*conversation.Event)) {
	if thought := v.Get("thinking"); v.Get("type").Str == "thinking" || jsontext.Present(thought) && !jsontext.Present(v.Get("text")) {
		r.text(conversation.Thinking, thought.Str, begins, fn)
		return
	}
	r.text(conversation.Text, v.Get("text").Str, begins, fn)
}

func (r *reader) text(kind conversation.Kind, text string, begins bool, fn func(*conversation.Event)) {
	if begins || r.open != kind {
		r.block(conversation.Block{Kind: kind}, fn)
	}
	r.delta(text, fn)
}

func (r *reader) call(v gjson.Result, fn func(*conversation.Event)) {
	r.block(conversation.Block{Kind: conversation.ToolUse, ID: v.Get("id").Str, Name: v.Get("function.name").Str}, fn)
	r.delta(v.Get("function.arguments").Str, fn)
}

// block begins a block, after the end of the one under way.
func (r *reader) block(b conversation.Block, fn func(*conversation.Event)) {
	r.stop(fn)
	r.open = b.Kind
	fn(&conversation.Event{Kind: conversation.BlockStart, Index: r.next, Block: b, Usage: r.usage})
	r.next++
}

func (r *reader) delta(text string, fn func(*conversation.Event)) {
	if text != "" {
		fn(&conversation.Event{Kind: conversation.Delta, Index: r.next - 1, Block: conversation.Block{Kind: r.open}, Text: text, Usage: r.usage})
	}
}

func (r *reader) stop(fn func(*conversation.Event)) {
	if r.open != 0 {
		fn(&conversation.Event{Kind: conversation.BlockStop, Index: r.next - 1, Block: conversation.Block{Kind: r.open}, Usage: r.usage})
		r.open = 0
	}
}

func (r *reader) end(delta gjson.Result, fn func(*conversation.Event)) error {
	if told := delta.Get("error"); told.Type == gjson.String && told.Str != "" {
		return &conversation.Failure{Message: told.Str}
	}
	reason, failed := stop(delta.Get("finish_reason").Str)
	if failed != nil {
		return failed
	}
	r.stop(fn)
	r.usage = usage(delta.Get("usage"))
	r.whole = true
	fn(&conversation.Event{Kind: conversation.Finish, Stop: reason, Usage: r.usage})
	fn(&conversation.Event{Kind: conversation.End, Usage: r.usage})
	return nil
}
