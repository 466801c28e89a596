// Package gemini calls Gemini's API (ai.google.dev/api), at Google's own place
// and at others that serve it.
package gemini

import (
	"net/url"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/clients"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

const host = "generativelanguage.googleapis.com"

// Provider is Google's Gemini API with a key.
var Provider = &kit.Provider{
	ID:    "gemini",
	Title: "Gemini",
	Fields: []kit.Field{
		{Name: "gemini_api_key", Title: "API key", Required: true, Secret: true,
			Description: "A key of Google AI Studio, sent as x-goog-api-key."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions},
		Tools:   true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models: kit.KnownModels("gemini"),
	Check: func(t kit.Target, _ string) []kit.FieldError {
		if _, ok := modelPath(t.Model); !ok {
			return []kit.FieldError{{Field: "model", Message: "The model's name must be one like 'gemini-2.5-flash' or 'tunedModels/mine'."}}
		}
		return nil
	},
	Address: func(kit.Target) (kit.Address, error) {
		return kit.Address{TLS: true, Host: host, Port: 443}, nil
	},
	Open:   open,
	Native: native,
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	path, ok := modelPath(t.Model)
	if !ok {
		return nil, dialect.Internal()
	}
	return Open(p, t, req, env, Place{
		Path: "/v1beta/" + path, Headers: [][2]string{{"x-goog-api-key", p.Config(t, "gemini_api_key")}},
	})
}

func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	return kit.Native{
		Headers: [][2]string{{"x-goog-api-key", p.Config(t, "gemini_api_key")}},
		Dialect: dialect.Gemini,
	}, nil
}

// modelPath is the path of a model below the API's version. A name without a
// collection is one of "models".
func modelPath(model string) (path string, ok bool) {
	if !strings.Contains(model, "/") {
		model = "models/" + model
	}
	segments := strings.Split(model, "/")
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", false
		}
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/"), true
}

// Place is where and how a server of Gemini's API is called.
type Place struct {
	// Path is that of the model, to which an operation is added:
	// "/v1beta/models/gemini-2.5-flash".
	Path    string
	Headers [][2]string // the credential; names in lower case
	// Vertex: the server is Vertex AI. It takes no ids of function calls, and has
	// its own ways to count tokens and to embed.
	Vertex bool
}

// upstream is the request for a body. method is the operation's name.
func (place Place) upstream(method string, body []byte, stream bool) kit.Upstream {
	return kit.JSONRequest(place.Path+":"+method, body, stream, place.Headers...)
}

// The methods of the API.
const (
	generate       = "generateContent"
	generateStream = "streamGenerateContent?alt=sse"
	countTokens    = "countTokens"
	embed          = "embedContent"
	embedBatch     = "batchEmbedContents"
)

func generateMethod(stream bool) string {
	if stream {
		return generateStream
	}
	return generate
}

// codec is the server's, for calls in other dialects.
func (place Place) codec() kit.Carrier {
	c := kit.Carrier{Provider: gemini.Provider}
	if place.Vertex {
		c.Provider = gemini.Vertex
	}
	return c
}

// Open begins an exchange with a server of Gemini's API, in any dialect of
// clients.
func Open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	switch {
	case req.Dialect == dialect.MLflow:
		return openMLflow(p, t, req, env, place)
	case req.Dialect == dialect.Gemini:
		return openSame(p, t, req, env, place)
	case req.Dialect == dialect.OpenAI && req.Operation == dialect.Embeddings:
		return openEmbeddings(p, t, req, env, place)
	}
	client, ok := clients.For(req)
	if !ok {
		return nil, kit.NotImplemented(p, req)
	}
	c := place.codec()
	c.Client = client
	c.Provider = conversation.OneTool(c.Provider)
	c.Upstream = func(body []byte, stream bool) kit.Upstream {
		return place.upstream(generateMethod(stream), body, stream)
	}
	return kit.Carry(p, t, req, env, c)
}
