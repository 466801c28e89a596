package simulate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// google is the wire format of Google's two hosts for models: the Gemini API
// (ai.google.dev/api), and Vertex AI
// (cloud.google.com/vertex-ai/generative-ai/docs) with its partners' models.
type google struct {
	gemini voice
	claude anthropic
	maas   openAI
}

// NewGemini returns a stand-in for Google: the Gemini API under /v1beta and /v1 with an
// API key (Options.Keys), and Vertex AI under /v1/projects and /v1beta1/projects with a bearer token
// (Options.Tokens, or Options.Keys). Claude on Vertex answers as "the Vertex
// stand-in", other partners' models as "the MaaS stand-in", PaLM as the "PaLM
// stand-in", the rest as "the Gemini stand-in".
func NewGemini(o Options) *Provider {
	g := google{gemini: standInVoice("Gemini"), claude: anthropic{voice: standInVoice("Vertex")},
		maas: openAI{voice: standInVoice("MaaS"), open: true, dimensions: 768,
			own: &compatible{render: (*problem).googleList, prefixes: []string{"/v1/endpoints/openapi/"}}}}
	palm := palm{voice: standInVoice("PaLM")}
	return newProvider(&api{check: checkGoogle, render: (*problem).google, failure: googleFailure, broken: g.broken,
		headers: func(h http.Header, _ string) {
			h.Set("Server", "scaffolding on HTTPServer2")
			h.Set("X-Content-Type-Options", "nosniff")
		},
		routes: slices.Concat(g.routes("/v1beta"), g.routes("/v1"), g.vertexRoutes("/v1"), g.vertexRoutes("/v1beta1"),
			palm.routes())}, o)
}

func (g google) routes(root string) []apiRoute {
	model := root + "/models/{model}"
	return []apiRoute{
		{method: "GET", pattern: root + "/models", serve: g.list},
		{method: "GET", pattern: model, serve: g.one},
		{method: "POST", pattern: model + ":generateContent", serve: g.generate},
		{method: "POST", pattern: model + ":streamGenerateContent", serve: g.stream},
		{method: "POST", pattern: model + ":countTokens", serve: g.count},
		{method: "POST", pattern: model + ":embedContent", serve: g.embed},
		{method: "POST", pattern: model + ":batchEmbedContents", serve: g.batchEmbed},
	}
}

func (g google) vertexRoutes(root string) []apiRoute {
	place := root + "/projects/{project}/locations/{location}"
	gemini := place + "/publishers/google/models/{model}"
	claude := place + "/publishers/anthropic/models/{model}"
	return []apiRoute{
		{method: "POST", pattern: gemini + ":generateContent", serve: g.generate},
		{method: "POST", pattern: gemini + ":streamGenerateContent", serve: g.stream},
		{method: "POST", pattern: gemini + ":countTokens", serve: g.count},
		{method: "POST", pattern: gemini + ":embedContent", serve: g.embed},
		{method: "POST", pattern: gemini + ":batchEmbedContents", serve: g.batchEmbed},
		{method: "POST", pattern: gemini + ":predict", serve: g.predict},
		{method: "POST", pattern: claude + ":rawPredict", serve: g.rawPredict},
		{method: "POST", pattern: claude + ":streamRawPredict", serve: g.rawPredict},
		{method: "POST", pattern: place + "/endpoints/openapi/chat/completions", serve: g.openapi},
		{method: "POST", pattern: place + "/endpoints/openapi/embeddings", serve: g.openapi},
	}
}

// onVertex reports whether a call is for Vertex AI rather than the Gemini API.
func (c *call) onVertex() bool { return c.args["project"] != "" }

func checkGoogle(c *call) *problem {
	if c.onVertex() {
		if p := checkVertexHost(c); p != nil {
			return p
		}
		if key := bearerKey(c.Received); key == "" || !c.env.accepts(key) {
			return &problem{status: http.StatusUnauthorized, message: "Request had invalid authentication credentials. " +
				"Expected OAuth 2 access token, login cookie or other valid authentication credential. See " +
				"https://developers.google.com/identity/sign-in/web/devconsole-project."}
		}
		return checkGoogleType(c)
	}
	key := c.Header.Get("X-Goog-Api-Key")
	if key == "" {
		_, key, _ = strings.Cut("&"+c.Query, "&key=")
		key, _, _ = strings.Cut(key, "&")
	}
	switch {
	case key == "":
		return &problem{status: http.StatusForbidden, message: "Method doesn't allow unregistered callers (callers without " +
			"established identity). Please use API Key or other form of API consumer identity to call this API."}
	case !c.env.accepts(key):
		return &problem{status: http.StatusBadRequest, code: "API_KEY_INVALID",
			message: "API key not valid. Please pass a valid API key."}
	}
	return checkGoogleType(c)
}

func checkGoogleType(c *call) *problem {
	if c.Method == http.MethodGet || isJSON(c.Header.Get("Content-Type")) {
		return nil
	}
	return badRequest("", "Invalid content type %q: application/json is expected.", c.Header.Get("Content-Type"))
}

// checkVertexHost holds the host against the location: each location is served
// under its own name only.
func checkVertexHost(c *call) *problem {
	location, host := c.args["location"], strings.Split(c.Host, ":")[0]
	if !strings.HasSuffix(host, ".googleapis.com") {
		return nil // a test's own name
	}
	want := location + "-aiplatform.googleapis.com"
	switch location {
	case "global":
		want = "aiplatform.googleapis.com"
	case "us", "eu":
		want = "aiplatform." + location + ".rep.googleapis.com"
	}
	if host == want {
		return nil
	}
	return &problem{status: http.StatusNotFound, message: fmt.Sprintf("Location %s is not served at %s.", location, host)}
}

// googleStatus names are google.rpc.Code's.
var googleStatus = map[int]string{
	http.StatusBadRequest: "INVALID_ARGUMENT", http.StatusUnauthorized: "UNAUTHENTICATED",
	http.StatusForbidden: "PERMISSION_DENIED", http.StatusNotFound: "NOT_FOUND", http.StatusConflict: "ABORTED",
	http.StatusTooManyRequests: "RESOURCE_EXHAUSTED", 499: "CANCELLED", http.StatusInternalServerError: "INTERNAL",
	http.StatusNotImplemented: "UNIMPLEMENTED", http.StatusServiceUnavailable: "UNAVAILABLE",
	http.StatusGatewayTimeout: "DEADLINE_EXCEEDED",
}

func (p *problem) googleError() map[string]any {
	status := googleStatus[p.status]
	switch {
	case status == "" && p.status < 500:
		status = "FAILED_PRECONDITION"
	case status == "":
		status = "UNKNOWN"
	}
	inner := map[string]any{"code": p.status, "message": p.message, "status": status}
	switch {
	case p.code != "":
		inner["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": p.code,
			"domain": "googleapis.com", "metadata": map[string]string{"service": "generativelanguage.googleapis.com"}}}
	case p.param != "":
		inner["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []any{map[string]string{"field": p.param, "description": p.message}}}}
	}
	return map[string]any{"error": inner}
}

func (p *problem) google() reply { return errorReply(p.status, p.googleError()) }

// googleList is how the endpoint with OpenAI's format shows a problem: in a list.
func (p *problem) googleList() reply { return errorReply(p.status, []any{p.googleError()}) }

func googleFailure(status int) *problem {
	p := plainFailure(status)
	switch status {
	case http.StatusTooManyRequests:
		p.message = "Resource has been exhausted (e.g. check quota)."
	case http.StatusInternalServerError:
		p.message = "An internal error has occurred. Please retry or report in " +
			"https://developers.generativeai.google/guide/troubleshooting"
	case http.StatusServiceUnavailable:
		p.message = "The model is overloaded. Please try again later."
	}
	return p
}

func (g google) broken(c *call) []byte {
	failed := googleFailure(http.StatusServiceUnavailable)
	switch {
	case strings.HasSuffix(c.Path, "RawPredict"):
		return g.claude.errorEvent(c.Received)
	case strings.Contains(c.Path, "/openapi/"), c.wantsSSE():
		return dataEvent(failed.googleError())
	}
	return append(append([]byte(",\r\n"), marshal(failed.googleError())...), ']')
}

// wantsSSE reports whether a stream is to be server-sent events rather than
// one JSON array.
func (c *call) wantsSSE() bool { return strings.Contains("&"+c.Query+"&", "&alt=sse&") }

// rawPredict is Claude on Vertex: Messages without a model in its body.
func (g google) rawPredict(c *call) (reply, *problem) {
	if c.args["model"] == "count-tokens" {
		return g.claude.countAtCloud(c.Received, c.env), nil
	}
	place := anthropicAt(c.args["model"], "vertex-2023-10-16", "model")
	request, q, p := place.read(c.Body, c.env)
	if p != nil {
		return p.anthropic(), nil
	}
	out := g.claude.reply(request, q, c.act)
	out.ID = strings.Replace(out.ID, "msg_", "msg_vrtx_", 1)
	if q.stream {
		return streamReply(messageEvents(out)), nil
	}
	return jsonReply(out), nil
}

// openapi is Vertex's endpoint with OpenAI's format. The model is its
// publisher's name, a slash, its own.
func (g google) openapi(c *call) (reply, *problem) {
	if !strings.Contains(c.named(), "/") {
		return badRequest("", "Malformed publisher model (%s), expected publisher/model.", c.named()).googleList(), nil
	}
	inner := *c.Received
	_, inner.Path, _ = strings.Cut(c.Path, "/endpoints/")
	inner.Path = "/v1/endpoints/" + inner.Path
	return g.maas.answer(&inner, c.act, c.env), nil
}
