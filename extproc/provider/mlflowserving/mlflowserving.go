// Package mlflowserving is a model served by MLflow ("mlflow models serve"),
// whose one call is POST /invocations.
package mlflowserving

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/clients"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is a server of one model.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "mlflow-model-serving", Title: "MLflow Model Serving",
		Fields: []kit.Field{
			{Name: "model_server_url", Title: "Server URL", Required: true, URL: true,
				Description: "Where the model is served, without /invocations."},
		},
		Types:  []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Native: native,
		Open:   open,
	}
	p.Address = plain.AtField(p, "model_server_url")
	return p
}

func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := plain.BaseOf(p, t, "model_server_url")
	if err != nil {
		return kit.Native{}, err
	}
	return kit.Native{Root: b.BasePath, Query: b.Query, Dialect: dialect.OpenAI, OneModel: true}, nil
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := plain.BaseOf(p, t, "model_server_url")
	if err != nil {
		return nil, dialect.Internal()
	}
	path := b.BasePath + "/invocations"
	if b.Query != "" {
		path += "?" + b.Query
	}
	if req.Dialect != dialect.MLflow && req.Operation == dialect.Chat {
		return carry(p, t, req, env, path)
	}
	way := wayOf(req)
	way.Path = path
	return plain.Open(p, t, req, env, way)
}

func carry(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, path string) (kit.Call, *dialect.Error) {
	client, ok := clients.For(req)
	if !ok || req.Stream {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{Client: client, Provider: codec, Upstream: func(body []byte, stream bool) kit.Upstream {
		return kit.JSONRequest(path, body, stream)
	}})
}

func wayOf(req *dialect.Request) plain.Way {
	mlflow := req.Dialect == dialect.MLflow
	switch {
	case req.Operation == dialect.Chat:
		return plain.Way{Body: mlflowChat, Reply: mlflowChatReply}
	case req.Operation == dialect.Completions && mlflow:
		return plain.Way{Body: mlflowText, Reply: mlflowTextReply}
	case req.Operation == dialect.Completions:
		return plain.Way{Body: openAIText, Reply: openAITextReply}
	case mlflow:
		return plain.Way{Body: mlflowEmbeddings, Reply: mlflowEmbeddingsReply}
	}
	return plain.Way{Body: openAIEmbeddings, Reply: openAIEmbeddingsReply}
}

// What MLflow's MlflowModelServingProvider does
// (mlflow/gateway/providers/mlflow.py). A reply that it does not take is a 502
// there and here; its text is pydantic's there.

// body is inputs, a list as JSON, with all else of the payload as params.
func body(c *plain.Context, without, inputs string) []byte {
	params, some := plain.NewObject(len(c.Request.Payload)), false
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		if name != without {
			params.Raw(name, v.Raw)
			some = true
		}
	})
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.Raw("inputs", inputs)
	if some {
		o.Raw("params", string(params.Bytes()))
	}
	return o.Bytes()
}

func mlflowChat(c *plain.Context) ([]byte, *dialect.Error) {
	messages := plain.Get(c.Request, "messages").Array()
	if len(messages) > 1 {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "MLflow chat models are only capable of processing a single query at a "+
			"time. The request submitted consists of "+strconv.Itoa(len(messages))+" queries.")
	}
	content := messages[0].Get("content")
	if !content.Exists() {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "The message has no content.")
	}
	return body(c, "messages", "["+content.Raw+"]"), nil
}

func mlflowText(c *plain.Context) ([]byte, *dialect.Error) {
	return body(c, "prompt", plain.List(plain.Get(c.Request, "prompt"))), nil
}

func mlflowEmbeddings(c *plain.Context) ([]byte, *dialect.Error) {
	return body(c, "input", plain.List(plain.Get(c.Request, "input"))), nil
}

func mlflowChatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply)
	if err != nil {
		return nil, err
	}
	return c.ChatReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

func mlflowTextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply)
	if err != nil {
		return nil, err
	}
	return c.TextReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

func mlflowEmbeddingsReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}

// Chats, completions and embeddings of other dialects.

// codec is a chat of one message.
var codec = plain.TextChat{Title: "MLflow Model Serving", Body: chatBody, Texts: func(reply gjson.Result) ([]gjson.Result, bool) {
	list, message := texts(reply)
	return list, message == ""
}}

func chatBody(_ string, r *conversation.Request, params []plain.Param) ([]byte, *dialect.Error) {
	if len(r.System) > 0 || len(r.Messages) != 1 || r.Messages[0].Role != conversation.User {
		return nil, dialect.Unsupported("messages", "must be one message of the user's: models served by MLflow answer a single query.")
	}
	b := dialect.AppendString([]byte(`{"inputs":[`), plain.TextOf(r.Messages[0].Blocks))
	b = append(b, ']')
	if len(params) > 0 {
		b = append(b, `,"params":{`...)
		for _, p := range params {
			b = append(append(dialect.AppendString(jsontext.Comma(b), p.Name), ':'), p.Raw...)
		}
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

// openAINames are OpenAI's parameters that go to the model as they are.
var openAINames = map[string]string{
	"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "stop": "stop", "seed": "seed", "n": "n",
	"presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
}

func openAIBody(c *plain.Context, member string, names map[string]string) ([]byte, *dialect.Error) {
	inputs, e := plain.Texts(c, member)
	if e != nil {
		return nil, e
	}
	params, some := plain.NewObject(len(c.Request.Payload)), false
	e = plain.Parameters(c, names, func(name string, v gjson.Result) {
		params.Raw(name, v.Raw)
		some = true
	})
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.Raw("inputs", "["+strings.Join(inputs, ",")+"]")
	if some {
		o.Raw("params", string(params.Bytes()))
	}
	return o.Bytes(), e
}

func openAIText(c *plain.Context) ([]byte, *dialect.Error) {
	return openAIBody(c, "prompt", openAINames)
}

func openAITextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply)
	if err != nil {
		return nil, err
	}
	return c.OpenAIText(nil, choices), nil
}

func openAIEmbeddings(c *plain.Context) ([]byte, *dialect.Error) {
	if _, e := plain.ReadEncoding(c.Request); e != nil {
		return nil, e
	}
	return openAIBody(c, "input", nil)
}

func openAIEmbeddingsReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	return c.OpenAIEmbeddings(nil, vectors), nil
}
