package openai

import (
	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Place is where and how a server with OpenAI's API is called.
type Place struct {
	Path    string      // of the API, before an operation's own, without trailing slash: "/v1"
	Query   string      // without '?'; "" for none
	Headers [][2]string // besides content-type and accept; names in lower case
	Unnamed bool        // the path names the model, so the body need not
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
	return newCall(p, t, req, env, place)
}

// pathOf is the path of an operation below the API's.
func pathOf(op dialect.Operation) string {
	if op == dialect.Chat {
		return "/chat/completions"
	}
	return "/" + string(op)
}
