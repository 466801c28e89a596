package kit

import (
	"net/http"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
)

// Carrier is how a chat call is carried between a client and a provider that
// speak different formats.
type Carrier struct {
	Client   conversation.Client
	Provider conversation.Provider
	// Upstream makes the provider's request for a body.
	Upstream func(body []byte, stream bool) Upstream
	// IsStream reports whether a content type is that of the provider's
	// streams; nil: EventStream is.
	IsStream func(contentType string) bool
}

// Carry begins an exchange whose client and provider speak different formats.
func Carry(p *Provider, t Target, req *dialect.Request, env Env, c Carrier) (Call, *dialect.Error) {
	form, e := c.Client.Read(req)
	if e != nil {
		return nil, e
	}
	form.Stream = req.Stream
	body, e := c.Provider.Write(form, t.Model)
	if e != nil {
		return nil, inWordsOf(req.Dialect, e)
	}
	return &carried{
		carrier: c, req: req, up: c.Upstream(body, req.Stream), env: env,
		faults: NewFaults(p, t, req.Dialect, env.ExchangeID),
		meta:   conversation.Meta{Request: req, Form: form, ExchangeID: env.ExchangeID, Model: t.Model},
		usage:  conversation.NoUsage,
	}, nil
}

// carried is one exchange by way of the conversation form.
type carried struct {
	carrier Carrier
	req     *dialect.Request
	up      Upstream
	env     Env
	faults  Faults
	meta    conversation.Meta
	usage   conversation.Usage

	reader conversation.Reader // set by the first chunk, and the next two
	writer conversation.Writer
	out    []byte
	done   bool
	err    *dialect.Error
}

func (c *carried) Upstream() Upstream        { return c.up }
func (c *carried) StreamContentType() string { return sse.ContentType }
func (c *carried) Usage() dialect.Usage      { return c.usage.Counts() }
func (c *carried) Err() *dialect.Error       { return c.err }

func (c *carried) IsStream(contentType string) bool {
	if !c.req.Stream {
		return false
	}
	if c.carrier.IsStream != nil {
		return c.carrier.IsStream(contentType)
	}
	return IsEventStream(contentType)
}

func (c *carried) Complete(status int, header func(string) string, body []byte) Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	if !jsontext.Valid(body) {
		return c.faults.Reply(BadReply("The provider's reply is not JSON."))
	}
	r, err := c.carrier.Provider.Read(body)
	if err != nil {
		return c.faults.Reply(c.faults.Failed(err))
	}
	c.usage = r.Usage
	c.meta.Created = c.env.Now().Unix()
	return Reply{
		Status: http.StatusOK, ContentType: dialect.ContentTypeJSON,
		Body: c.carrier.Client.AppendReply(make([]byte, 0, len(body)+512), r, c.meta),
	}
}

func (c *carried) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.done {
		return nil, true
	}
	if c.reader == nil {
		c.meta.Created = c.env.Now().Unix()
		c.reader, c.writer = c.carrier.Provider.NewReader(), c.carrier.Client.NewWriter(c.meta)
	}
	c.out = make([]byte, 0, len(b)+len(b)/2+64)
	err := c.reader.Feed(b, c.event)
	if err == nil && end && !c.done {
		if err = c.reader.Close(c.event); err == nil && !c.done {
			err = conversation.ErrTruncated
		}
	}
	if err != nil && !c.done {
		c.fail(c.faults.Failed(err))
	}
	out, c.out = c.out, nil
	return out, c.done
}

// failer is a Writer whose format tells a failure as a state of the answer,
// not by an event of its own.
type failer interface {
	AppendFailure(b []byte, e *dialect.Error) []byte
}

func (c *carried) fail(e *dialect.Error) {
	c.err, c.done = e, true
	if w, ok := c.writer.(failer); ok {
		c.out = w.AppendFailure(c.out, e)
		return
	}
	name, data := dialect.StreamError(c.req.Dialect, e, c.env.ExchangeID)
	c.out = sse.Append(c.out, name, data)
}

func (c *carried) event(ev *conversation.Event) {
	if c.done {
		return
	}
	if ev.Usage != (conversation.Usage{}) {
		c.usage = ev.Usage
	}
	c.out = c.writer.Append(c.out, ev)
	c.done = ev.Kind == conversation.End
}

var _ Call = (*carried)(nil)
