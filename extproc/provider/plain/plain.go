// Package plain carries exchanges whose request, reply and stream are each
// made by one function over bytes: providers that answer texts without a
// conversation around them, and MLflow's dialect wherever MLflow has rules of
// its own for a provider. It also writes the shapes that MLflow's clients, and
// OpenAI's of completions and embeddings, get.
package plain

import (
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// Way is how one operation of one client dialect is carried.
type Way struct {
	// Path is that of the provider's operation, complete, with the query.
	Path string
	// Headers come besides content-type and accept; names in lower case.
	Headers [][2]string
	// Body makes the provider's request.
	Body func(c *Context) ([]byte, *dialect.Error)
	// Batch makes several requests where one does not do, in place of Body; the
	// Reply of several is an array.
	Batch func(c *Context) ([][]byte, *dialect.Error)
	// Reply makes the client's answer of the provider's, which has status 2xx
	// and is valid JSON. ErrReply, and anything but a *conversation.Failure,
	// means that it is not what the provider's API promises.
	Reply func(c *Context, reply gjson.Result) ([]byte, error)
	// Stream begins a streamed answer; nil: the way has no streams.
	Stream func(c *Context) Stream
	// Lines: the provider's stream is a JSON object a line; else it is an event
	// stream. Accept is the accept header of a streamed call, "" for the usual.
	Lines  bool
	Accept string
}

// Context is what the functions of a Way work with.
type Context struct {
	Provider   *kit.Provider
	Model      string // the target's
	ExchangeID string
	Request    *dialect.Request
	Created    int64 // seconds since 1970; set when the answer comes
	// Usage is what the provider reported so far: Reply and Stream set it.
	Usage dialect.Usage
}

// Stream turns a provider's streamed answer into the client's.
type Stream interface {
	// Event adds to b what the client gets for an event, which is valid JSON and
	// valid during the call only. done: the answer is whole. Errors are as those
	// of Way.Reply.
	Event(b []byte, event gjson.Result) (out []byte, done bool, err error)
	// Close ends a stream that did not say that it was whole. false: it was cut
	// off.
	Close(b []byte) (out []byte, whole bool)
}

// ErrReply says that a reply is not what the provider's API promises.
var ErrReply = errors.New("the provider's reply is not what its API promises")

// Open begins an exchange. A streamed call of a way without streams is
// refused as MLflow refuses it.
func Open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, way Way) (kit.Call, *dialect.Error) {
	if req.Stream && way.Stream == nil {
		return nil, kit.NotImplemented(p, req)
	}
	c := &call{
		way: way, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
		context: Context{Provider: p, Model: t.Model, ExchangeID: env.ExchangeID, Request: req, Usage: dialect.NoUsage},
	}
	bodies, e := way.bodies(&c.context)
	if e != nil {
		return nil, e
	}
	c.up = kit.JSONRequest(way.Path, bodies[0], req.Stream, way.Headers...)
	if len(bodies) > 1 {
		c.up.Body, c.up.Batch = nil, bodies
	}
	if req.Stream && way.Accept != "" {
		c.up.Headers[1][1] = way.Accept
	}
	return c, nil
}

// bodies are those of the provider's requests: one at least.
func (way Way) bodies(c *Context) ([][]byte, *dialect.Error) {
	if way.Batch != nil {
		return way.Batch(c)
	}
	body, e := way.Body(c)
	return [][]byte{body}, e
}

// call is one exchange.
type call struct {
	way     Way
	env     kit.Env
	faults  kit.Faults
	context Context
	up      kit.Upstream

	events  sse.Reader // of the provider's stream, this or the next
	lines   Lines
	stream  Stream // set by the first chunk
	out     []byte // what the current bytes have become
	stopped bool   // nothing more is to be told
	err     *dialect.Error
}

func (c *call) Upstream() kit.Upstream    { return c.up }
func (c *call) StreamContentType() string { return sse.ContentType }
func (c *call) Usage() dialect.Usage      { return c.context.Usage }
func (c *call) Err() *dialect.Error       { return c.err }

func (c *call) IsStream(contentType string) bool {
	if !c.context.Request.Stream {
		return false
	}
	return c.way.Lines && isLines(contentType) || !c.way.Lines && kit.IsEventStream(contentType)
}

func (c *call) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	if !jsontext.Valid(body) {
		return c.faults.Reply(kit.BadReply("The provider's reply is not JSON."))
	}
	c.context.Created = c.env.Now().Unix()
	reply := jsontext.View(body)
	out, err := c.way.Reply(&c.context, reply)
	if err != nil {
		if jsontext.Present(reply.Get("error")) {
			return c.faults.Reply(c.faults.Inside(body))
		}
		return c.faults.Reply(c.failure(err))
	}
	return kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: out}
}

// failure is the client's error for what was found wrong.
func (c *call) failure(err error) *dialect.Error {
	var told *conversation.Failure
	var refused *dialect.Error
	switch {
	case errors.As(err, &told):
		return c.faults.Told(told.Status, told.Kind, told.Code, told.Message)
	case errors.As(err, &refused):
		return refused
	}
	return kit.BadReply("The provider's reply is not what its API promises.")
}

func (c *call) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stopped {
		return nil, true
	}
	if c.stream == nil {
		c.context.Created = c.env.Now().Unix()
		c.stream = c.way.Stream(&c.context)
	}
	c.out = make([]byte, 0, len(b)+len(b)/2+64)
	if err := c.feed(b, end); err != nil && !c.stopped {
		c.fail(kit.BadReply("The provider sent an event that is too large."))
	}
	if end && !c.stopped {
		c.close()
	}
	out, c.out = c.out, nil
	return out, c.stopped
}

// feed cuts the provider's bytes into events. The only errors are those of
// an event that is too large.
func (c *call) feed(b []byte, end bool) error {
	if c.way.Lines {
		err := c.lines.Feed(b, func(line []byte) { c.event(line, false) })
		if err == nil && end {
			c.lines.End(func(line []byte) { c.event(line, true) })
		}
		return err
	}
	take := func(ev sse.Event) error {
		if ev.Data != nil {
			c.event(ev.Data, ev.Partial)
		}
		return nil
	}
	err := c.events.Feed(b, take)
	if err == nil && end {
		err = c.events.End(take)
	}
	return err
}

// event handles one event. Of a partial one only its line end is missing, or
// it was cut off.
func (c *call) event(data []byte, partial bool) {
	switch {
	case c.stopped:
		return
	case string(data) == "[DONE]":
		c.close()
		return
	case !jsontext.Valid(data):
		if !partial {
			c.fail(kit.BadReply("The provider sent an event that is not JSON."))
		}
		return
	}
	event := jsontext.View(data)
	before := len(c.out)
	out, done, err := c.stream.Event(c.out, event)
	c.out, c.stopped = out, done
	switch {
	case err == nil:
		return
	case jsontext.Present(event.Get("error")):
		c.out = c.out[:before]
		c.fail(c.faults.Inside(data))
	default:
		c.out = c.out[:before]
		c.fail(c.failure(err))
	}
}

// close settles a stream that ended without its last event.
func (c *call) close() {
	out, whole := c.stream.Close(c.out)
	if !whole {
		c.fail(dialect.StreamTruncated())
		return
	}
	c.out, c.stopped = out, true
}

// fail ends the stream with an error event.
func (c *call) fail(e *dialect.Error) {
	c.err, c.stopped = e, true
	name, data := dialect.StreamError(c.context.Request.Dialect, e, c.context.ExchangeID)
	c.out = sse.Append(c.out, name, data)
}

var _ kit.Call = (*call)(nil)
