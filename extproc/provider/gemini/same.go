package gemini

import (
	"bytes"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// openSame begins an exchange whose client speaks the server's own API: the
// body goes on as it came, but for the model where a body names one, and the
// answer comes back as it is. The wish for another framing of a stream is kept
// by kit.Reframe: between the gateway and the server it is always events.
func openSame(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	c := &same{
		req: req, env: env, faults: kit.NewFaults(p, t, req.Dialect, env.ExchangeID), usage: conversation.NoUsage,
	}
	switch req.Operation {
	case dialect.Chat:
		c.up = place.upstream(generateMethod(req.Stream), place.chatBody(req), req.Stream)
	case dialect.CountTokens:
		body, e := place.countBody(t.Model, req)
		if e != nil {
			return nil, e
		}
		c.up = place.upstream(countTokens, body, false)
	default:
		return nil, kit.NotImplemented(p, req)
	}
	return c, nil
}

// chatBody leaves out "model", which the path names: a body must not name
// another one.
func (place Place) chatBody(req *dialect.Request) []byte {
	body := without(req.Payload, req.Members(), "model")
	if place.Vertex {
		body = withoutIDs(body)
	}
	return body
}

func without(body []byte, members jsontext.Members, key string) []byte {
	for i := range members {
		if members[i].Key == key {
			return jsontext.Apply(body, members.Without(i))
		}
	}
	return body
}

// countBody is the body of countTokens. Gemini's has the whole call to count in
// "generateContentRequest" or its contents alone; Vertex AI's has the call's
// own members.
func (place Place) countBody(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	body := place.chatBody(req)
	members, fault := jsontext.Scan(body)
	if fault != nil {
		return nil, dialect.Internal()
	}
	for _, key := range []string{"generateContentRequest", "generate_content_request"} {
		call, ok := members.Find(key)
		if !ok {
			continue
		}
		text := body[call.Start:call.End]
		inside, fault := jsontext.Scan(text)
		if fault != nil || len(text) == 0 || text[0] != '{' {
			return nil, dialect.InvalidField(key, "must be an object.")
		}
		if place.Vertex {
			return without(text, inside, "model"), nil
		}
		path, _ := modelPath(model)
		named := kit.Quoted(path)
		if len(inside) == 0 {
			return jsontext.Apply(body, jsontext.Edit{Start: call.Start, End: call.End, Text: `{"model":` + named + "}"}), nil
		}
		text = jsontext.Apply(text, inside.With("model", named))
		return jsontext.Apply(body, jsontext.Edit{Start: call.Start, End: call.End, Text: string(text)}), nil
	}
	return body, nil
}

var idKey = []byte(`"id"`)

// withoutIDs removes the ids of function calls and responses, which Vertex AI
// refuses: a conversation may have begun at a server that gives them.
func withoutIDs(body []byte) []byte {
	if !bytes.Contains(body, idKey) {
		return body
	}
	root := jsontext.View(body)
	var edits []jsontext.Edit
	root.Get("contents").ForEach(func(_, content gjson.Result) bool {
		content.Get("parts").ForEach(func(_, part gjson.Result) bool {
			part.ForEach(func(k, v gjson.Result) bool {
				switch k.Str {
				case "functionCall", "functionResponse", "function_call", "function_response":
					if edit, ok := withoutID(v); ok {
						edits = append(edits, edit)
					}
				}
				return true
			})
			return true
		})
		return true
	})
	return jsontext.Apply(body, edits...)
}

// withoutID is the edit of the whole body that removes "id" from an object in it.
func withoutID(v gjson.Result) (edit jsontext.Edit, ok bool) {
	if !v.IsObject() {
		return edit, false
	}
	members, _ := jsontext.Scan([]byte(v.Raw))
	for i := range members {
		if members[i].Key == "id" {
			edit = members.Without(i)
			edit.Start += v.Index
			edit.End += v.Index
			return edit, true
		}
	}
	return edit, false
}

// same is an exchange in the server's own format.
type same struct {
	req    *dialect.Request
	env    kit.Env
	up     kit.Upstream
	faults kit.Faults
	usage  conversation.Usage

	reader   sse.Reader
	out      []byte
	held     []byte // the event that may be the last one
	finished bool   // a finish reason has come
	stopped  bool   // nothing more is to be told
	err      *dialect.Error
}

func (c *same) Upstream() kit.Upstream    { return c.up }
func (c *same) StreamContentType() string { return sse.ContentType }
func (c *same) Usage() dialect.Usage      { return c.usage.Counts() }
func (c *same) Err() *dialect.Error       { return c.err }
func (c *same) IsStream(contentType string) bool {
	return c.req.Stream && kit.IsEventStream(contentType)
}

func (c *same) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if e := c.faults.Read(status, header, body); e != nil {
		return c.faults.Reply(e)
	}
	if !jsontext.Valid(body) {
		return c.faults.Reply(kit.BadReply("The provider's reply is not JSON."))
	}
	reply, _ := gemini.ReadResponse(jsontext.View(body))
	if reply.Failure != nil {
		return c.faults.Reply(c.faults.Failed(reply.Failure))
	}
	due := reply.Whole()
	if c.req.Operation == dialect.CountTokens {
		due = jsontext.View(body).Get("totalTokens").Type == gjson.Number
	}
	if !due {
		return c.faults.Reply(kit.BadReply("The provider's reply is not what its API promises."))
	}
	gemini.Count(&c.usage, reply.Usage)
	return kit.Reply{Status: http.StatusOK, ContentType: dialect.ContentTypeJSON, Body: body, Unchanged: true}
}

func (c *same) Chunk(b []byte, end bool) (out []byte, done bool) {
	if c.stopped {
		return nil, true
	}
	c.out = make([]byte, 0, len(b)+len(c.held)+64)
	// event returns no errors, so Feed's only one is an event too large.
	if err := c.reader.Feed(b, c.event); err != nil {
		c.fail(kit.BadReply("The provider sent an event that is too large."))
	}
	if end && !c.stopped {
		_ = c.reader.End(c.event)
	}
	if end && !c.stopped {
		if c.finished {
			c.out, c.stopped = append(c.out, c.held...), true
		} else {
			c.fail(dialect.StreamTruncated())
		}
	}
	out, c.out = c.out, nil
	return out, c.stopped
}

// fail ends the stream with an error.
func (c *same) fail(e *dialect.Error) {
	if c.stopped {
		return
	}
	c.err, c.stopped = e, true
	name, data := dialect.StreamError(c.req.Dialect, e, c.env.ExchangeID)
	c.out = sse.Append(append(c.out, c.held...), name, data)
}

// event passes one event on. One that may be the last is held back until the
// stream is known to be whole.
func (c *same) event(ev sse.Event) error {
	switch {
	case c.stopped:
		return nil
	case ev.Data == nil:
		if !ev.Partial {
			c.out = append(c.out, ev.Raw...)
		}
		return nil
	case !jsontext.Valid(ev.Data):
		if !ev.Partial {
			c.fail(kit.BadReply("The provider sent an event that is not JSON."))
		}
		return nil
	}
	event, _ := gemini.ReadResponse(jsontext.View(ev.Data))
	if event.Failure != nil {
		c.fail(c.faults.Failed(event.Failure))
		return nil
	}
	c.out = append(c.out, c.held...)
	c.held = c.held[:0]
	gemini.Count(&c.usage, event.Usage)
	into := &c.out
	if ends(&event) {
		c.finished, into = true, &c.held
	}
	if ev.Partial { // its blank line is missing
		*into = sse.Append(*into, string(ev.Name), ev.Data)
	} else {
		*into = append(*into, ev.Raw...)
	}
	return nil
}

var _ kit.Call = (*same)(nil)
