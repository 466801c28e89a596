package gemini

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

// errReply says that a reply is no GenerateContentResponse.
var errReply = errors.New("reading a reply of generateContent: it is not what the API promises")

// stops are Gemini's finish reasons; those that are not here are unknown.
var stops = map[string]conversation.StopReason{
	"STOP":                     conversation.StopEnd,
	"MAX_TOKENS":               conversation.StopLength,
	"CONTINUATION":             conversation.StopLength,
	"SAFETY":                   conversation.StopFilter,
	"RECITATION":               conversation.StopFilter,
	"LANGUAGE":                 conversation.StopFilter,
	"BLOCKLIST":                conversation.StopFilter,
	"PROHIBITED_CONTENT":       conversation.StopFilter,
	"SPII":                     conversation.StopFilter,
	"IMAGE_SAFETY":             conversation.StopFilter,
	"IMAGE_PROHIBITED_CONTENT": conversation.StopFilter,
	"IMAGE_RECITATION":         conversation.StopFilter,
	"MODEL_ARMOR":              conversation.StopFilter,
	"ESCALATION":               conversation.StopFilter,
}

// misfires are the finish reasons of an answer that went wrong inside: with
// nothing to show for it they are failures, which clients try again.
var misfires = map[string]bool{
	"MALFORMED_FUNCTION_CALL": true, "UNEXPECTED_TOOL_CALL": true, "MALFORMED_RESPONSE": true,
	"MISSING_THOUGHT_SIGNATURE": true, "TOO_MANY_TOOL_CALLS": true,
}

func (provider) Read(body []byte) (*conversation.Reply, error) {
	c := &collector{reply: conversation.Reply{Usage: conversation.NoUsage}}
	r := newReader()
	if err := r.response(jsontext.View(body), c.event); err != nil {
		return nil, err
	}
	if r.answered && r.finish == "" {
		r.finish = "FINISH_REASON_UNSPECIFIED" // it is whole all the same
	}
	if err := r.Close(c.event); err != nil {
		if err == conversation.ErrTruncated { // neither answer nor refusal
			err = errReply
		}
		return nil, err
	}
	return &c.reply, nil
}

// collector puts the events of an answer together.
type collector struct {
	reply conversation.Reply
	text  strings.Builder
}

func (c *collector) event(ev *conversation.Event) {
	switch ev.Kind {
	case conversation.Start:
		c.reply.ID, c.reply.Model = ev.ID, ev.Model
	case conversation.BlockStart:
		c.reply.Blocks = append(c.reply.Blocks, ev.Block)
		c.text.Reset()
	case conversation.Delta:
		c.text.WriteString(ev.Text)
	case conversation.BlockStop:
		last := &c.reply.Blocks[len(c.reply.Blocks)-1]
		if last.Kind == conversation.ToolUse {
			last.Input = conversation.Raw(c.text.String())
		} else {
			last.Text = c.text.String()
		}
		last.Signature = ev.Block.Signature
	case conversation.Finish:
		c.reply.Stop = ev.Stop
	case conversation.End:
		c.reply.Usage = ev.Usage
	}
}

func (provider) NewReader() conversation.Reader { return newReader() }

// reader reads a stream of GenerateContentResponses, whose parts it makes
// blocks of. The stream has no last event: it is whole when a finish reason
// has come, and as older models tell one in every event, that is known when
// it is over.
type reader struct {
	events sse.Reader
	ev     conversation.Event
	begun  bool

	answered  bool // a candidate came
	id, model string
	kind      conversation.Kind // of the block that is open; 0: none
	index     int               // of the next block
	calls     int
	signature string // of the thinking that is open
	finish    string // finishReason; "" so far none
	message   string // finishMessage
	blocked   string // why the prompt was refused
	usage     conversation.Usage
}

func newReader() *reader { return &reader{usage: conversation.NoUsage} }

func (r *reader) Feed(b []byte, fn func(*conversation.Event)) error {
	return r.events.Feed(b, func(ev sse.Event) error { return r.event(ev, fn) })
}

func (r *reader) event(ev sse.Event, fn func(*conversation.Event)) error {
	switch {
	case ev.Data == nil || string(ev.Data) == "[DONE]":
		return nil
	case !jsontext.Valid(ev.Data):
		if ev.Partial {
			return nil // Close tells that the stream was cut off
		}
		return errReply
	}
	return r.response(jsontext.View(ev.Data), fn)
}

func (r *reader) Close(fn func(*conversation.Event)) error {
	if err := r.events.End(func(ev sse.Event) error { return r.event(ev, fn) }); err != nil {
		return err
	}
	if r.finish == "" && r.blocked == "" {
		return conversation.ErrTruncated
	}
	if r.index == 0 && r.kind == 0 && misfires[r.finish] {
		return &conversation.Failure{Status: http.StatusBadGateway, Kind: r.finish, Code: r.finish, Message: r.misfire()}
	}
	r.begin(fn)
	r.end(fn)
	stop, ok := stops[r.finish]
	switch {
	case r.blocked != "":
		r.refuse(fn)
		stop = conversation.StopFilter
	case !ok:
		stop = conversation.StopUnknown
	case stop == conversation.StopEnd && r.calls > 0:
		stop = conversation.StopTools
	}
	r.emit(fn, conversation.Event{Kind: conversation.Finish, Stop: stop})
	r.emit(fn, conversation.Event{Kind: conversation.End})
	return nil
}

func (r *reader) misfire() string {
	if r.message != "" {
		return r.message
	}
	return "The model's answer went wrong (" + r.finish + "). Try again."
}

// refuse tells why the prompt was refused.
func (r *reader) refuse(fn func(*conversation.Event)) {
	words := r.message
	if words == "" {
		words = "The prompt was blocked (" + r.blocked + ")."
	}
	r.start(fn, conversation.Block{Kind: conversation.Refusal})
	r.emit(fn, conversation.Event{Kind: conversation.Delta, Index: r.index, Text: words})
	r.end(fn)
}

func (r *reader) emit(fn func(*conversation.Event), ev conversation.Event) {
	ev.Usage = r.usage
	r.ev = ev
	fn(&r.ev)
}

// Response is what a reply, or an event of a stream, has at its top; parts that
// it does not have do not exist. It is a view: valid as long as what it was read
// from.
type Response struct {
	Candidates, Feedback, Usage, ID, Model gjson.Result
	// Failure is the error that the reply tells; nil for none. Google also puts it
	// into a list.
	Failure *conversation.Failure
}

// ReadResponse reads valid JSON. ok is false for what is neither an object nor
// a failure.
func ReadResponse(v gjson.Result) (r Response, ok bool) {
	if v.IsArray() {
		r.Failure = told(v.Get("0.error"))
		return r, r.Failure != nil
	}
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "candidates":
			r.Candidates = v
		case "promptFeedback":
			r.Feedback = v
		case "usageMetadata":
			r.Usage = v
		case "responseId":
			r.ID = v
		case "modelVersion":
			r.Model = v
		case "error":
			r.Failure = told(v)
		}
		return true
	})
	return r, v.IsObject()
}

func told(failed gjson.Result) *conversation.Failure {
	if !failed.IsObject() {
		return nil
	}
	status := strings.Clone(failed.Get("status").Str)
	return &conversation.Failure{
		Status: int(failed.Get("code").Int()), Kind: status, Code: status, Message: strings.Clone(failed.Get("message").Str),
	}
}

// Whole reports whether it is an answer at all: candidates, or why there are
// none.
func (r *Response) Whole() bool {
	return r.Candidates.IsArray() || r.Feedback.IsObject() || r.Usage.IsObject()
}

// Blocked is the reason for which the prompt was refused; "" if it was not.
func (r *Response) Blocked() string {
	if reason := r.Feedback.Get("blockReason").Str; reason != "BLOCKED_REASON_UNSPECIFIED" {
		return reason
	}
	return ""
}

// Candidate is what a candidate has, as Response.
type Candidate struct {
	Parts, Finish, Message, Index gjson.Result
}

// ReadCandidate reads one of Response.Candidates.
func ReadCandidate(v gjson.Result) (c Candidate) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "content":
			c.Parts = v.Get("parts")
		case "finishReason":
			c.Finish = v
		case "finishMessage":
			c.Message = v
		case "index":
			c.Index = v
		}
		return true
	})
	return c
}

// response reads one event, or a whole reply.
func (r *reader) response(v gjson.Result, fn func(*conversation.Event)) (err error) {
	now, ok := ReadResponse(v)
	switch {
	case now.Failure != nil:
		return now.Failure
	case !ok:
		return errReply
	}
	keep(&r.id, now.ID.Str)
	keep(&r.model, now.Model.Str)
	Count(&r.usage, now.Usage)
	if reason := now.Blocked(); reason != "" {
		r.blocked, r.message = strings.Clone(reason), strings.Clone(now.Feedback.Get("blockReasonMessage").Str)
	}
	now.Candidates.ForEach(func(_, v gjson.Result) bool { // others are not asked for
		if c := ReadCandidate(v); v.IsObject() && c.Index.Int() == 0 {
			err = r.candidate(c, fn)
		}
		return false
	})
	return err
}

// keep notes what an event says beyond it: its memory is used again.
func keep(into *string, value string) {
	if value != "" && *into != value {
		*into = strings.Clone(value)
	}
}

func (r *reader) candidate(c Candidate, fn func(*conversation.Event)) (err error) {
	r.answered = true
	keep(&r.finish, c.Finish.Str)
	keep(&r.message, c.Message.Str)
	c.Parts.ForEach(func(_, v gjson.Result) bool {
		err = r.part(v, fn)
		return err == nil
	})
	return err
}
