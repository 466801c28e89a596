package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// openAI is the wire format of OpenAI's API reference
// (platform.openai.com/docs/api-reference) and, under /openai/deployments/,
// of Azure OpenAI's.
type openAI struct {
	voice      voice
	open       bool // no credential needed
	dimensions int
}

var _ wire = openAI{}

// openAIRoute is what a path asks for.
type openAIRoute struct {
	operation string // "chat/completions", "completions" or "embeddings"
	azure     bool
	model     string // Azure's deployment
}

func routeOpenAI(path string) (openAIRoute, bool) {
	route := openAIRoute{}
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok {
		route.azure = true
		route.model, route.operation, _ = strings.Cut(rest, "/")
	} else {
		route.operation, ok = strings.CutPrefix(path, "/v1/")
		if !ok {
			return route, false
		}
	}
	switch route.operation {
	case "chat/completions", "completions", "embeddings":
		return route, true
	}
	return route, false
}

func (openAI) model(r *Received) string {
	if route, ok := routeOpenAI(r.Path); ok && route.azure {
		return route.model
	}
	var named struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(r.Body, &named) // a broken body is refused by answer
	return named.Model
}

func (o openAI) answer(r *Received, act Act, e env) reply {
	route, known := routeOpenAI(r.Path)
	if !known {
		return (&problem{status: http.StatusNotFound, kind: "invalid_request_error",
			message: fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.Path)}).openAI()
	}
	if p := first(o.checkMethod(r), o.checkCredential(r, route, e), checkAzure(r, route), checkContentType(r)); p != nil {
		return p.openAI()
	}
	switch route.operation {
	case "chat/completions":
		return o.chat(r, route, act, e)
	case "completions":
		return o.complete(r, route, act, e)
	default:
		return o.embeddings(r, route, e)
	}
}

func (openAI) checkMethod(r *Received) *problem {
	if r.Method == http.MethodPost {
		return nil
	}
	return &problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error",
		message: fmt.Sprintf("Not allowed to %s on %s. (HINT: Perhaps you meant to use a different HTTP method?)", r.Method, r.Path)}
}

func (o openAI) checkCredential(r *Received, route openAIRoute, e env) *problem {
	if o.open {
		return nil
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
	if !route.azure || strings.Contains("&"+r.Query, "&api-version=") {
		return nil
	}
	return &problem{status: http.StatusNotFound, code: "404", message: "Resource not found"}
}

func checkContentType(r *Received) *problem {
	if isJSON(r.Header.Get("Content-Type")) {
		return nil
	}
	return badRequest("", "Invalid Content-Type header (%s), expected application/json.", r.Header.Get("Content-Type"))
}

// checkNames refuses parameters that the API does not have, and a missing model.
func (o openAI) checkNames(unknown []string, model string, route openAIRoute, e env) *problem {
	if len(unknown) > 0 && !e.allowUnknown {
		return badRequest(unknown[0], "Unrecognized request argument supplied: %s", unknown[0])
	}
	if model == "" && !route.azure {
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

func (openAI) fail(_ *Received, status int) reply {
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
	return p.openAI()
}

func (openAI) errorEvent(_ *Received) []byte {
	return dataEvent(map[string]any{"error": map[string]any{"type": "server_error", "code": "server_error", "param": nil,
		"message": "The server had an error while processing your request. Sorry about that!"}})
}

func (openAI) stamp(h http.Header, requestID string) {
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
