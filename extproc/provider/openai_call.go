package provider

import (
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// openAICall is one exchange with a provider of OpenAI's API.
type openAICall struct {
	provider *Provider
	model    string // the target's
	req      *dialect.Request
	env      Env
	up       Upstream
	faults   kit.Faults
	usage    dialect.Usage
	stream   *openAIStream // set by the first chunk
}

// newOpenAICall begins an exchange with one of OpenAI's kind.
func newOpenAICall(p *Provider, t Target, req *dialect.Request, env Env, place openAIPlace) (Call, *dialect.Error) {
	body, e := openAIBody(t.Model, req, place.unnamed)
	if e != nil {
		return nil, e
	}
	return &openAICall{
		provider: p, model: t.Model, req: req, env: env,
		up:     place.upstream(req.Operation, req.Stream, body),
		faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
		usage:  dialect.NoUsage,
	}, nil
}

func (c *openAICall) Upstream() Upstream        { return c.up }
func (c *openAICall) StreamContentType() string { return sse.ContentType }
func (c *openAICall) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}
func (c *openAICall) Usage() dialect.Usage { return c.usage }

func (c *openAICall) Err() *dialect.Error {
	if c.stream == nil {
		return nil
	}
	return c.stream.err
}

func (c *openAICall) Complete(status int, header func(string) string, body []byte) Reply {
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
	reply := Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: body, Unchanged: true}
	if c.req.Dialect == dialect.MLflow {
		reply.Body, reply.Unchanged = c.toMLflow(body, members), false
	}
	return reply
}

func (c *openAICall) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stream == nil {
		c.stream = &openAIStream{call: c}
	}
	return c.stream.chunk(b, end)
}

// count takes in a usage object, null or nothing.
func (c *openAICall) count(raw []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	u := gjson.ParseBytes(raw)
	number := func(path string) int64 {
		if v := u.Get(path); v.Type == gjson.Number {
			return v.Int()
		}
		return -1
	}
	c.usage = dialect.Usage{
		Input:      number("prompt_tokens"),
		Output:     number("completion_tokens"),
		Cached:     number("prompt_tokens_details.cached_tokens"),
		Reasoning:  number("completion_tokens_details.reasoning_tokens"),
		CacheWrite: number("prompt_tokens_details.cache_write_tokens"),
	}
	if c.usage.Cached < 0 {
		c.usage.Cached = number("prompt_cache_hit_tokens") // DeepSeek's name
	}
	if c.req.Operation == dialect.Embeddings && c.usage.Output < 0 {
		c.usage.Output = 0
	}
}

var _ Call = (*openAICall)(nil)
