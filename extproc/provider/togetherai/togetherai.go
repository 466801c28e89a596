// Package togetherai is Together's API (docs.together.ai/reference): OpenAI's,
// with MLflow's own rules for MLflow's clients.
package togetherai

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	codec "sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
	"sluice/extproc/provider/variant"
)

// Provider is Together.
var Provider = &kit.Provider{
	ID: "togetherai", Title: "TogetherAI",
	Fields: []kit.Field{
		{Name: "togetherai_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:  kit.KnownModels("togetherai"),
	Address: plain.At("https://api.together.xyz/v1"),
	Native:  plain.NativeAt("", headers),
	Open:    open,
}

func headers(t kit.Target) [][2]string { return plain.Bearer(t.Config["togetherai_api_key"]) }

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	if req.Dialect == dialect.MLflow {
		return plain.Open(p, t, req, env, mlflowWay(t, req.Operation))
	}
	call, e := openai.Open(p, t, req, env, openai.Place{Path: "/v1", Headers: headers(t), Traits: codec.Traits{TopK: true}})
	if e != nil || req.Operation == dialect.Embeddings {
		return call, e
	}
	return variant.Wrap(call, variant.Variant{Reply: finish, Event: func() func([]byte) []byte { return finish }})
}

// finish gives OpenAI's clients their own word for the end that Together calls
// "eos".
func finish(body []byte) []byte {
	if !bytes.Contains(body, []byte(`"eos"`)) {
		return body
	}
	body = bytes.TrimLeft(body, " \t\r\n") // so that gjson's positions are those in body
	var edits []jsontext.Edit
	jsontext.View(body).Get("choices").ForEach(func(_, choice gjson.Result) bool {
		if reason := choice.Get("finish_reason"); reason.Str == "eos" {
			edits = append(edits, jsontext.Edit{Start: reason.Index, End: reason.Index + len(reason.Raw), Text: `"stop"`})
		}
		return true
	})
	return jsontext.Apply(body, edits...)
}

// What MLflow's TogetherAIAdapter does (mlflow/gateway/providers/togetherai.py).

func mlflowWay(t kit.Target, op dialect.Operation) plain.Way {
	way := plain.Way{Headers: headers(t), Body: mlflowBody}
	switch op {
	case dialect.Chat:
		way.Path, way.Reply, way.Stream = "/v1/chat/completions", chatReply, newChatStream
	case dialect.Completions:
		way.Path, way.Reply, way.Stream = "/v1/completions", textReply, newTextStream
	default:
		way.Path, way.Body, way.Reply = "/v1/embeddings", embeddingsBody, embeddingsReply
	}
	return way
}

// mlflowBody is the payload after the target's model. MLflow lets one of the
// client's replace it; here an endpoint is a permission for its model, and only
// the same one may be named.
func mlflowBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := check(c.Request); e != nil {
		return nil, e
	}
	if e := checkModel(c); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	members := c.Request.Members()
	o.String("model", c.Model)
	_, renamed := members.Find("top_logprobs")
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		switch {
		case name == "model":
		case name == "top_logprobs":
			o.Raw("logprobs", v.Raw)
		case name == "logprobs" && renamed:
		default:
			o.Raw(name, v.Raw)
		}
	})
	return o.Bytes(), nil
}

// checkModel refuses another model than the target's.
func checkModel(c *plain.Context) *dialect.Error {
	if v := plain.Get(c.Request, "model"); v.Exists() && v.Str != c.Model {
		return dialect.ModelNotPermitted()
	}
	return nil
}

func check(req *dialect.Request) *dialect.Error {
	if req.Operation == dialect.Completions && plain.Get(req, "max_tokens").Num == 0 {
		return plain.Refuse(http.StatusUnprocessableEntity, "max_tokens is not present in payload."+
			"It is a required parameter for TogetherAI completions.")
	}
	for _, name := range []string{"logprobs", "top_logprobs"} {
		v := plain.Get(req, name)
		switch {
		case !v.Exists() || isInt(v):
		case name == "logprobs":
			return plain.Refuse(http.StatusUnprocessableEntity, "Wrong type for logprobs. It should be an 32bit integer.")
		default:
			return plain.Refuse(http.StatusUnprocessableEntity, "Wrong type for top_logprobs. It should a 32bit integer.")
		}
	}
	return nil
}

// isInt reports whether Python takes a value for an int: booleans are some.
func isInt(v gjson.Result) bool {
	return v.IsBool() || v.Type == gjson.Number && !strings.ContainsAny(v.Raw, ".eE")
}

// embeddingsBody adds the target's model where the client named none: MLflow
// forgets it, and Together answers nobody without.
func embeddingsBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := checkModel(c); e != nil {
		return nil, e
	}
	members := c.Request.Members()
	if _, ok := members.Find("model"); ok {
		return c.Request.Payload, nil
	}
	return jsontext.Apply(c.Request.Payload, members.With("model", kit.Quoted(c.Model))), nil
}

func chatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, ok := plain.ReadChoices(reply, func(choice gjson.Result) plain.Choice {
		return plain.Choice{Text: plain.StringOr(choice.Get("message.content"), "")}
	})
	if !ok {
		return nil, plain.ErrReply
	}
	usage := reply.Get("usage")
	c.Usage = plain.ReadUsage(usage)
	return c.ChatReply(nil, plain.Head{ID: id(reply), Created: created(reply)}, choices, plain.ReadCounts(usage)), nil
}

func textReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, ok := plain.ReadChoices(reply, func(choice gjson.Result) plain.Choice {
		return plain.Choice{Text: plain.StringOr(choice.Get("text"), "")}
	})
	if !ok {
		return nil, plain.ErrReply
	}
	usage := reply.Get("usage")
	c.Usage = plain.ReadUsage(usage)
	return c.TextReply(nil, plain.Head{ID: id(reply), Created: created(reply)}, choices, plain.ReadCounts(usage)), nil
}

func id(v gjson.Result) string      { return plain.StringOr(v.Get("id"), "") }
func created(v gjson.Result) string { return plain.NumberOr(v.Get("created"), "") }

func embeddingsReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, ok := plain.ReadVectors(reply)
	if !ok {
		return nil, plain.ErrReply
	}
	c.Usage = plain.ReadUsage(reply.Get("usage"))
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}

// stream rewrites chunks: a choice's text is beside its delta, or, in newer
// streams of chats, in it.
type stream struct {
	c        *plain.Context
	chat     bool
	finished bool
}

func newChatStream(c *plain.Context) plain.Stream { return &stream{c: c, chat: true} }
func newTextStream(c *plain.Context) plain.Stream { return &stream{c: c} }

func (s *stream) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	if jsontext.Present(event.Get("error")) {
		return b, false, plain.ErrReply
	}
	choices, _ := plain.ReadChoices(event, func(choice gjson.Result) plain.Choice {
		s.finished = s.finished || choice.Get("finish_reason").Type == gjson.String
		text := plain.StringOr(choice.Get("text"), "")
		if text == "" {
			text = plain.StringOr(choice.Get("delta.content"), "")
		}
		return plain.Choice{Text: text, Finish: plain.StringOr(choice.Get("finish_reason"), "")}
	})
	usage := event.Get("usage")
	if usage.IsObject() {
		s.c.Usage = plain.ReadUsage(usage)
	}
	head := plain.Head{ID: id(event), Created: created(event)}
	if !s.chat {
		return s.c.TextChunk(b, head, choices, nil), false, nil
	}
	return s.c.ChatChunk(b, head, choices, plain.AllCounts(usage)), false, nil
}

func (s *stream) Close(b []byte) ([]byte, bool) { return b, s.finished }
