package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// messageEvent is one event of a Messages stream. Parts that it does not
// have do not exist. It is valid during one call only.
type messageEvent struct {
	kind                                 string
	index                                int64
	message, block, delta, usage, failed gjson.Result
}

func readEvent(data []byte) messageEvent {
	var ev messageEvent
	jsontext.View(data).ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			ev.kind = v.Str
		case "index":
			ev.index = v.Int()
		case "message":
			ev.message = v
		case "content_block":
			ev.block = v
		case "delta":
			ev.delta = v
		case "usage":
			ev.usage = v
		case "error":
			ev.failed = v
		}
		return true
	})
	return ev
}

// renderer writes a Messages stream in a client's dialect. Each
// method adds to b what the client is to get.
type renderer interface {
	event(b []byte, ev messageEvent, u tokens) []byte
	// stop ends a stream that is complete.
	stop(b []byte, u tokens) []byte
}

// messageStream reads a Messages stream cut anywhere.
type messageStream struct {
	dialect  dialect.Dialect
	exchange string
	render   renderer
	failure  func(kind, message string) *dialect.Error // reads an error of the provider's

	reader  sse.Reader
	usage   tokens
	begun   bool // message_start came
	stopped bool // nothing more is to be told
	err     *dialect.Error
	out     []byte // what the current chunk has become
}

// chunk takes the next bytes of the stream.
func (s *messageStream) chunk(b []byte, end bool) (out []byte, done bool) {
	if s.stopped {
		return nil, true
	}
	s.out = make([]byte, 0, len(b)+len(b)/2+64)
	// handle returns no errors, so Feed's only one is an event too large.
	if err := s.reader.Feed(b, s.handle); err != nil {
		s.fail(kit.BadReply("The provider sent an event that is too large."))
	}
	if end && !s.stopped {
		s.end()
	}
	out, s.out = s.out, nil
	return out, s.stopped
}

// end closes a stream that did not say so itself. Where only the blank line
// after its last event is missing, nothing is lost.
func (s *messageStream) end() {
	_ = s.reader.End(func(e sse.Event) error {
		if e.Data == nil || !jsontext.Valid(e.Data) {
			return nil
		}
		return s.handle(e)
	})
	if !s.stopped {
		s.fail(dialect.StreamTruncated())
	}
}

func (s *messageStream) handle(e sse.Event) error {
	if s.stopped || e.Data == nil {
		return nil
	}
	if !jsontext.Valid(e.Data) {
		s.fail(kit.BadReply("The provider sent an event that is not JSON."))
		return nil
	}
	switch ev := readEvent(e.Data); ev.kind {
	case "error":
		s.fail(s.failure(ev.failed.Get("type").Str, ev.failed.Get("message").Str))
	case "message_stop":
		if s.ready() {
			s.out = s.render.stop(s.out, s.usage)
			s.stopped = true
		}
	case "message_start":
		s.begun = true
		s.usage.update(ev.message.Get("usage"))
		s.out = s.render.event(s.out, ev, s.usage)
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta":
		if s.ready() {
			s.usage.update(ev.usage)
			s.out = s.render.event(s.out, ev, s.usage)
		}
	}
	// ping and events that are new come to nothing, as Anthropic asks of clients.
	return nil
}

// ready fails a stream whose message_start is missing.
func (s *messageStream) ready() bool {
	if !s.begun {
		s.fail(kit.BadReply("The provider's stream began in the middle."))
	}
	return s.begun
}

// fail ends the stream with an error event.
func (s *messageStream) fail(e *dialect.Error) {
	s.err, s.stopped = e, true
	name, data := dialect.StreamError(s.dialect, e, s.exchange)
	s.out = sse.Append(s.out, name, data)
}
