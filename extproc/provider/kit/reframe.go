package kit

import (
	"slices"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/sse"
)

// Reframe makes a call's stream be framed as its client asked for. Gemini's
// clients get a JSON array unless they say alt=sse: every other client gets the
// events that the call makes.
func Reframe(req *dialect.Request, c Call) Call {
	if req.Dialect != dialect.Gemini || !req.Stream || slices.Contains(strings.Split(req.Query, "&"), "alt=sse") {
		return c
	}
	return &array{Call: c}
}

// array is a call whose stream is one JSON array, an element for each event. An
// error in the stream is its last element.
type array struct {
	Call
	events sse.Reader
	out    []byte
	begun  bool
	ended  bool
}

func (a *array) StreamContentType() string { return dialect.ContentTypeJSON }

func (a *array) Chunk(b []byte, end bool) (out []byte, done bool) {
	if a.ended {
		return nil, true
	}
	events, done := a.Call.Chunk(b, end)
	a.out = make([]byte, 0, len(events)+8)
	// element returns no errors, and no event of the call's own is too large.
	_ = a.events.Feed(events, a.element)
	if a.ended = done || end; a.ended {
		_ = a.events.End(a.element)
		if !a.begun {
			a.out = append(a.out, '[')
		}
		a.out = append(a.out, "]\n"...)
	}
	out, a.out = a.out, nil
	return out, done
}

func (a *array) element(ev sse.Event) error {
	if ev.Data == nil {
		return nil
	}
	opening := ",\r\n"
	if !a.begun {
		a.begun, opening = true, "["
	}
	a.out = append(append(a.out, opening...), ev.Data...)
	return nil
}
