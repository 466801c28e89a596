// Package anthropic calls Anthropic, and other servers of its Messages API, for
// clients of every dialect. README.md says what becomes of each field.
package anthropic

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// Provider is Anthropic's own API (platform.claude.com/docs/en/api): chat
// over the Messages API; completions of MLflow's dialect over the old text
// completions API, as MLflow does it, and of OpenAI's over the Messages API.
var Provider = &kit.Provider{
	ID:    "anthropic",
	Title: "Anthropic",
	Fields: []kit.Field{
		{Name: "anthropic_api_key", Title: "API key", Required: true, Secret: true,
			Description: "A key of the Anthropic console, sent as x-api-key."},
		{Name: "anthropic_version", Title: "API version", Default: defaultVersion,
			Description: "The version of the API, sent as anthropic-version."},
		{Name: "anthropic_api_base", Title: "API base URL", Default: defaultBase, URL: true,
			Description: "Where the API is reached, without the operation's own path."},
	},
	Types:   []string{kit.TypeChat, kit.TypeCompletions},
	Models:  kit.KnownModels("anthropic"),
	Address: addressOf,
	Open:    open,
}

func addressOf(t kit.Target) (kit.Address, error) {
	b, err := kit.ParseBase(cmp.Or(t.Config["anthropic_api_base"], defaultBase))
	if err != nil {
		return kit.Address{}, fmt.Errorf("the parameter 'anthropic_api_base' %w", err)
	}
	return b.Address, nil
}

// The defaults of the parameters.
const (
	defaultVersion = "2023-06-01"
	defaultBase    = "https://api.anthropic.com/v1"
)

// way is how one operation of one client dialect is carried.
type way struct {
	path    string // of the API, after the base path
	request func(model string, req *dialect.Request) ([]byte, *dialect.Error)
	reply   func(reply gjson.Result, u tokens, created int64) []byte
	// stream makes what writes a stream; nil: the way has no streams.
	stream func(req *dialect.Request, created int64) renderer
}

func wayOf(req *dialect.Request) way {
	chat := req.Operation == dialect.Chat
	switch {
	case req.Dialect == dialect.MLflow && chat:
		return way{"/messages", mlflowToMessages, chatForMLflow, newMLflowChunks}
	case req.Dialect == dialect.MLflow:
		return way{"/complete", mlflowToComplete, completionForMLflow, nil}
	case chat:
		return way{"/messages", openAIToMessages, chatForOpenAI, newOpenAIChunks}
	default:
		return way{"/messages", openAICompletionToMessages, completionForOpenAI, newOpenAIChunks}
	}
}

func newMLflowChunks(_ *dialect.Request, created int64) renderer {
	return &mlflowChunks{created: created, tools: map[int64]int64{}, usage: noTokens}
}

func newOpenAIChunks(req *dialect.Request, created int64) renderer {
	return &openAIChunks{text: req.Operation == dialect.Completions, usage: req.IncludeUsage, created: created}
}

// open begins an exchange with Anthropic.
func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	address, err := addressOf(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	return Open(p, t, req, env, Place{
		Path:      address.BasePath + "/messages",
		CountPath: address.BasePath + "/messages/count_tokens",
		Headers: [][2]string{
			{"x-api-key", p.Config(t, "anthropic_api_key")},
			{"anthropic-version", p.Config(t, "anthropic_version")},
		},
	})
}

// Open begins an exchange with a server of the Messages API, whatever the
// client's dialect.
func Open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	way := wayOf(req)
	if req.Stream && way.stream == nil || req.Operation != dialect.Chat && req.Operation != dialect.Completions {
		return nil, kit.NotImplemented(p, req)
	}
	body, e := way.request(t.Model, req)
	if e != nil {
		return nil, e
	}
	path := place.Path
	if way.path != "/messages" {
		path = strings.TrimSuffix(path, "/messages") + way.path
	}
	c := &exchange{way: way, req: req, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID), usage: noTokens}
	c.up = place.upstream(path, body, req.Stream)
	if place.Unframe != nil {
		return &unframed{Call: c, place: place, stream: req.Stream}, nil
	}
	return c, nil
}

// exchange is one exchange with Anthropic.
type exchange struct {
	way    way
	req    *dialect.Request
	env    kit.Env
	up     kit.Upstream
	faults kit.Faults
	usage  tokens
	stream *messageStream // set by the first chunk
}

func (c *exchange) Upstream() kit.Upstream { return c.up }

func (c *exchange) Usage() dialect.Usage {
	if c.stream != nil {
		return c.stream.usage.counts()
	}
	return c.usage.counts()
}

func (c *exchange) Err() *dialect.Error {
	if c.stream == nil {
		return nil
	}
	return c.stream.err
}

func (c *exchange) StreamContentType() string { return sse.ContentType }

func (c *exchange) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}

func (c *exchange) created() int64 { return c.env.Now().Unix() }

func (c *exchange) Complete(status int, header func(string) string, body []byte) kit.Reply {
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
	return kit.Reply{
		Status: http.StatusOK, ContentType: dialect.ContentTypeJSON,
		Body: c.way.reply(reply, c.usage, c.created()),
	}
}

// due reports whether a reply has what the API always gives.
func (c *exchange) due(reply gjson.Result) bool {
	if c.way.path == "/complete" {
		return reply.Get("completion").Type == gjson.String
	}
	return reply.Get("type").Str == "message" && reply.Get("content").IsArray()
}

func (c *exchange) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stream == nil {
		c.stream = &messageStream{
			dialect: c.req.Dialect, exchange: c.env.ExchangeID, failure: c.faults.Named,
			render: c.way.stream(c.req, c.created()), usage: noTokens,
		}
	}
	return c.stream.chunk(b, end)
}

var _ kit.Call = (*exchange)(nil)
