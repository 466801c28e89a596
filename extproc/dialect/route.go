package dialect

import (
	"net/http"
	"net/url"
	"strings"
)

// Prefix is the path under which Domino puts MLflow's Deployments Server.
// Every MLflow and OpenAI path is served with it and without it.
const Prefix = "/mlflow-deployments"

var openAIPaths = map[string]Operation{
	"/v1/chat/completions": Chat,
	"/v1/completions":      Completions,
	"/v1/embeddings":       Embeddings,
}

// Match recognises a call of a model. It is false for every other path, for
// other methods than POST, and for names that no endpoint can have; Refuse
// says what to answer then. path may carry a query and must be normalised
// (dot segments, doubled slashes) already.
func Match(method, path string) (Route, bool) {
	r, ok := matchPath(path)
	return r, ok && method == http.MethodPost
}

// Refuse is the answer to a request that Match does not recognise: 405 where
// another method would have matched, otherwise 404.
func Refuse(method, path string) *Error {
	if _, ok := matchPath(path); ok && method != http.MethodPost {
		return MethodNotAllowed(http.MethodPost)
	}
	return NotFound()
}

// Of is the dialect in which errors at a path are told, for any path.
func Of(path string) Dialect {
	path, prefixed := trim(path)
	switch {
	case under(path, "/v1/messages"), under(path, "/anthropic"):
		return Anthropic
	case under(path, "/v1"):
		return OpenAI
	case prefixed, under(path, "/endpoints"), under(path, "/gateway"), path == "/health",
		under(path, "/api/2.0"), under(path, "/api/3.0"):
		return MLflow
	}
	return REST
}

func matchPath(path string) (Route, bool) {
	path, _ = trim(path)
	if op, ok := openAIPaths[path]; ok {
		return Route{Dialect: OpenAI, Operation: op}, true
	}
	rest, ok := strings.CutPrefix(path, "/endpoints/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/gateway/")
	}
	if !ok {
		return Route{}, false
	}
	segment, ok := strings.CutSuffix(rest, "/invocations")
	if !ok {
		return Route{}, false
	}
	name, err := url.PathUnescape(segment)
	if err != nil || !ValidName(name) {
		return Route{}, false
	}
	return Route{Dialect: MLflow, Endpoint: name}, true
}

// ValidName reports whether an endpoint can have this name: MLflow's
// ^[a-zA-Z0-9_\-.]+$ without "." and "..", which no path can carry.
func ValidName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return name != "" && name != "." && name != ".."
}

// trim removes query and Prefix.
func trim(path string) (rest string, prefixed bool) {
	path, _, _ = strings.Cut(path, "?")
	if rest, ok := strings.CutPrefix(path, Prefix); ok && (rest == "" || rest[0] == '/') {
		return rest, true
	}
	return path, false
}

func under(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}
