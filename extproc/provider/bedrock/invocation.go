package bedrock

import (
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// invocation is what exchanges with Bedrock have in common.
type invocation struct {
	context plain.Context
	env     kit.Env
	up      kit.Upstream
	faults  kit.Faults
}

func newInvocation(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, up kit.Upstream) invocation {
	return invocation{
		context: plain.Context{Provider: p, Model: t.Model, ExchangeID: env.ExchangeID, Request: req, Usage: dialect.NoUsage},
		env:     env, up: up, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
	}
}

func (c *invocation) Upstream() kit.Upstream            { return c.up }
func (c *invocation) StreamContentType() string         { return sse.ContentType }
func (c *invocation) Usage() dialect.Usage              { return c.context.Usage }
func (c *invocation) Err() *dialect.Error               { return nil }
func (c *invocation) IsStream(string) bool              { return false }
func (c *invocation) Chunk([]byte, bool) ([]byte, bool) { return nil, true }

// complete makes the client's reply of a whole one; render returns nil for one
// that is not what the API promises.
func (c *invocation) complete(status int, header func(string) string, body []byte, render func(gjson.Result) []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	var out []byte
	if _, fault := jsontext.Scan(body); fault == nil {
		c.context.Created = c.env.Now().Unix()
		c.countHeaders(header)
		out = render(jsontext.View(body))
	}
	if out == nil {
		return c.faults.Reply(kit.BadReply("The provider's reply is not what its API promises."))
	}
	return kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: out}
}

// countHeaders takes in what Bedrock counts for models whose replies do not.
func (c *invocation) countHeaders(header func(string) string) {
	for name, n := range map[string]*int64{
		"x-amzn-bedrock-input-token-count": &c.context.Usage.Input, "x-amzn-bedrock-output-token-count": &c.context.Usage.Output,
	} {
		if v, err := strconv.ParseInt(header(name), 10, 64); err == nil && v >= 0 {
			*n = v
		}
	}
}
