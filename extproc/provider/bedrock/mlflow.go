package bedrock

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// openMLflow begins an exchange of MLflow's dialect: as MLflow's server does
// it, except that an API key does for streams, completions and embeddings too.
func openMLflow(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, at place) (kit.Call, *dialect.Error) {
	switch req.Operation {
	case dialect.Embeddings:
		return openEmbeddings(p, t, req, env, at)
	case dialect.Completions:
		return openMLflowCompletions(p, t, req, env, at)
	case dialect.Chat:
	default:
		return nil, kit.NotImplemented(p, req)
	}
	body, e := mlflowToConverse(req)
	if e != nil {
		return nil, e
	}
	return &mlflowCall{invocation: newInvocation(p, t, req, env, at.converse(body, req.Stream))}, nil
}

// mlflowCall is a chat of MLflow's dialect.
type mlflowCall struct {
	invocation
	frames   eventstream.Reader
	out      []byte // what the current chunk has become
	finished bool   // messageStop came
	done     bool
	err      *dialect.Error
}

func (c *mlflowCall) Err() *dialect.Error { return c.err }

func (c *mlflowCall) IsStream(contentType string) bool {
	return c.context.Request.Stream && eventstream.IsStream(contentType)
}

func (c *mlflowCall) Complete(status int, header func(string) string, body []byte) kit.Reply {
	return c.complete(status, header, body, func(reply gjson.Result) []byte {
		if !reply.Get("output.message").IsObject() {
			return nil
		}
		usage := reply.Get("usage")
		c.count(usage)
		return c.context.ChatReply(make([]byte, 0, len(body)+256), plain.Head{}, []plain.Choice{mlflowChoice(reply)}, mlflowCounts(usage))
	})
}

func (c *mlflowCall) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.done {
		return nil, true
	}
	if c.context.Created == 0 {
		c.context.Created = c.env.Now().Unix()
	}
	c.out = make([]byte, 0, 2*len(b)+64)
	if err := c.frames.Feed(b, c.message); err != nil && !c.done {
		c.fail(kit.BadReply("The provider sent a stream that can't be read."))
	}
	if end && !c.done {
		c.close()
	}
	out, c.out = c.out, nil
	return out, c.done
}

// close settles a stream that ended without its last event, the usage.
func (c *mlflowCall) close() {
	if c.frames.End() != nil || !c.finished {
		c.fail(dialect.StreamTruncated())
		return
	}
	c.done = true
}

func (c *mlflowCall) message(m eventstream.Message) error {
	switch {
	case c.done:
		return nil
	case m.Kind != eventstream.Event:
		c.fail(c.faults.Failed(converse.Failure(m)))
		return nil
	case !jsontext.Valid(m.Payload):
		c.fail(kit.BadReply("The provider sent an event that is not JSON."))
		return nil
	}
	v := jsontext.View(m.Payload)
	c.out = appendMLflowEvent(&c.context, c.out, m.Type, v)
	switch m.Type {
	case "messageStop":
		c.finished = true
	case "metadata": // the last event of a stream
		c.count(v.Get("usage"))
		c.done = c.finished
	}
	return nil
}

func (c *mlflowCall) count(usage gjson.Result) { c.context.Usage = converse.Usage(usage).Counts() }

func (c *mlflowCall) fail(e *dialect.Error) {
	c.err, c.done = e, true
	name, data := dialect.StreamError(c.context.Request.Dialect, e, c.env.ExchangeID)
	c.out = sse.Append(c.out, name, data)
}

var _ kit.Call = (*mlflowCall)(nil)
