package anthropic

import (
	"net/http"

	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// openMLflow begins an exchange in MLflow's dialect, in which chat and
// completions have rules of their own: MLflow's.
func openMLflow(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	path, write := place.path(req.Stream), mlflowToMessages
	switch {
	case req.Operation == dialect.Chat:
	case req.Operation == dialect.Completions && !req.Stream:
		path, write = place.CompletePath, mlflowToComplete
	default:
		path = ""
	}
	if path == "" {
		return nil, kit.NotImplemented(p, req)
	}
	body, e := write(t.Model, req)
	if e != nil {
		return nil, e
	}
	return &mlflowCall{
		streamed: streamed{
			req: req, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
			up:     place.upstream(path, body, edit{unnamed: place.Unnamed}, req.Stream),
			stream: format.Stream{Usage: format.NoUsage},
		},
		chunks: mlflowChunks{provider: p.ID, usage: format.NoUsage},
	}, nil
}

// mlflowCall is one exchange in MLflow's dialect.
type mlflowCall struct {
	streamed
	chunks mlflowChunks
}

func (c *mlflowCall) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	reply := jsontext.View(body)
	_, err := jsontext.Scan(body)
	switch {
	case err == nil && reply.Get("type").Str == "error":
		return c.faults.Reply(c.faults.Inside(body))
	case err != nil || !c.due(reply):
		return c.faults.Reply(kit.BadReply("The provider's reply is not what its API promises."))
	}
	created := c.env.Now().Unix()
	out := kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON}
	if c.req.Operation == dialect.Completions {
		out.Body = completionForMLflow(reply, created)
		return out
	}
	c.stream.Usage.Update(reply.Get("usage"))
	out.Body = chatForMLflow(reply, c.stream.Usage, created, c.chunks.provider)
	return out
}

// due reports whether a reply has what the API always gives.
func (c *mlflowCall) due(reply gjson.Result) bool {
	if c.req.Operation == dialect.Completions {
		return reply.Get("completion").Type == gjson.String
	}
	return reply.Get("type").Str == "message" && reply.Get("content").IsArray()
}

func (c *mlflowCall) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.chunks.tools == nil {
		c.chunks.tools, c.chunks.created = map[int64]int64{}, c.env.Now().Unix()
	}
	return c.chunk(b, end, len(b)+len(b)/2+64, c.event)
}

func (c *mlflowCall) event(_ sse.Event, ev *format.Event) { c.out = c.chunks.event(c.out, ev) }

var _ kit.Call = (*mlflowCall)(nil)
