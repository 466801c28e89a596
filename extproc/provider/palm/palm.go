// Package palm calls the PaLM API, which came before Gemini's and which Google
// has turned off: it is here so that configurations of MLflow's load, and for
// servers that still speak it.
package palm

import (
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/clients"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is the PaLM API.
var Provider = &kit.Provider{
	ID:         "palm",
	Title:      "PaLM",
	Deprecated: "Google has turned off the PaLM API: use gemini.",
	Fields: []kit.Field{
		{Name: "palm_api_key", Title: "API key", Required: true, Secret: true,
			Description: "A key of Google AI Studio, sent as x-goog-api-key."},
	},
	Types:  []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Models: kit.KnownModels("palm"),
	Address: func(kit.Target) (kit.Address, error) {
		return kit.Address{TLS: true, Host: "generativelanguage.googleapis.com", Port: 443}, nil
	},
	Open: open,
}

// The methods of the API.
const (
	generateMessage = "generateMessage"
	generateText    = "generateText"
	batchEmbedText  = "batchEmbedText"
)

func headers(p *kit.Provider, t kit.Target) [][2]string {
	return [][2]string{{"x-goog-api-key", p.Config(t, "palm_api_key")}}
}

func path(t kit.Target, method string) string {
	return "/v1beta3/models/" + url.PathEscape(t.Model) + ":" + method
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	method, ways := "", openAI
	if req.Dialect == dialect.MLflow {
		ways = mlflow
	}
	switch {
	case req.Operation == dialect.Embeddings:
		method = batchEmbedText
	case req.Operation == dialect.Completions:
		method = generateText
	case req.Operation == dialect.Chat && req.Dialect == dialect.MLflow:
		method = generateMessage
	default:
		return carry(p, t, req, env)
	}
	way := ways[method]
	way.Path, way.Headers = path(t, method), headers(p, t)
	return plain.Open(p, t, req, env, way)
}

// carry is for the chat of all dialects but MLflow's. The API has no streams.
func carry(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	client, ok := clients.For(req)
	if !ok || req.Stream {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{
		Client: client, Provider: messages{},
		Upstream: func(body []byte, stream bool) kit.Upstream {
			return kit.JSONRequest(path(t, generateMessage), body, stream, headers(p, t)...)
		},
	})
}

// mlflow are MLflow's ways (mlflow/gateway/providers/palm.py).
var mlflow = map[string]plain.Way{
	generateMessage: {Body: mlflowChat, Reply: mlflowChatReply},
	generateText:    {Body: mlflowText, Reply: mlflowTextReply},
	batchEmbedText:  {Body: mlflowEmbed, Reply: mlflowEmbeddings},
}

var (
	chatNames  = plain.Renames{"stop": "stopSequences", "n": "candidateCount"}
	textNames  = plain.Renames{"stop": "stopSequences", "n": "candidateCount", "max_tokens": "maxOutputTokens"}
	embedNames = plain.Renames{"input": "texts"}
)

// parameter adds a parameter as MLflow does. PaLM's temperature goes from 0 to
// 1, MLflow's to 2.
func parameter(o *plain.Object, names plain.Renames, name string, v gjson.Result) {
	switch {
	case name == "temperature" && v.Type == gjson.Number:
		o.Raw(name, plain.Scaled(v, 0.5))
	case name == "stop":
		o.Raw(names.Of(name), plain.List(v))
	default:
		o.Raw(names.Of(name), v.Raw)
	}
}

func mlflowChat(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	for _, limit := range []string{"max_tokens", "maxOutputTokens"} {
		if plain.Get(c.Request, limit).Exists() {
			return nil, plain.Refuse(http.StatusUnprocessableEntity, "Max tokens is not supported for PaLM chat.")
		}
	}
	if e := chatNames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	o, prompt := plain.NewObject(len(c.Request.Payload)), plain.NewObject(len(c.Request.Payload))
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		switch name {
		case "messages":
			prompt.Raw(name, authored(v))
		case "examples", "context":
			prompt.Raw(name, v.Raw)
		case "prompt": // replaced
		default:
			parameter(o, chatNames, name, v)
		}
	})
	o.Raw("prompt", string(prompt.Bytes()))
	return o.Bytes(), nil
}

// authored are messages whose role is called author.
func authored(list gjson.Result) string {
	b := []byte{'['}
	list.ForEach(func(_, m gjson.Result) bool {
		b = append(jsontext.Comma(b), '{')
		m.ForEach(func(k, v gjson.Result) bool {
			name := k.Raw
			if k.Str == "role" {
				name = `"author"`
			}
			b = append(append(append(jsontext.Comma(b), name...), ':'), v.Raw...)
			return true
		})
		b = append(b, '}')
		return true
	})
	return string(append(b, ']'))
}

func mlflowChatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply, "content")
	if err != nil {
		return nil, err
	}
	return c.ChatReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

// choicesOf reads candidates, whose text is in a member of that name.
func choicesOf(reply gjson.Result, text string) (choices []plain.Choice, err error) {
	if !reply.Get("candidates").IsArray() {
		return nil, plain.ErrReply
	}
	reply.Get("candidates").ForEach(func(_, v gjson.Result) bool {
		if v.Get(text).Type != gjson.String {
			err = plain.ErrReply
			return false
		}
		choices = append(choices, plain.Choice{Role: plain.StringOr(v.Get("author"), ""), Text: v.Get(text).Raw})
		return true
	})
	return choices, err
}

func mlflowText(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := textNames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 32)
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		if name == "prompt" {
			o.Raw(name, `{"text":`+v.Raw+"}")
			return
		}
		parameter(o, textNames, name, v)
	})
	return o.Bytes(), nil
}

func mlflowTextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply, "output")
	if err != nil {
		return nil, err
	}
	return c.TextReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

func mlflowEmbed(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := embedNames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload))
	plain.Payload(c.Request, func(name string, v gjson.Result) { o.Raw(embedNames.Of(name), v.Raw) })
	return o.Bytes(), nil
}

func mlflowEmbeddings(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}

func vectorsOf(reply gjson.Result) ([]plain.Vector, error) {
	var lists []byte
	reply.Get("embeddings").ForEach(func(_, v gjson.Result) bool {
		raw := v.Get("value").Raw
		if raw == "" {
			raw = "null"
		}
		lists = append(jsontext.Comma(lists), raw...)
		return true
	})
	vectors, ok := plain.Vectors(gjson.Parse("[" + string(lists) + "]"))
	if !ok || len(vectors) == 0 {
		return nil, plain.ErrReply
	}
	return vectors, nil
}
