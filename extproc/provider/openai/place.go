package openai

import (
	"cmp"

	"sluice/extproc/conversation/clients"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Place is where and how a server with OpenAI's API is called.
type Place struct {
	Path    string      // of the API, before an operation's own, without trailing slash: "/v1"
	Query   string      // without '?'; "" for none
	Headers [][2]string // besides content-type and accept; names in lower case
	Unnamed bool        // the path names the model, so the body need not
	Model   string      // what bodies name; "": the target's model
	// ChatOnly: the server has no text completions. OpenAI's clients reach them
	// by way of chat; MLflow's get 501, as MLflow has it.
	ChatOnly bool
	// Responses is where the server has the Responses API; nil: it has none, and
	// such calls are carried over chat.
	Responses *Place
	// Traits are what the server's chat completions differ in.
	Traits openai.Traits
}

// upstream is the request for a body. path is the operation's own, with the
// slash: "/chat/completions".
func (place Place) upstream(path string, stream bool, body []byte) kit.Upstream {
	path = place.Path + path
	if place.Query != "" {
		path += "?" + place.Query
	}
	return kit.JSONRequest(path, body, stream, place.Headers...)
}

// Open begins an exchange with a server that has OpenAI's API, in any dialect
// of clients. Where the client's is the server's, bodies are edited in place.
func Open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	chatOnly := place.ChatOnly && req.Operation == dialect.Completions
	switch {
	case req.Dialect == dialect.MLflow && chatOnly:
		return nil, kit.NotImplemented(p, req)
	case req.Dialect == dialect.MLflow, req.Dialect == dialect.OpenAI && !chatOnly:
		return newCall(p, t, req, env, place)
	case req.Dialect == dialect.Responses && place.Responses != nil:
		return newResponses(p, t, req, env, *place.Responses)
	}
	client, ok := clients.For(req)
	if !ok {
		return nil, kit.NotImplemented(p, req)
	}
	t.Model = cmp.Or(place.Model, t.Model)
	return kit.Carry(p, t, req, env, kit.Carrier{
		Client: client, Provider: openai.NewChatProvider(place.Traits),
		Upstream: func(body []byte, stream bool) kit.Upstream {
			return place.upstream(pathOf(dialect.Chat), stream, body)
		},
	})
}

// pathOf is the path of an operation below the API's.
func pathOf(op dialect.Operation) string {
	if op == dialect.Chat {
		return "/chat/completions"
	}
	return "/" + string(op)
}
