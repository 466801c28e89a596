package dialect

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Prefix is the path under which Domino puts MLflow's Deployments Server.
// Every MLflow and OpenAI path is served with it and without it.
const Prefix = "/mlflow-deployments"

// calls are the paths that name no endpoint: the body does.
var calls = func() map[string]Route {
	m := map[string]Route{
		"/gateway/mlflow/v1/chat/completions": {Dialect: MLflow, Operation: Chat, Unified: true},
	}
	// MLflow's newer gateway has its own prefix for each dialect it passes on.
	for _, root := range []string{"", "/gateway/openai"} {
		m[root+"/v1/chat/completions"] = Route{Dialect: OpenAI, Operation: Chat}
		m[root+"/v1/completions"] = Route{Dialect: OpenAI, Operation: Completions}
		m[root+"/v1/embeddings"] = Route{Dialect: OpenAI, Operation: Embeddings}
		m[root+"/v1/responses"] = Route{Dialect: Responses, Operation: Chat}
	}
	for _, root := range []string{"", "/anthropic", "/gateway/anthropic"} {
		m[root+"/v1/messages"] = Route{Dialect: Anthropic, Operation: Chat}
		m[root+"/v1/messages/count_tokens"] = Route{Dialect: Anthropic, Operation: CountTokens}
	}
	return m
}()

// Calls are the paths of calls whose body names the endpoint, sorted, without
// Prefix.
func Calls() []string { return slices.Sorted(maps.Keys(calls)) }

// geminiRoots are where Gemini's API is served. SDKs choose between two
// versions that are alike in what is served here.
var geminiRoots = []string{
	"/v1beta/models/", "/v1/models/", "/gemini/v1beta/models/", "/gemini/v1/models/",
	"/gateway/gemini/v1beta/models/", "/gateway/gemini/v1/models/",
}

var geminiMethods = map[string]Route{
	"generateContent":       {Dialect: Gemini, Operation: Chat},
	"streamGenerateContent": {Dialect: Gemini, Operation: Chat, Stream: true},
	"countTokens":           {Dialect: Gemini, Operation: CountTokens},
}

// nativeRoots are where providers' own APIs are served; the second is the one
// of MLflow's newer gateway.
var nativeRoots = []string{"/native/", "/gateway/proxy/"}

// Match recognises a call of a model. It is false for every other path, for
// other methods than the path takes (all but those of Native: POST), and for
// names that no endpoint can have; Refuse says what to answer then. path may
// carry a query and must be normalised (dot segments, doubled slashes) already.
func Match(method, path string) (Route, bool) {
	r, ok := matchPath(path)
	return r, ok && (method == http.MethodPost || r.Dialect == Native)
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
	case under(path, "/v1/messages"), under(path, "/anthropic"), under(path, "/gateway/anthropic"):
		return Anthropic
	case strings.HasPrefix(path, "/v1/models/") && strings.Contains(path, ":"): // OpenAI has no methods there
		return Gemini
	case under(path, "/v1"), under(path, "/gateway/openai"):
		return OpenAI
	case under(path, "/v1beta"), under(path, "/gemini"), under(path, "/gateway/gemini"):
		return Gemini
	case under(path, "/native"), under(path, "/gateway/proxy"):
		return Native
	case prefixed, under(path, "/endpoints"), under(path, "/gateway"), path == "/health",
		under(path, "/api/2.0"), under(path, "/api/3.0"):
		return MLflow
	case under(path, "/v4"):
		return RESTv4
	case under(path, "/api/audittrail"), path == "/auditevents":
		return RESTTrail
	case under(path, "/scim"):
		return SCIM
	}
	return REST
}

func matchPath(full string) (Route, bool) {
	path, prefixed := trim(full)
	if r, ok := calls[path]; ok {
		return r, true
	}
	for _, root := range nativeRoots {
		// "/gateway/proxy/invocations" calls an endpoint named "proxy".
		if rest, ok := strings.CutPrefix(path, root); ok && !prefixed && rest != "invocations" {
			return matchNative(rest, full)
		}
	}
	for _, root := range geminiRoots {
		if rest, ok := strings.CutPrefix(path, root); ok && !prefixed {
			return matchGemini(rest)
		}
	}
	return matchInvocations(path)
}

func matchInvocations(path string) (Route, bool) {
	rest, gateway := strings.CutPrefix(path, "/gateway/")
	if !gateway {
		var ok bool
		if rest, ok = strings.CutPrefix(path, "/endpoints/"); !ok {
			return Route{}, false
		}
	}
	segment, ok := strings.CutSuffix(rest, "/invocations")
	if !ok {
		return Route{}, false
	}
	r := Route{Dialect: MLflow}
	if unified, ok := strings.CutSuffix(segment, "/mlflow"); ok && gateway {
		segment, r.Unified = unified, true
	}
	r.Endpoint, ok = endpointOf(segment)
	if !ok {
		return Route{}, false
	}
	return r, true
}

func matchGemini(rest string) (Route, bool) {
	at := strings.LastIndexByte(rest, ':')
	if at < 0 {
		return Route{}, false
	}
	r, known := geminiMethods[rest[at+1:]]
	name, ok := endpointOf(rest[:at])
	if !known || !ok {
		return Route{}, false
	}
	r.Endpoint = name
	return r, true
}

// matchNative reads what follows the root: the endpoint, and the provider's
// own path, which may hold escaped slashes (ids of models do) but no way back
// up, however it is written.
func matchNative(rest, full string) (Route, bool) {
	segment, below, _ := strings.Cut(rest, "/")
	name, ok := endpointOf(segment)
	if !ok {
		return Route{}, false
	}
	if plain, err := url.PathUnescape(below); err != nil || climbs(plain) {
		return Route{}, false
	}
	r := Route{Dialect: Native, Operation: Passthrough, Endpoint: name, Rest: "/" + below}
	if _, query, has := strings.Cut(full, "?"); has {
		r.Rest += "?" + query
	}
	return r, true
}

// climbs reports whether a path leads back up, or holds control characters, in
// the eyes of any server: of one that unescapes once more, that takes a
// backslash for a slash, or that knows parameters of segments ("..;x").
func climbs(path string) bool {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		part, _, _ = strings.Cut(part, ";")
		if part == "." || part == ".." || strings.ContainsFunc(part, unicode.IsControl) {
			return true
		}
	}
	again, err := url.PathUnescape(path)
	return err == nil && again != path && climbs(again)
}

// endpointOf reads the name of an endpoint from a segment of a path.
func endpointOf(segment string) (string, bool) {
	name, err := url.PathUnescape(segment)
	return name, err == nil && ValidName(name)
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
