// Package assemble puts a streamed reply together: from the bytes that a client
// is sent, cut anywhere, it makes the message that the same call without a
// stream would have been answered with. Text stays as it was escaped; members
// that nobody here knows stay as they came last.
package assemble

import (
	"bytes"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

// DefaultLimit is how many bytes of a message an Assembler keeps unless it is
// told otherwise.
const DefaultLimit = 32 << 20

// Assembler puts one stream together. It is not safe for concurrent use.
type Assembler struct {
	format format
	limit  int

	framing framing // as the first byte told
	events  sse.Reader
	list    lister
	frames  eventstream.Reader
	piece   []byte // of a frame, decoded

	size   int // bytes of text kept
	cut    bool
	known  bool   // an event was one of a format that is known
	ended  bool   // the framing broke: nothing that follows is understood
	done   bool   // "[DONE]" came
	failed []byte // what a frame told in place of an event, as JSON
	sealed bool   // Message was asked for
}

// framing is how the events of a stream are told apart.
type framing uint8

const (
	unframed framing = iota
	events           // Server-Sent Events
	items            // one JSON array of chunks, as Gemini's streams without alt=sse
	lines            // one JSON value after another
	frames           // AWS's event streams
)

// format is how one wire format adds up.
type format interface {
	// event takes one event of the stream: valid JSON.
	event(a *Assembler, data []byte)
	// message adds what there is so far; nothing if there is nothing.
	message(b []byte) []byte
	// ended reports whether the event came with which the answer ends.
	ended() bool
}

// New returns an Assembler of the streams of a dialect; nil where streams of the
// dialect, or replies to the operation, are not known. For dialect.Native the
// first event tells whose format it is, if it is one of those known here.
func New(d dialect.Dialect, op dialect.Operation) *Assembler {
	var f format
	switch {
	case op == dialect.Embeddings || op == dialect.CountTokens:
		return nil
	case d == dialect.MLflow || d == dialect.OpenAI:
		f = newChat()
	case d == dialect.Responses:
		f = &responses{}
	case d == dialect.Anthropic:
		f = &anthropic{}
	case d == dialect.Gemini:
		f = &gemini{}
	case d == dialect.Native:
		f = &native{}
	default:
		return nil
	}
	return &Assembler{format: f, limit: DefaultLimit}
}

// Limit sets how many bytes of a message are kept, before the first Write. What
// exceeds them is left out: Cut tells.
func (a *Assembler) Limit(bytes int) { a.limit = bytes }

// Write takes the next bytes of the stream. It keeps nothing of p.
func (a *Assembler) Write(p []byte) {
	if a.ended || a.sealed {
		return
	}
	if a.framing == unframed {
		start := bytes.TrimLeft(p, " \r\n\t")
		if len(start) == 0 {
			return
		}
		a.framing = a.framingOf(start[0])
	}
	switch a.framing {
	case items, lines:
		a.ended = !a.list.feed(p, a.take)
	case frames:
		a.ended = a.frames.Feed(p, a.frame) != nil
	default:
		a.ended = a.events.Feed(p, func(e sse.Event) error { a.take(e.Data); return nil }) != nil
	}
}

// framingOf tells by the first byte how a stream is framed. A frame begins with
// its length, which is below 2²⁵.
func (a *Assembler) framingOf(first byte) framing {
	n, own := a.format.(*native)
	switch {
	case first == '[':
		return items
	case own && first == '{':
		n.lines = true
		a.list.depth = 1 // as in an array
		return lines
	case own && first <= 1:
		return frames
	}
	return events
}

// take gives one event to the format. What is no JSON ("[DONE]", pings) says
// nothing about the message.
func (a *Assembler) take(data []byte) {
	if string(data) == "[DONE]" {
		a.done = true
	}
	if len(data) == 0 || data[0] != '{' || !jsontext.Valid(data) {
		return
	}
	a.format.event(a, data)
	if n, is := a.format.(*native); !is || n.format != nil {
		a.known = true
	}
}

// Known reports whether an event of the stream was understood.
func (a *Assembler) Known() bool { return a.known }

// Message is what the stream has said so far, as one JSON object; nil where it
// has said nothing that is understood. It ends the stream: what is written
// after it is not read.
func (a *Assembler) Message() []byte {
	if !a.sealed && !a.ended && a.framing == events {
		// A stream that broke off, or that has no blank line at its end.
		_ = a.events.End(func(e sse.Event) error { a.take(e.Data); return nil })
	}
	a.sealed = true
	b := a.format.message(nil)
	if a.failed == nil {
		return b
	}
	if len(b) > 2 {
		return append(append(append(b[:len(b)-1], `,"error":`...), a.failed...), '}')
	}
	return append(append([]byte(`{"error":`), a.failed...), '}')
}

// Broken reports of a stream of a provider's own API whether it ended before the
// event with which its answer ends. Of other streams the translation knows.
func (a *Assembler) Broken() bool {
	_, own := a.format.(*native)
	return own && (a.failed != nil || !a.done && !a.format.ended())
}

// Cut reports whether something of the message was left out, because it exceeds
// the limit or the stream's framing broke.
func (a *Assembler) Cut() bool { return a.cut || a.ended }

// grow reports whether n more bytes may be kept, and counts them.
func (a *Assembler) grow(n int) bool {
	if a.cut || a.size+n > a.limit {
		a.cut = true
		return false
	}
	a.size += n
	return true
}
