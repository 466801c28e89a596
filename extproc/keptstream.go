package extproc

import (
	"sluice/extproc/dialect"
	"sluice/internal/assemble"
	"sluice/internal/audit"
)

// rawEnough is how much of a stream is held as it is until it is known that it
// can be put together.
const rawEnough = 4 << 10

// keptStream is what is kept of a reply that passes chunk by chunk: the message
// that it makes, and where that is not to be had the events as they are. It
// works on each chunk once and holds no more than a message and a piece.
type keptStream struct {
	begun bool
	keeps string // a Bodies constant

	message *assemble.Assembler // nil: not known, or nothing is kept
	raw     pieces              // of what has no message, while that may be so
	gone    bool                // raw is not gathered any more
	written bool                // a piece of raw was

	events   *pieces             // nil: not asked for
	provider *pieces             // what the provider sent; nil: not asked for
	answer   *assemble.Assembler // its message, where its events can't be redacted
}

// begin settles what is kept. Events can't be redacted: what is to be found may
// be cut by any of them.
func (s *keptStream) begin(x *exchange) {
	s.begun, s.keeps = true, x.record.Bodies
	s.raw.kind = audit.PartStreamEvents
	if s.keeps == audit.BodiesNone {
		return
	}
	full := s.keeps != audit.BodiesRedacted
	if s.message = assemble.New(x.route.Dialect, x.route.Operation); s.message != nil {
		s.message.Limit(int(x.s.BodyBytes))
	}
	s.gone = !full
	if x.s.StreamEvents && full {
		s.events = &pieces{kind: audit.PartStreamEvents}
		s.gone = true
	}
	switch {
	case !x.s.ProviderBodies:
	case full:
		s.provider = &pieces{kind: audit.PartProviderResponse}
	default:
		if s.answer = assemble.New(dialect.Native, x.route.Operation); s.answer != nil {
			s.answer.Limit(int(x.s.BodyBytes))
		}
	}
}

// received takes what the provider sent.
func (s *keptStream) received(x *exchange, b []byte) {
	if s.provider != nil {
		s.provider.add(x, b)
	}
	if s.answer != nil {
		s.answer.Write(b)
	}
}

// sent takes what the client is given.
func (s *keptStream) sent(x *exchange, b []byte) {
	if s.keeps == audit.BodiesNone {
		return
	}
	if s.message != nil {
		s.message.Write(b)
	}
	if s.events != nil {
		s.events.add(x, b)
	}
	if s.gone {
		return
	}
	if len(s.raw.held)+len(b) > rawEnough && !s.written && s.message != nil && s.message.Known() {
		s.raw.held, s.gone = nil, true
		return
	}
	before := len(s.raw.held)
	s.raw.add(x, b)
	s.written = s.written || len(s.raw.held) < before+len(b)
}

// end writes what is left in parts and returns the body of the response half,
// with what the outcome says of it. broken: the stream did not come to its end.
func (s *keptStream) end(x *exchange, o *audit.Outcome, broken bool) []byte {
	if !s.begun || s.keeps == audit.BodiesNone {
		return nil
	}
	if s.provider != nil {
		s.provider.end(x)
	}
	if s.answer != nil {
		if m := s.answer.Message(); m != nil {
			x.missing(x.part(audit.PartProviderResponse, m))
		}
	}
	if s.events != nil {
		s.events.end(x)
	}
	o.Partial = broken
	if s.message != nil {
		if m := s.message.Message(); m != nil {
			o.BodyForm, o.Partial = audit.FormMessage, broken || s.message.Cut() || s.message.Broken()
			return m
		}
	}
	switch {
	case x.sentTotal == 0:
		o.Partial = false // nothing came, and nothing is missing
	case s.keeps == audit.BodiesRedacted:
		o.BodyForm, o.Partial = audit.FormDropped, false
	case s.written, s.events != nil:
		o.BodyForm = audit.FormEvents
		s.raw.end(x)
	default:
		o.BodyForm = audit.FormEvents
		return s.raw.held
	}
	return nil
}
