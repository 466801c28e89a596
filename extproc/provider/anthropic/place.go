package anthropic

import (
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// Place is where a server of the Messages API is called, and how its form of
// the API differs from Anthropic's own: clouds put the model and the wish for a
// stream into the path, and the API's version into the body.
type Place struct {
	Path       string // of a call, with base path and query
	StreamPath string // of a streamed call; "": Path
	CountPath  string // of count_tokens; "": the server has none
	Headers    [][2]string
	Unnamed    bool   // the path names the model: the body has no "model"
	Unmarked   bool   // the path asks for the stream: the body has no "stream"
	Version    string // "anthropic_version" of the body; "": none
	// Beta says whether the server takes a beta that a client of the Messages
	// API asks for with its header anthropic-beta; the others are left out, as
	// the servers refuse what they do not know. nil: all are passed on.
	Beta func(name string) bool
	// BetasInBody: betas go into "anthropic_beta" of the body, not into a header.
	BetasInBody bool
	// Unframe makes what turns a stream into server-sent events, for servers
	// that wrap the events of the Messages API into another framing. It is
	// called for each stream; the function that it returns takes the next bytes,
	// cut anywhere, and returns the events that they complete. An error told in
	// the framing becomes an event "error" in the API's shape; the Go error
	// means broken framing. nil: streams are server-sent events.
	Unframe func() func(b []byte, end bool) ([]byte, error)
	// IsStream reports whether a content type is that of the framing; it goes
	// with Unframe.
	IsStream func(contentType string) bool
}

// body makes a request body of the API fit for the place. The body has
// members.
func (place Place) body(body []byte) []byte {
	if !place.Unnamed && !place.Unmarked && place.Version == "" {
		return body
	}
	members, _ := jsontext.Scan(body)
	out := append(make([]byte, 0, len(body)+64), '{')
	if place.Version != "" {
		out = append(out, `"anthropic_version":`...)
		out = dialect.AppendString(out, place.Version)
	}
	for _, m := range members {
		switch {
		case place.Unnamed && m.Key == "model", place.Unmarked && m.Key == "stream", place.Version != "" && m.Key == "anthropic_version":
		default:
			out = append(jsontext.Comma(out), body[m.KeyStart:m.End]...)
		}
	}
	return append(out, '}')
}

// upstream is the request for a body of the API.
func (place Place) upstream(path string, body []byte, stream bool) kit.Upstream {
	if stream && place.StreamPath != "" {
		path = place.StreamPath
	}
	return kit.JSONRequest(path, place.body(body), stream, place.Headers...)
}

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
		// What is no event ends the stream as the reply that it is not.
		events = sse.Append(events, "", []byte("broken framing"))
	}
	return c.Call.Chunk(events, end)
}
