package converse

import (
	"errors"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
)

// NewReader begins a reply of ConverseStream.
func (provider) NewReader() conversation.Reader {
	return &reader{usage: conversation.NoUsage}
}

// reader reads ConverseStream: events in AWS's framing. Blocks of text and
// reasoning have no start of their own: their first delta is it. The usage
// comes last, after the reason why the answer ended.
type reader struct {
	frames eventstream.Reader
	emit   func(*conversation.Event) // during Feed
	event  conversation.Event

	begun, finished, counted, ended bool

	index  int   // of the block under way, or the next, as told
	block  int64 // Bedrock's index of the block under way
	open   bool  // a block is under way
	kind   conversation.Kind
	answer bool // the block is a call of AnswerTool
	called bool // a tool call was told

	signature []byte
	redacted  []byte
	stop      conversation.StopReason
	usage     conversation.Usage
}

func (r *reader) Feed(b []byte, fn func(*conversation.Event)) error {
	r.emit = fn
	err := r.frames.Feed(b, r.message)
	r.emit = nil
	var told *conversation.Failure
	if err != nil && !errors.As(err, &told) {
		return errors.Join(errReply, err)
	}
	return err
}

func (r *reader) Close(fn func(*conversation.Event)) error {
	if r.ended {
		return nil
	}
	if err := r.frames.End(); err != nil || !r.finished {
		return conversation.ErrTruncated
	}
	r.emit = fn
	r.end()
	return nil
}

// message takes one event. Those that are new come to nothing.
func (r *reader) message(m eventstream.Message) error {
	if r.ended {
		return nil
	}
	if m.Kind != eventstream.Event {
		return Failure(m)
	}
	if !jsontext.Valid(m.Payload) {
		return errReply
	}
	v := jsontext.View(m.Payload)
	if m.Type == "messageStart" {
		if r.begun {
			return errReply
		}
		r.begun = true
		r.tell(conversation.Event{Kind: conversation.Start})
		return nil
	}
	switch m.Type {
	case "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop":
		if !r.begun || r.finished {
			return errReply
		}
	}
	switch m.Type {
	case "contentBlockStart":
		return r.start(v)
	case "contentBlockDelta":
		return r.delta(v.Get("contentBlockIndex").Int(), v.Get("delta"))
	case "contentBlockStop":
		r.stopBlock()
	case "messageStop":
		r.stopBlock()
		r.finished = true
		r.stop = stopReason(v.Get("stopReason").Str, r.called)
		r.tell(conversation.Event{
			Kind: conversation.Finish, Stop: r.stop, StopText: v.Get("additionalModelResponseFields.stop_sequence").Str,
		})
		if r.counted {
			r.end()
		}
	case "metadata":
		r.usage, r.counted = Usage(v.Get("usage")), true
		if r.finished {
			r.end()
		}
	}
	return nil
}

// start begins a block that has a start of its own: a tool call.
func (r *reader) start(v gjson.Result) error {
	call := v.Get("start.toolUse")
	if !call.IsObject() {
		return nil // what follows as deltas says what it is
	}
	name := call.Get("name").Str
	r.answer = name == AnswerTool
	kind := conversation.ToolUse
	if r.answer {
		kind = conversation.Text
	}
	r.startBlock(v.Get("contentBlockIndex").Int(), conversation.Block{Kind: kind, ID: call.Get("toolUseId").Str, Name: name})
	return nil
}

func (r *reader) startBlock(index int64, b conversation.Block) {
	r.stopBlock()
	if b.Kind == conversation.ToolUse {
		r.called = true
	} else {
		b.ID, b.Name = "", ""
	}
	r.open, r.block, r.kind = true, index, b.Kind
	r.tell(conversation.Event{Kind: conversation.BlockStart, Index: r.index, Block: b})
}

// delta takes the next piece of a block.
func (r *reader) delta(index int64, d gjson.Result) (err error) {
	d.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "text":
			r.more(index, conversation.Text, v.Str)
		case "toolUse":
			if !r.open || r.block != index || r.kind != conversation.ToolUse && !r.answer {
				err = errReply
				return false
			}
			r.more(index, r.kind, v.Get("input").Str)
		case "reasoningContent":
			r.reasoning(index, v)
		}
		return true
	})
	return err
}

func (r *reader) reasoning(index int64, v gjson.Result) {
	if data := v.Get("redactedContent"); data.Type == gjson.String {
		r.more(index, conversation.Redacted, "")
		r.redacted = append(r.redacted, data.Str...)
		return
	}
	r.more(index, conversation.Thinking, v.Get("text").Str)
	if s := v.Get("signature"); s.Type == gjson.String {
		r.signature = append(r.signature, s.Str...)
	}
}

// more adds to a block, which begins where it is not under way.
func (r *reader) more(index int64, kind conversation.Kind, text string) {
	if !r.open || r.block != index || r.kind != kind {
		r.startBlock(index, conversation.Block{Kind: kind})
	}
	if text != "" {
		r.tell(conversation.Event{Kind: conversation.Delta, Index: r.index, Text: text})
	}
}

func (r *reader) stopBlock() {
	if !r.open {
		return
	}
	r.tell(conversation.Event{Kind: conversation.BlockStop, Index: r.index, Block: conversation.Block{
		Kind: r.kind, Signature: string(r.signature), Data: string(r.redacted),
	}})
	r.open, r.answer, r.signature, r.redacted = false, false, nil, nil
	r.index++
}

func (r *reader) end() {
	r.ended = true
	r.tell(conversation.Event{Kind: conversation.End})
}

func (r *reader) tell(ev conversation.Event) {
	r.event = ev
	r.event.Usage = r.usage
	r.emit(&r.event)
}
