package anthropic

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// openSame begins an exchange whose client speaks the Messages API itself. The
// body is edited in place, replies and streams go on as they came.
func openSame(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	path, change := place.path(req.Stream), edit{model: t.Model, unnamed: place.Unnamed}
	switch req.Operation {
	case dialect.Chat:
	case dialect.CountTokens:
		path, change.unnamed = place.CountPath, false
	default:
		path = ""
	}
	if path == "" {
		return nil, kit.NotImplemented(p, req)
	}
	body, members := own(req)
	headers := place.Headers
	change.betas = place.betas(req)
	if len(change.betas) > 0 && !place.BetasInBody {
		headers = append(slices.Clip(headers), [2]string{"anthropic-beta", strings.Join(change.betas, ",")})
	}
	return &sameCall{streamed{
		req: req, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID),
		up:     place.request(path, place.body(body, members, change), req.Stream, headers),
		stream: format.Stream{Usage: format.NoUsage},
	}}, nil
}

// betas are those that the client asks for and the server takes.
func (place Place) betas(req *dialect.Request) (names []string) {
	if req.ClientHeader == nil {
		return nil
	}
	for name := range strings.SplitSeq(req.ClientHeader("anthropic-beta"), ",") {
		name = strings.TrimSpace(name)
		if isBeta(name) && (place.Beta == nil || place.Beta(name)) {
			names = append(names, name)
		}
	}
	return names
}

// isBeta reports whether a text can name a beta: "context-1m-2025-08-07".
func isBeta(name string) bool {
	return name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// sameCall is one exchange in which client and server speak the same format.
type sameCall struct{ streamed }

func (c *sameCall) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	members, fault := jsontext.Scan(body)
	if fault == nil && string(members.Value(body, "type")) == `"error"` {
		return c.faults.Reply(c.faults.Inside(body))
	}
	if fault != nil || !c.due(body, members) {
		return c.faults.Reply(kit.BadReply("The provider's reply is not what its API promises."))
	}
	c.stream.Usage.Update(jsontext.View(members.Value(body, "usage")))
	return kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: body, Unchanged: true}
}

// due reports whether a reply has what the API always gives.
func (c *sameCall) due(body []byte, members dialect.Members) bool {
	if c.req.Operation == dialect.CountTokens {
		return jsontext.View(members.Value(body, "input_tokens")).Type == gjson.Number
	}
	content := members.Value(body, "content")
	return string(members.Value(body, "type")) == `"message"` && len(content) > 0 && content[0] == '['
}

func (c *sameCall) Chunk(b []byte, end bool) (out []byte, done bool) {
	return c.chunk(b, end, len(b)+64, c.event)
}

// event passes an event on as it came; one that only lacks its blank line gets it.
func (c *sameCall) event(ev sse.Event, _ *format.Event) {
	if ev.Partial {
		c.out = sse.Append(c.out, string(ev.Name), ev.Data)
		return
	}
	c.out = append(c.out, ev.Raw...)
}

var _ kit.Call = (*sameCall)(nil)
