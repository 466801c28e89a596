package provider

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// anthropic is Anthropic's own API (platform.claude.com/docs/en/api): chat
// over the Messages API; completions of MLflow's dialect over the old text
// completions API, as MLflow does it, and of OpenAI's over the Messages API.
var anthropic = &Provider{
	ID:    "anthropic",
	Title: "Anthropic",
	Fields: []Field{
		{Name: "anthropic_api_key", Title: "API key", Required: true, Secret: true,
			Description: "A key of the Anthropic console, sent as x-api-key."},
		{Name: "anthropic_version", Title: "API version", Default: anthropicVersion,
			Description: "The version of the API, sent as anthropic-version."},
		{Name: "anthropic_api_base", Title: "API base URL", Default: anthropicBase, URL: true,
			Description: "Where the API is reached, without the operation's own path."},
	},
	Types:   []string{TypeChat, TypeCompletions},
	Models:  kit.KnownModels("anthropic"),
	Address: anthropicAddress,
	Open:    openAnthropic,
}

func anthropicAddress(t Target) (Address, error) {
	b, err := kit.ParseBase(cmp.Or(t.Config["anthropic_api_base"], anthropicBase))
	if err != nil {
		return Address{}, fmt.Errorf("the parameter 'anthropic_api_base' %w", err)
	}
	return b.Address, nil
}

// The defaults of the parameters.
const (
	anthropicVersion = "2023-06-01"
	anthropicBase    = "https://api.anthropic.com/v1"
)

// anthropicWay is how one operation of one client dialect is carried.
type anthropicWay struct {
	path    string // of the API, after the base path
	request func(model string, req *dialect.Request) ([]byte, *dialect.Error)
	reply   func(reply gjson.Result, u anthropicUsage, created int64) []byte
	// stream makes what writes a stream; nil: the way has no streams.
	stream func(req *dialect.Request, created int64) anthropicRenderer
}

func anthropicWayOf(req *dialect.Request) anthropicWay {
	chat := req.Operation == dialect.Chat
	switch {
	case req.Dialect == dialect.MLflow && chat:
		return anthropicWay{"/messages", mlflowToMessages, chatForMLflow, newMLflowChunks}
	case req.Dialect == dialect.MLflow:
		return anthropicWay{"/complete", mlflowToComplete, completionForMLflow, nil}
	case chat:
		return anthropicWay{"/messages", openAIToMessages, chatForOpenAI, newOpenAIChunks}
	default:
		return anthropicWay{"/messages", openAICompletionToMessages, completionForOpenAI, newOpenAIChunks}
	}
}

func newMLflowChunks(_ *dialect.Request, created int64) anthropicRenderer {
	return &mlflowChunks{created: created, tools: map[int64]int64{}, usage: noAnthropicUsage}
}

func newOpenAIChunks(req *dialect.Request, created int64) anthropicRenderer {
	return &openAIChunks{text: req.Operation == dialect.Completions, usage: req.IncludeUsage, created: created}
}

// openAnthropic begins an exchange with Anthropic.
func openAnthropic(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	way := anthropicWayOf(req)
	if req.Stream && way.stream == nil {
		return nil, kit.NotImplemented(p, req)
	}
	address, err := anthropicAddress(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	body, e := way.request(t.Model, req)
	if e != nil {
		return nil, e
	}
	accept := dialect.ContentTypeJSON
	if req.Stream {
		accept = "text/event-stream"
	}
	c := &anthropicCall{way: way, req: req, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID), usage: noAnthropicUsage}
	c.up = Upstream{
		Method: http.MethodPost,
		Path:   address.BasePath + way.path,
		Headers: [][2]string{
			{"x-api-key", p.Config(t, "anthropic_api_key")},
			{"anthropic-version", p.Config(t, "anthropic_version")},
			{"content-type", dialect.ContentTypeJSON},
			{"accept", accept},
		},
		Body: body,
	}
	return c, nil
}

// anthropicCall is one exchange with Anthropic.
type anthropicCall struct {
	way    anthropicWay
	req    *dialect.Request
	env    Env
	up     Upstream
	faults kit.Faults
	usage  anthropicUsage
	stream *anthropicStream // set by the first chunk
}

func (c *anthropicCall) Upstream() Upstream { return c.up }

func (c *anthropicCall) Usage() dialect.Usage {
	if c.stream != nil {
		return c.stream.usage.counts()
	}
	return c.usage.counts()
}

func (c *anthropicCall) Err() *dialect.Error {
	if c.stream == nil {
		return nil
	}
	return c.stream.err
}

func (c *anthropicCall) StreamContentType() string { return sse.ContentType }

func (c *anthropicCall) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}

func (c *anthropicCall) created() int64 { return c.env.Now().Unix() }

func (c *anthropicCall) Complete(status int, header func(string) string, body []byte) Reply {
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
	c.usage.update(reply.Get("usage"))
	return Reply{
		Status: http.StatusOK, ContentType: dialect.ContentTypeJSON,
		Body: c.way.reply(reply, c.usage, c.created()),
	}
}

// due reports whether a reply has what the API always gives.
func (c *anthropicCall) due(reply gjson.Result) bool {
	if c.way.path == "/complete" {
		return reply.Get("completion").Type == gjson.String
	}
	return reply.Get("type").Str == "message" && reply.Get("content").IsArray()
}

func (c *anthropicCall) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stream == nil {
		c.stream = &anthropicStream{
			dialect: c.req.Dialect, exchange: c.env.ExchangeID, failure: c.faults.Named,
			render: c.way.stream(c.req, c.created()), usage: noAnthropicUsage,
		}
	}
	return c.stream.chunk(b, end)
}

var _ Call = (*anthropicCall)(nil)
