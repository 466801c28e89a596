package anthropic

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

// The kinds of events of a stream; others are Ping and what is new.
const (
	MessageStart = "message_start"
	BlockStart   = "content_block_start"
	BlockDelta   = "content_block_delta"
	BlockStop    = "content_block_stop"
	MessageDelta = "message_delta"
	MessageStop  = "message_stop"
	Ping         = "ping"
)

// Event is one event of a stream of the Messages API. Parts that it does not
// have do not exist. It is valid during one call only.
type Event struct {
	Kind  string // "" for comments
	Index int64  // of the block
	// Message is of MessageStart, Block of BlockStart, Delta of BlockDelta and
	// MessageDelta, Usage of MessageDelta.
	Message, Block, Delta, Usage gjson.Result

	failed gjson.Result
}

func (ev *Event) read(data []byte) {
	*ev = Event{}
	jsontext.View(data).ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			ev.Kind = v.Str
		case "index":
			ev.Index = v.Int()
		case "message":
			ev.Message = v
		case "content_block":
			ev.Block = v
		case "delta":
			ev.Delta = v
		case "usage":
			ev.Usage = v
		case "error":
			ev.failed = v
		}
		return true
	})
}

// failure is the error that an error object tells. It outlives the bytes that
// it was read from.
func failure(failed gjson.Result) *conversation.Failure {
	return &conversation.Failure{Kind: strings.Clone(failed.Get("type").Str), Message: strings.Clone(failed.Get("message").Str)}
}

// What a stream can be besides what the API promises.
var (
	errNotJSON = errors.New("reading a stream of the Messages API: an event is not JSON")
	errMiddle  = errors.New("reading a stream of the Messages API: it began in the middle")
	errStopped = errors.New("reading a stream of the Messages API: it is spent")
)

// Stream reads a stream of the Messages API cut anywhere. It is for one
// stream; the zero value with Usage set to NoUsage is ready for use.
type Stream struct {
	Usage Usage // the totals so far

	reader sse.Reader
	event  Event
	begun  bool // message_start came
	whole  bool // message_stop came
	err    error
}

// Feed takes the next bytes and calls fn for each event that they complete,
// the last being MessageStop: what follows is not looked at. A
// *conversation.Failure is the provider's own error; any other means that the
// stream is not what the API promises.
func (s *Stream) Feed(b []byte, fn func(sse.Event, *Event)) error {
	if s.err != nil || s.whole {
		return s.err
	}
	err := s.reader.Feed(b, func(ev sse.Event) error { return s.handle(ev, fn) })
	if err != nil && !s.whole {
		s.err = err
	}
	return s.err
}

// Close tells that the stream is over. Where only the blank line after its
// last event is missing, nothing is lost; otherwise a stream that did not come
// to its MessageStop is conversation.ErrTruncated.
func (s *Stream) Close(fn func(sse.Event, *Event)) error {
	if s.err != nil || s.whole {
		return s.err
	}
	err := s.reader.End(func(ev sse.Event) error {
		if ev.Data == nil || !jsontext.Valid(ev.Data) {
			return nil
		}
		return s.handle(ev, fn)
	})
	switch {
	case s.whole:
		return nil
	case err == nil:
		err = conversation.ErrTruncated
	}
	s.err = err
	return err
}

// Whole reports whether MessageStop came.
func (s *Stream) Whole() bool { return s.whole }

func (s *Stream) handle(ev sse.Event, fn func(sse.Event, *Event)) error {
	if s.whole {
		return errStopped
	}
	s.event = Event{}
	if ev.Data == nil {
		fn(ev, &s.event)
		return nil
	}
	if !jsontext.Valid(ev.Data) {
		return errNotJSON
	}
	s.event.read(ev.Data)
	switch s.event.Kind {
	case "error":
		return failure(s.event.failed)
	case MessageStart:
		s.begun = true
		s.Usage.Update(s.event.Message.Get("usage"))
	case BlockStart, BlockDelta, BlockStop, MessageDelta, MessageStop:
		if !s.begun {
			return errMiddle
		}
		s.Usage.Update(s.event.Usage)
		s.whole = s.event.Kind == MessageStop
	}
	fn(ev, &s.event)
	return nil
}
