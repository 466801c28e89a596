package anthropic

import (
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// unframed is a Call whose server wraps the events of its streams.
type unframed struct {
	kit.Call
	place  Place
	stream bool
	next   func(b []byte, end bool) ([]byte, error) // set by the first chunk
}

func (c *unframed) IsStream(contentType string) bool {
	return c.stream && c.place.IsStream(contentType)
}

func (c *unframed) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.next == nil {
		c.next = c.place.Unframe()
	}
	events, err := c.next(b, end)
	if err != nil {
		// An event that is no JSON ends the stream as the reply that it is not.
		events = sse.Append(events, "", []byte("broken framing"))
	}
	return c.Call.Chunk(events, end)
}

var _ kit.Call = (*unframed)(nil)
