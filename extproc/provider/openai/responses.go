package openai

import (
	"cmp"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/responses"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// responsesCall is one exchange of the Responses API with a server that has
// it: the body goes on with the model replaced, answers pass as they came.
type responsesCall struct {
	req     *dialect.Request
	model   string // the target's
	env     kit.Env
	up      kit.Upstream
	faults  kit.Faults
	usage   dialect.Usage
	reader  sse.Reader
	id      string // of the response that is streamed
	last    int64  // sequence_number of the last event
	stopped bool
	err     *dialect.Error
	out     []byte // what the current bytes have become
}

func newResponses(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	place.Traits.NoStreamOptions = true // usage comes unasked
	model := cmp.Or(place.Model, t.Model)
	body, e := bodyOf(model, req, place)
	if e != nil {
		return nil, e
	}
	return &responsesCall{
		req: req, model: model, env: env, up: place.upstream("/responses", req.Stream, body),
		faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID), usage: dialect.NoUsage, last: -1,
	}, nil
}

func (c *responsesCall) Upstream() kit.Upstream    { return c.up }
func (c *responsesCall) StreamContentType() string { return sse.ContentType }
func (c *responsesCall) Usage() dialect.Usage      { return c.usage }
func (c *responsesCall) Err() *dialect.Error       { return c.err }
func (c *responsesCall) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}

func (c *responsesCall) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	if !jsontext.Valid(body) {
		return c.faults.Reply(kit.BadReply("The provider's reply is not JSON."))
	}
	root := jsontext.View(body)
	failed := root.Get("error")
	switch {
	case root.Get("output").IsArray():
		c.usage = responses.ReadUsage(root.Get("usage")).Counts()
	case failed.IsObject():
		return c.faults.Reply(c.faults.Inside(body))
	default:
		return c.faults.Reply(kit.BadReply("The provider's reply has no 'output'."))
	}
	if failed.IsObject() { // status "failed"
		return c.faults.Reply(c.told(failed))
	}
	return kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: body, Unchanged: true}
}

// told is the failure that an error object tells: its code stands for a status.
func (c *responsesCall) told(failed gjson.Result) *dialect.Error {
	code := failed.Get("code").Str
	status := http.StatusInternalServerError
	switch code {
	case "rate_limit_exceeded", "insufficient_quota":
		status = http.StatusTooManyRequests
	case "context_length_exceeded", "invalid_prompt":
		status = http.StatusBadRequest
	}
	return c.faults.Told(status, failed.Get("type").Str, code, failed.Get("message").Str)
}

func (c *responsesCall) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stopped {
		return nil, true
	}
	c.out = make([]byte, 0, len(b)+len(b)/4+64)
	err := c.reader.Feed(b, c.event)
	if err == nil && end && !c.stopped {
		err = c.reader.End(c.event)
	}
	switch {
	case c.stopped:
	case err != nil: // event returns none: this is an event too large
		c.fail(kit.BadReply("The provider sent an event that is too large."))
	case end:
		c.fail(dialect.StreamTruncated())
	}
	out, c.out = c.out, nil
	return out, c.stopped
}

// fail ends the stream as the API does where it fails.
func (c *responsesCall) fail(e *dialect.Error) {
	c.err, c.stopped = e, true
	c.out = responses.AppendFailed(c.out, e, responses.Failed{
		ID: cmp.Or(c.id, "resp_"+c.env.ExchangeID), Model: c.model, Created: c.env.Now().Unix(),
		Sequence: c.last + 1, ExchangeID: c.env.ExchangeID,
	})
}

// event handles one event. It returns no errors.
func (c *responsesCall) event(ev sse.Event) error {
	switch {
	case c.stopped:
	case ev.Data == nil: // a comment that keeps the connection alive
		if !ev.Partial {
			c.out = append(c.out, ev.Raw...)
		}
	case !jsontext.Valid(ev.Data):
		if !ev.Partial { // a partial one is told as the truncation it is
			c.fail(kit.BadReply("The provider sent an event that is not JSON."))
		}
	default:
		c.data(ev, jsontext.View(ev.Data))
	}
	return nil
}

func (c *responsesCall) data(ev sse.Event, root gjson.Result) {
	if n := root.Get("sequence_number"); n.Type == gjson.Number {
		c.last = n.Int()
	}
	switch root.Get("type").Str {
	case "error":
		failed := root
		if inner := root.Get("error"); inner.IsObject() {
			failed = inner
		}
		c.last--
		c.fail(c.told(failed))
		return
	case "response.failed":
		c.usage = responses.ReadUsage(root.Get("response.usage")).Counts()
		c.last--
		c.fail(c.told(root.Get("response.error")))
		return
	case "response.created":
		c.id = string([]byte(root.Get("response.id").Str))
	case "response.completed", "response.incomplete":
		c.usage = responses.ReadUsage(root.Get("response.usage")).Counts()
		c.stopped = true
	}
	c.out = appendWhole(c.out, ev)
}

var _ kit.Call = (*responsesCall)(nil)
