package openai

import (
	"bytes"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// stream carries a stream of OpenAI's chunks to a client. OpenAI's
// clients get the events as they came; MLflow's get each rewritten.
type stream struct {
	call     *call
	reader   sse.Reader
	members  jsontext.Members // of the current chunk; its memory is used again
	finished bool             // a choice told its finish_reason
	stopped  bool             // nothing more is to be told
	err      *dialect.Error
	out      []byte // what the current bytes have become
}

func (s *stream) chunk(b []byte, end bool) (out []byte, done bool) {
	if s.stopped {
		return nil, true
	}
	s.out = make([]byte, 0, len(b)+len(b)/4+64)
	err := s.reader.Feed(b, s.event)
	if err == nil && end && !s.stopped {
		err = s.reader.End(s.event)
	}
	if err != nil { // event returns none: this is an event too large
		s.fail(kit.BadReply("The provider sent an event that is too large."))
	}
	if end && !s.stopped {
		s.end()
	}
	out, s.out = s.out, nil
	return out, s.stopped
}

// end settles a stream that ended without [DONE]. Servers that leave it out
// have told a finish_reason before.
func (s *stream) end() {
	if !s.finished {
		s.fail(dialect.StreamTruncated())
		return
	}
	s.stopped = true
	if s.call.req.Dialect == dialect.OpenAI {
		s.out = append(s.out, "data: [DONE]\n\n"...)
	}
}

func (s *stream) fail(e *dialect.Error) {
	if s.stopped {
		return
	}
	s.err, s.stopped = e, true
	name, data := dialect.StreamError(s.call.req.Dialect, e, s.call.env.ExchangeID)
	s.out = sse.Append(s.out, name, data)
}

// event handles one event. It returns no errors.
func (s *stream) event(ev sse.Event) error {
	openAI := s.call.req.Dialect == dialect.OpenAI
	switch {
	case s.stopped:
	case ev.Data == nil: // a comment that keeps the connection alive
		if openAI && !ev.Partial {
			s.out = append(s.out, ev.Raw...)
		}
	case string(bytes.TrimSpace(ev.Data)) == "[DONE]":
		s.stopped = true
		if openAI {
			s.out = appendWhole(s.out, ev)
		}
	default:
		s.data(ev, openAI)
	}
	return nil
}

// appendWhole adds an event as it came, or ends it if the stream ended in it.
func appendWhole(out []byte, ev sse.Event) []byte {
	if ev.Partial {
		return sse.Append(out, string(ev.Name), ev.Data)
	}
	return append(out, ev.Raw...)
}

func (s *stream) data(ev sse.Event, openAI bool) {
	members, fault := jsontext.ScanInto(s.members, ev.Data)
	if fault != nil || len(members) == 0 {
		if !ev.Partial { // a partial one is told as the truncation it is
			s.fail(kit.BadReply("The provider sent an event that is not JSON."))
		}
		return
	}
	s.members = members
	choices := members.Value(ev.Data, "choices")
	if raw := members.Value(ev.Data, "error"); len(raw) > 0 && string(raw) != "null" {
		s.fail(s.call.faults.Inside(ev.Data))
		return
	}
	s.finished = s.finished || finishes(choices)
	usage := members.Value(ev.Data, "usage")
	s.call.count(usage)
	if len(usage) > 0 && usage[0] == '{' && isEmptyList(choices) && !s.wantsUsage() {
		return
	}
	switch {
	case !openAI:
		s.out = append(s.out, "data: "...)
		s.out = s.call.appendMLflowChunk(s.out, ev.Data, members)
		s.out = append(s.out, "\n\n"...)
	case string(usage) == "null" && !s.wantsUsage():
		s.out = s.appendWithout(ev, "usage")
	default:
		s.out = appendWhole(s.out, ev)
	}
}

// wantsUsage reports whether the client is told usage: OpenAI's if it asked,
// MLflow's unless it said no.
func (s *stream) wantsUsage() bool {
	req := s.call.req
	if req.Dialect == dialect.OpenAI {
		return req.IncludeUsage
	}
	options := req.Members().Value(req.Payload, "stream_options")
	if len(options) == 0 {
		return true
	}
	given, _ := jsontext.Scan(options)
	return string(given.Value(options, "include_usage")) != "false"
}

// appendWithout adds an event whose data lacks a member.
func (s *stream) appendWithout(ev sse.Event, key string) []byte {
	for i := range s.members {
		if s.members[i].Key != key {
			continue
		}
		cut := s.members.Without(i)
		if at := bytes.Index(ev.Raw, ev.Data); at >= 0 && !ev.Partial {
			out := append(s.out, ev.Raw[:at+cut.Start]...)
			return append(out, ev.Raw[at+cut.End:]...)
		}
		return sse.Append(s.out, string(ev.Name), jsontext.Apply(ev.Data, cut))
	}
	return s.out
}

var finishReason = []byte(`"finish_reason"`)

// finishes reports whether one of the choices has a finish_reason. Inside a
// JSON string the quotes would be escaped, so the key is found as text.
func finishes(choices []byte) bool {
	for {
		i := bytes.Index(choices, finishReason)
		if i < 0 {
			return false
		}
		choices = choices[i+len(finishReason):]
		value := bytes.TrimLeft(choices, ": \t\r\n")
		if len(value) > 0 && value[0] == '"' {
			return true
		}
	}
}

func isEmptyList(raw []byte) bool {
	return len(raw) >= 2 && raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}
