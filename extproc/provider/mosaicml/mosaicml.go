// Package mosaicml is MosaicML's inference API
// (docs.mosaicml.com/en/latest/inference.html): texts in, texts or vectors out.
package mosaicml

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/clients"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is MosaicML, or whatever serves its API at mosaicml_api_base.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "mosaicml", Title: "MosaicML",
		Deprecated: "MLflow has deprecated this provider and will remove it.",
		Fields: []kit.Field{
			{Name: "mosaicml_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as the authorization header, without a scheme."},
			{Name: "mosaicml_api_base", Title: "API base URL", Default: "https://models.hosted-on.mosaicml.hosting", URL: true,
				Description: "Where the models are reached; the model's name follows."},
		},
		Types:  []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
		Models: kit.KnownModels("mosaicml"),
		Check:  check,
		Native: native,
		Open:   open,
	}
	p.Address = plain.AtField(p, "mosaicml_api_base")
	return p
}

func headers(t kit.Target) [][2]string {
	return [][2]string{{"authorization", t.Config["mosaicml_api_key"]}}
}

// check is MLflow's rule for models of chats: the prompt is built for Llama 2.
func check(t kit.Target, endpointType string) []kit.FieldError {
	if endpointType != kit.TypeChat || strings.HasPrefix(strings.ToLower(t.Model), "llama2") {
		return nil
	}
	return []kit.FieldError{{Field: "model", Message: "An invalid model has been specified for the chat route. '" + t.Model + "'. " +
		"Ensure the model selected starts with one of: ['llama2']"}}
}

func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := plain.BaseOf(p, t, "mosaicml_api_base")
	if err != nil {
		return kit.Native{}, err
	}
	// The path begins with the model, in which one key has many.
	return kit.Native{
		Root: b.BasePath, Query: b.Query, Headers: headers(t), Dialect: dialect.OpenAI,
		Below: []string{"/" + url.PathEscape(t.Model) + "/"}, OneModel: true,
	}, nil
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := plain.BaseOf(p, t, "mosaicml_api_base")
	if err != nil {
		return nil, dialect.Internal()
	}
	path := b.BasePath + "/" + url.PathEscape(t.Model) + "/v1/predict"
	if b.Query != "" {
		path += "?" + b.Query
	}
	call, e := begin(p, t, req, env, path)
	if e != nil {
		return nil, e
	}
	return corrected{call}, nil
}

func begin(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, path string) (kit.Call, *dialect.Error) {
	if req.Dialect != dialect.MLflow && req.Operation == dialect.Chat {
		return carry(p, t, req, env, path)
	}
	way := wayOf(req)
	way.Path, way.Headers = path, headers(t)
	return plain.Open(p, t, req, env, way)
}

func carry(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, path string) (kit.Call, *dialect.Error) {
	client, ok := clients.For(req)
	if !ok || req.Stream {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{Client: client, Provider: codec, Upstream: func(body []byte, stream bool) kit.Upstream {
		return kit.JSONRequest(path, body, stream, headers(t)...)
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

// corrected is a call whose failures have the right status: MosaicML tells as
// its own what is the caller's.
type corrected struct{ kit.Call }

func (c corrected) Complete(status int, header func(string) string, body []byte) kit.Reply {
	if status == http.StatusInternalServerError && tooLong(body) {
		status = http.StatusUnprocessableEntity
	}
	return c.Call.Complete(status, header, body)
}

func tooLong(body []byte) bool {
	if !jsontext.Valid(body) {
		return false
	}
	message := jsontext.View(body).Get("message").Str
	return strings.HasPrefix(message, "Error: max output tokens is limited to") || strings.HasPrefix(message, "Error: prompt token count")
}

// texts are the outputs of a reply.
func texts(reply gjson.Result) ([]gjson.Result, bool) {
	list := reply.Get("outputs")
	if !list.IsArray() {
		return nil, false
	}
	for _, v := range list.Array() {
		if v.Type != gjson.String {
			return nil, false
		}
	}
	return list.Array(), true
}

func choices(reply gjson.Result) ([]plain.Choice, error) {
	outputs, ok := texts(reply)
	if !ok {
		return nil, plain.ErrReply
	}
	list := make([]plain.Choice, len(outputs))
	for i := range outputs {
		list[i].Text = outputs[i].Raw
	}
	return list, nil
}
