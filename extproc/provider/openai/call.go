package openai

import (
	"cmp"
	"net/http"

	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// call is one exchange with a provider of OpenAI's API.
type call struct {
	provider *kit.Provider
	model    string // the target's
	req      *dialect.Request
	env      kit.Env
	up       kit.Upstream
	faults   kit.Faults
	usage    dialect.Usage
	stream   *stream // set by the first chunk
}

// newCall begins an exchange with one of OpenAI's kind.
func newCall(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	body, e := bodyOf(cmp.Or(place.Model, t.Model), req, place)
	if e != nil {
		return nil, e
	}
	return &call{
		provider: p, model: t.Model, req: req, env: env,
		up:     place.upstream(pathOf(req.Operation), req.Stream, body),
		faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
		usage:  dialect.NoUsage,
	}, nil
}

func (c *call) Upstream() kit.Upstream    { return c.up }
func (c *call) StreamContentType() string { return sse.ContentType }
func (c *call) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}
func (c *call) Usage() dialect.Usage { return c.usage }

func (c *call) Err() *dialect.Error {
	if c.stream == nil {
		return nil
	}
	return c.stream.err
}

func (c *call) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	members, fault := jsontext.Scan(body)
	if fault != nil || len(members) == 0 {
		return c.faults.Reply(kit.BadReply("The provider's reply is not the JSON that its API promises."))
	}
	result := "choices"
	if c.req.Operation == dialect.Embeddings {
		result = "data"
	}
	list := members.Value(body, result)
	if len(list) == 0 || list[0] != '[' {
		if raw := members.Value(body, "error"); len(raw) > 0 && string(raw) != "null" {
			return c.faults.Reply(c.faults.Inside(body))
		}
		return c.faults.Reply(kit.BadReply("The provider's reply has no '" + result + "'."))
	}
	c.count(members.Value(body, "usage"))
	reply := kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: body, Unchanged: true}
	if c.req.Dialect == dialect.MLflow {
		reply.Body, reply.Unchanged = c.toMLflow(body, members), false
	}
	return reply
}

func (c *call) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stream == nil {
		c.stream = &stream{call: c}
	}
	return c.stream.chunk(b, end)
}

// count takes in a usage object, null or nothing.
func (c *call) count(raw []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	c.usage = openai.ReadUsage(jsontext.View(raw)).Counts()
	if c.req.Operation == dialect.Embeddings && c.usage.Output < 0 {
		c.usage.Output = 0
	}
}

var _ kit.Call = (*call)(nil)
