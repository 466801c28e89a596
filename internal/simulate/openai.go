package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// openAI is the wire format of OpenAI's API reference
// (platform.openai.com/docs/api-reference) and, under /openai/, of Azure
// OpenAI's. Servers that are compatible with it say how they differ.
type openAI struct {
	voice      voice
	open       bool // no credential needed
	dimensions int
	own        *compatible // nil: OpenAI itself
}

var _ wire = openAI{}

// openAIRoute is what a path asks for.
type openAIRoute struct {
	operation string // as "chat/completions"
	azure     bool
	model     string // Azure's deployment
}

// openAIOperations are the paths below the API's root.
var openAIOperations = []string{"chat/completions", "completions", "embeddings", "responses", "responses/compact",
	"responses/input_tokens", "models"}

func (o openAI) route(r *Received) (openAIRoute, bool) {
	route := openAIRoute{}
	prefixes := []string{"/openai/v1/", "/openai/", "/v1/"}
	if o.own != nil {
		prefixes = o.own.prefixes
	}
	if rest, ok := strings.CutPrefix(r.Path, "/openai/deployments/"); ok && o.own == nil {
		route.azure = true
		route.model, route.operation, _ = strings.Cut(rest, "/")
		return route, slices.Contains(openAIOperations[:3], route.operation)
	}
	for _, prefix := range prefixes {
		rest, ok := strings.CutPrefix(r.Path, prefix)
		if !ok {
			continue
		}
		route.azure = o.own == nil && prefix != "/v1/"
		route.operation = rest
		if _, model, ok := strings.Cut(rest, "models/"); ok && strings.HasPrefix(rest, "models/") {
			route.operation, route.model = "models", model
		}
		return route, slices.Contains(openAIOperations, route.operation)
	}
	return route, false
}

func (o openAI) model(r *Received) string {
	if route, ok := o.route(r); ok && route.model != "" {
		return route.model
	}
	var named struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(r.Body, &named) // a broken body is refused by answer
	return named.Model
}

func (o openAI) answer(r *Received, act Act, e env) reply {
	out, p := o.handle(r, act, e)
	if p != nil {
		return o.render(p)
	}
	return out
}

// render shows a problem in the server's own shape.
func (o openAI) render(p *problem) reply {
	if o.own != nil && o.own.render != nil {
		return o.own.render(p)
	}
	return p.openAI()
}

func (o openAI) handle(r *Received, act Act, e env) (reply, *problem) {
	route, known := o.route(r)
	if !known {
		return reply{}, &problem{status: http.StatusNotFound, kind: "invalid_request_error",
			message: fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.Path)}
	}
	if p := first(o.checkMethod(r, route), o.checkCredential(r, route, e), checkAzure(r, route), o.checkContentType(r,
		route)); p != nil {
		return reply{}, p
	}
	switch route.operation {
	case "chat/completions":
		return o.chat(r, route, act, e)
	case "completions":
		return o.complete(r, route, act, e)
	case "responses":
		return o.responses(r, route, act, e)
	case "responses/compact":
		return o.compact(r, route, e)
	case "responses/input_tokens":
		return o.countInput(r, route, e)
	case "models":
		return o.models(route), nil
	default:
		return o.embeddings(r, route, e)
	}
}

func (openAI) checkMethod(r *Received, route openAIRoute) *problem {
	want := http.MethodPost
	if route.operation == "models" {
		want = http.MethodGet
	}
	if r.Method == want {
		return nil
	}
	return &problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error",
		message: fmt.Sprintf("Not allowed to %s on %s. (HINT: Perhaps you meant to use a different HTTP method?)", r.Method,
			r.Path)}
}

// models answers the list of models, or the one that the path names.
func (o openAI) models(route openAIRoute) reply {
	model := func(id string) map[string]any {
		return map[string]any{"id": id, "object": "model", "created": 1700000000, "owned_by": "stand-in"}
	}
	if route.model != "" {
		return jsonReply(model(route.model))
	}
	return jsonReply(map[string]any{"object": "list", "data": []any{model("gpt-4o-mini"), model("text-embedding-3-small")}})
}

func (o openAI) checkCredential(r *Received, route openAIRoute, e env) *problem {
	if o.open {
		return nil
	}
	if o.own != nil && o.own.credential != nil {
		return o.own.credential(r, e)
	}
	key, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if route.azure && !bearer {
		key = r.Header.Get("Api-Key")
	}
	refusal := &problem{status: http.StatusUnauthorized, kind: "invalid_request_error"}
	switch {
	case key == "" && route.azure:
		refusal.kind = ""
		refusal.code, refusal.message = "401", "Access denied due to missing subscription key or invalid API endpoint."
	case key == "":
		refusal.message = "You didn't provide an API key. You need to provide your API key in an Authorization " +
			"header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
	case !e.accepts(key):
		refusal.code, refusal.message = "invalid_api_key", "Incorrect API key provided: "+masked(key)+
			". You can find your API key at https://platform.openai.com/account/api-keys."
	default:
		return nil
	}
	return refusal
}

// masked shows a key as OpenAI's own error does: its ends.
func masked(key string) string {
	if len(key) < 12 {
		return strings.Repeat("*", len(key))
	}
	return key[:4] + strings.Repeat("*", len(key)-8) + key[len(key)-4:]
}

func checkAzure(r *Received, route openAIRoute) *problem {
	if !route.azure || strings.Contains("&"+r.Query, "&api-version=") || strings.HasPrefix(r.Path, "/openai/v1/") {
		return nil
	}
	return &problem{status: http.StatusNotFound, code: "404", message: "Resource not found"}
}

func (openAI) checkContentType(r *Received, route openAIRoute) *problem {
	if route.operation == "models" || isJSON(r.Header.Get("Content-Type")) {
		return nil
	}
	return badRequest("", "Invalid Content-Type header (%s), expected application/json.", r.Header.Get("Content-Type"))
}

// checkNames refuses parameters that the API does not have, and a missing model.
func (o openAI) checkNames(unknown []string, model string, route openAIRoute, e env) *problem {
	if o.own != nil {
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return slices.Contains(o.own.more, name) })
	}
	if len(unknown) > 0 && !e.allowUnknown {
		if o.own != nil && o.own.refuse != nil {
			return o.own.refuse(unknown[0])
		}
		return badRequest(unknown[0], "Unrecognized request argument supplied: %s", unknown[0])
	}
	if model == "" && route.model == "" {
		return badRequest("", "you must provide a model parameter")
	}
	return nil
}

// openAI renders a problem as OpenAI does; one without a kind as Azure's own
// gateway does, with code and message only.
func (p *problem) openAI() reply {
	if p.kind == "" {
		return reply{status: p.status, header: jsonHeader(),
			body: marshal(map[string]any{"error": map[string]string{"code": p.code, "message": p.message}})}
	}
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	out := body{Message: p.message, Type: p.kind, Param: optional(p.param), Code: optional(p.code)}
	return reply{status: p.status, header: jsonHeader(), body: marshal(map[string]any{"error": out})}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (o openAI) fail(_ *Received, status int) reply {
	p := &problem{status: status, kind: "invalid_request_error", message: http.StatusText(status)}
	switch {
	case status == http.StatusUnauthorized:
		p.code, p.message = "invalid_api_key", "Incorrect API key provided."
	case status == http.StatusForbidden:
		p.kind, p.message = "request_forbidden", "Country, region, or territory not supported"
	case status == http.StatusNotFound:
		p.code, p.message = "model_not_found", "The model does not exist or you do not have access to it."
	case status == http.StatusTooManyRequests:
		p.kind, p.code, p.message = "requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."
	case status >= http.StatusInternalServerError:
		p.kind, p.message = "server_error", "The server had an error while processing your request. Sorry about that!"
	}
	return o.render(p)
}

func (o openAI) errorEvent(r *Received) []byte {
	const message = "The server had an error while processing your request. Sorry about that!"
	if route, _ := o.route(r); route.operation == "responses" {
		return namedEvent("error", map[string]any{"type": "error", "code": "server_error", "message": message, "param": nil,
			"sequence_number": 4})
	}
	if o.own != nil && o.own.broken != nil {
		return o.own.broken()
	}
	return dataEvent(map[string]any{"error": map[string]any{"type": "server_error", "code": "server_error", "param": nil,
		"message": message}})
}

func (o openAI) stamp(h http.Header, requestID string) {
	if o.own != nil {
		h.Set("X-Request-Id", requestID)
		return
	}
	h.Set("X-Request-Id", requestID)
	h.Set("Openai-Version", "2020-10-01")
	h.Set("Openai-Organization", "stand-in-organization")
	h.Set("Openai-Processing-Ms", "1")
	h.Set("X-Ratelimit-Limit-Requests", "10000")
	h.Set("X-Ratelimit-Remaining-Requests", "9999")
	h.Set("Set-Cookie", "__cf_bm=stand-in; path=/; Secure; HttpOnly")
}

// dataEvent is one server-sent event without a name.
func dataEvent(v any) []byte {
	return append(append([]byte("data: "), marshal(v)...), "\n\n"...)
}
