package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
)

// anthropic is the wire format of Anthropic's API reference
// (docs.anthropic.com/en/api): Messages and the legacy Text Completions.
type anthropic struct{ voice voice }

var _ wire = anthropic{}

// anthropicVersion is the value of anthropic-version whose shapes this package
// speaks, and the one that the gateway sends. Others are published too, such as
// 2026-10-21, and differ: it has no temperature, top_p and top_k, for one. They
// are refused, lest a test pass here on a shape that the real API would not take.
const anthropicVersion = "2023-06-01"

func (anthropic) model(r *Received) string {
	var named struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(r.Body, &named) // a broken body is refused by answer
	return named.Model
}

func (a anthropic) answer(r *Received, act Act, e env) reply {
	handle := a.messages
	switch r.Path {
	case "/v1/messages":
	case "/v1/messages/count_tokens":
		handle = a.countTokens
	case "/v1/complete":
		handle = a.complete
	default:
		return (&problem{status: http.StatusNotFound, kind: "not_found_error", message: "Not Found"}).anthropic()
	}
	if r.Method != http.MethodPost {
		return (&problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error",
			message: "Method Not Allowed"}).anthropic()
	}
	if p := first(checkAnthropicKey(r, e), checkAnthropicHeaders(r)); p != nil {
		return p.anthropic()
	}
	return handle(r, act, e)
}

func checkAnthropicKey(r *Received, e env) *problem {
	refusal := &problem{status: http.StatusUnauthorized, kind: "authentication_error"}
	key := r.Header.Get("X-Api-Key")
	if key == "" { // the key may also be a bearer token, as SDK 2 sends it
		key = bearerKey(r)
	}
	switch {
	case key == "":
		refusal.message = "x-api-key header is required"
	case !e.accepts(key):
		refusal.message = "invalid x-api-key"
	default:
		return nil
	}
	return refusal
}

func checkAnthropicHeaders(r *Received) *problem {
	version := r.Header.Get("Anthropic-Version")
	switch {
	case version == "":
		return badRequest("", "anthropic-version: header is required")
	case version != anthropicVersion:
		return badRequest("", "anthropic-version: this stand-in speaks %s only, not %q", anthropicVersion, version)
	case !isJSON(r.Header.Get("Content-Type")):
		return badRequest("", "content-type: must be application/json")
	}
	return nil
}

// unknownInput refuses parameters that the API does not have.
func unknownInput(unknown []string, e env) *problem {
	if len(unknown) == 0 || e.allowUnknown {
		return nil
	}
	return badRequest("", "%s: Extra inputs are not permitted", unknown[0])
}

func (p *problem) anthropic() reply {
	return reply{status: p.status, header: jsonHeader(), body: marshal(anthropicError(p.kind, p.message))}
}

func anthropicError(kind, message string) map[string]any {
	return map[string]any{"type": "error", "error": map[string]string{"type": kind, "message": message}}
}

// anthropicKinds are the error types of the API reference by status.
var anthropicKinds = map[int]string{
	http.StatusBadRequest:            "invalid_request_error",
	http.StatusUnauthorized:          "authentication_error",
	http.StatusPaymentRequired:       "billing_error",
	http.StatusForbidden:             "permission_error",
	http.StatusNotFound:              "not_found_error",
	http.StatusRequestEntityTooLarge: "request_too_large",
	http.StatusTooManyRequests:       "rate_limit_error",
	http.StatusGatewayTimeout:        "timeout_error",
	statusOverloaded:                 "overloaded_error",
}

func (anthropic) fail(_ *Received, status int) reply {
	p := &problem{status: status, kind: anthropicKinds[status], message: http.StatusText(status)}
	switch {
	case status == http.StatusTooManyRequests:
		p.message = "This request would exceed your organization's rate limit."
	case status == statusOverloaded:
		p.message = "Overloaded"
	case p.kind == "" && status >= http.StatusInternalServerError:
		p.kind, p.message = "api_error", "Internal server error"
	case p.kind == "":
		p.kind = "invalid_request_error"
	}
	return p.anthropic()
}

func (anthropic) errorEvent(_ *Received) []byte {
	return namedEvent("error", anthropicError("overloaded_error", "Overloaded"))
}

func (anthropic) stamp(h http.Header, requestID string) {
	h.Set("Request-Id", requestID)
	h.Set("Anthropic-Organization-Id", "00000000-0000-4000-8000-000000000001")
	h.Set("Anthropic-Ratelimit-Requests-Limit", "4000")
	h.Set("Anthropic-Ratelimit-Requests-Remaining", "3999")
}

// namedEvent is one server-sent event with a name.
func namedEvent(name string, v any) []byte {
	var b strings.Builder
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(marshal(v))
	b.WriteString("\n\n")
	return []byte(b.String())
}
