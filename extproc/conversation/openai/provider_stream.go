package openai

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

func (chatProvider) NewReader() conversation.Reader { return &reader{usage: conversation.NoUsage} }

// reader reads a stream of chunks.
type reader struct {
	events  sse.Reader
	blocks  queue
	usage   conversation.Usage
	begun   bool
	stopped bool // a finish_reason came
	ended   bool // End was told
	called  bool // there was a tool call
	refused bool
}

func (r *reader) Feed(b []byte, fn func(*conversation.Event)) error {
	return r.events.Feed(b, func(ev sse.Event) error { return r.event(ev, fn) })
}

func (r *reader) Close(fn func(*conversation.Event)) error {
	err := r.events.End(func(ev sse.Event) error {
		if ev.Data == nil || !isDone(ev.Data) && !jsontext.Valid(ev.Data) {
			return nil // cut off inside an event
		}
		return r.event(ev, fn)
	})
	switch {
	case err != nil:
		return err
	case r.ended:
		return nil
	case !r.stopped:
		return conversation.ErrTruncated
	}
	// Servers that leave out [DONE] have told a finish_reason.
	r.end(fn)
	return nil
}

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

func (r *reader) event(ev sse.Event, fn func(*conversation.Event)) error {
	switch {
	case ev.Data == nil || r.ended:
		return nil
	case isDone(ev.Data):
		if !r.begun {
			return conversation.ErrTruncated
		}
		r.end(fn)
		return nil
	case !jsontext.Valid(ev.Data):
		return errNotJSON
	}
	return r.chunk(jsontext.View(ev.Data), fn)
}

func (r *reader) chunk(root gjson.Result, fn func(*conversation.Event)) error {
	c := readChunk(root)
	var first gjson.Result
	c.choices.ForEach(func(_, v gjson.Result) bool {
		if v.Get("index").Int() == 0 {
			first = v
		}
		return !first.Exists()
	})
	choice := readChoice(first)
	if err := failureOf(c.failed, choice.failed); err != nil {
		return err
	}
	if u := ReadUsage(c.usage); u != conversation.NoUsage {
		r.usage = u
	} else if u := ReadUsage(c.groq.Get("usage")); u != conversation.NoUsage {
		r.usage = u
	}
	if !first.IsObject() {
		return nil // Azure's first, with what its filter says; the last, with usage
	}
	if !r.begun {
		r.begun = true
		r.blocks.reply = strings.Clone(c.id.Str)
		fn(&conversation.Event{Kind: conversation.Start, ID: c.id.Str, Model: c.model.Str, Usage: r.usage})
	}
	return r.choice(choice, fn)
}

func (r *reader) choice(c choice, fn func(*conversation.Event)) error {
	if c.message.IsObject() && !r.stopped {
		if err := r.delta(readSaid(c.message), fn); err != nil {
			return err
		}
	}
	if c.reason.Type != gjson.String || r.stopped {
		return nil
	}
	r.stopped = true
	r.blocks.flush(fn)
	reason, text := c.stop()
	if reason == conversation.StopEnd {
		reason = stopBy(r.called, r.refused)
	}
	fn(&conversation.Event{Kind: conversation.Finish, Stop: reason, StopText: text, Usage: r.usage})
	return nil
}

// end tells what is left. A stream that said [DONE] without a reason is whole.
func (r *reader) end(fn func(*conversation.Event)) {
	if !r.stopped {
		r.stopped = true
		r.blocks.flush(fn)
		fn(&conversation.Event{Kind: conversation.Finish, Stop: conversation.StopUnknown, Usage: r.usage})
	}
	r.ended = true
	fn(&conversation.Event{Kind: conversation.End, Usage: r.usage})
}

// delta takes in what a chunk adds: reasoning comes before the answer.
func (r *reader) delta(s said, fn func(*conversation.Event)) (err error) {
	told := s.reasoning.Str != ""
	r.blocks.text(conversation.Thinking, s.reasoning.Str, fn)
	r.proofs(s.details, told, fn)
	r.proofs(s.thinking, told, fn)
	if s.content.Type == gjson.String {
		r.blocks.text(conversation.Text, s.content.Str, fn)
	} else if s.content.IsArray() {
		s.content.ForEach(func(_, part gjson.Result) bool {
			kind, text := partOf(part)
			r.blocks.text(kind, text, fn)
			return true
		})
	}
	if s.refusal.Str != "" {
		r.refused = true
		r.blocks.text(conversation.Refusal, s.refusal.Str, fn)
	}
	s.calls.ForEach(func(_, c gjson.Result) bool {
		err = r.call(c, fn)
		return err == nil
	})
	return err
}

// proofs takes in reasoning details: signatures and reasoning that can't be
// read; their text too, where the delta does not tell it another way.
func (r *reader) proofs(list gjson.Result, told bool, fn func(*conversation.Event)) {
	list.ForEach(func(_, v gjson.Result) bool {
		d := readDetail(v)
		if !told {
			r.blocks.text(conversation.Thinking, d.text, fn)
		}
		if d.signature != "" {
			r.blocks.sign(d.signature, fn)
		}
		if d.data != "" {
			r.blocks.redacted(d.data, fn)
		}
		return true
	})
}

func (r *reader) call(c gjson.Result, fn func(*conversation.Event)) error {
	r.called = true
	index := int64(-1)
	if v := c.Get("index"); v.Type == gjson.Number {
		index = v.Int()
	}
	function := c.Get("function")
	arguments := function.Get("arguments")
	text := arguments.Str
	if arguments.IsObject() {
		text = arguments.Raw
	}
	return r.blocks.call(index, c.Get("id").Str, function.Get("name").Str, text, callSignature(c), fn)
}
