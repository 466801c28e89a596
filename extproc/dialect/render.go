package dialect

import (
	"net/http"
	"strconv"
)

// Content types of errors: SCIM has its own.
const (
	ContentTypeJSON = "application/json"
	ContentTypeSCIM = "application/scim+json"
)

// ContentType is the content type of errors in a dialect.
func ContentType(d Dialect) string {
	if d == SCIM {
		return ContentTypeSCIM
	}
	return ContentTypeJSON
}

// Render tells an error in a client's dialect. exchangeID goes into the body,
// so that a user can name the exchange to an administrator. The headers
// returned come besides content-type.
func Render(d Dialect, e *Error, exchangeID string) (status int, contentType string, body []byte, headers [][2]string) {
	status, headers = e.Status, e.Headers
	switch d {
	case OpenAI, Responses:
		body = renderOpenAI(e, exchangeID)
	case Anthropic:
		body = renderAnthropic(e, exchangeID)
	case Gemini:
		body = renderGemini(e, exchangeID)
	case Native:
		body = renderNative(e, exchangeID)
		headers = append(headers[:len(headers):len(headers)], [2]string{"x-amzn-errortype", awsType(e.Status)})
	case REST:
		body = renderREST(e, exchangeID)
	case RESTTrail:
		body = renderEnvelope(e, exchangeID)
	case RESTv4:
		body = renderRESTv4(e, exchangeID)
	case SCIM:
		body = renderSCIM(e)
	default:
		body = renderMLflow(e, exchangeID)
	}
	if e.NoRetry && (d == OpenAI || d == Responses || d == Anthropic || d == Native) {
		headers = append(headers[:len(headers):len(headers)], [2]string{"x-should-retry", "false"})
	}
	return status, ContentType(d), body, headers
}

// StreamError is the event that tells an error to a client whose stream has
// begun: a "data" event in the shapes of MLflow, OpenAI and Gemini, an "error"
// event in those of Anthropic and of OpenAI's Responses.
func StreamError(d Dialect, e *Error, exchangeID string) (event string, data []byte) {
	switch d {
	case Anthropic:
		return "error", renderAnthropic(e, exchangeID)
	case Responses:
		return "error", renderResponsesEvent(e, exchangeID)
	case Gemini:
		return "", renderGemini(e, exchangeID)
	default:
		// MLflow's newer gateway sends {"error":{"message","type"}} too.
		return "", renderOpenAI(e, exchangeID)
	}
}

// renderMLflow writes {"detail": …}. The shapes that MLflow's clients may
// compare whole, a 422's list, stay as they are; elsewhere code and exchange
// id stand beside.
func renderMLflow(e *Error, exchangeID string) []byte {
	if e.Status == http.StatusUnprocessableEntity {
		return finish(appendDetail(open(), e))
	}
	b := open()
	if e.Code == CodeRateLimited {
		b = field(b, "error", e.Message) // slowapi's shape, which MLflow's server uses
	} else {
		b = appendDetail(b, e)
	}
	b = field(b, "code", e.Code)
	b = optional(b, "exchange_id", exchangeID)
	return finish(b)
}

func appendDetail(b []byte, e *Error) []byte {
	b = append(b, `"detail":`...)
	if len(e.Detail) > 0 {
		return append(b, e.Detail...)
	}
	return AppendString(b, e.Message)
}

func renderOpenAI(e *Error, exchangeID string) []byte {
	code := e.ProviderCode
	if code == "" {
		code = e.Code
	}
	b := append(open(), `"error":{`...)
	b = field(b, "message", e.Message)
	b = field(b, "type", openAIType(e))
	b = append(b, `,"param":`...)
	if e.Param == "" {
		b = append(b, "null"...)
	} else {
		b = AppendString(b, e.Param)
	}
	b = field(b, "code", code)
	b = optional(b, "exchange_id", exchangeID)
	return append(b, "}}"...)
}

func openAIType(e *Error) string {
	switch s := e.Status; {
	case e.Type != "":
		return e.Type
	case s == http.StatusUnauthorized:
		return "authentication_error"
	case s == http.StatusForbidden:
		return "permission_error"
	case s == http.StatusTooManyRequests:
		return "rate_limit_error"
	case s >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request_error"
}

func renderAnthropic(e *Error, exchangeID string) []byte {
	b := append(open(), `"type":"error","error":{`...)
	b = field(b, "type", anthropicType(e))
	b = field(b, "message", e.Message)
	b = field(b, "code", e.Code)
	b = append(b, '}')
	b = optional(b, "request_id", exchangeID)
	return finish(b)
}

// anthropicTypes are the published types that say more than a status does. Those
// of other providers mean nothing to Anthropic's clients.
var anthropicTypes = map[string]bool{
	"authentication_error": true, "billing_error": true, "permission_error": true, "not_found_error": true,
	"request_too_large": true, "rate_limit_error": true, "timeout_error": true, "api_error": true, "overloaded_error": true,
}

func anthropicType(e *Error) string {
	if anthropicTypes[e.Type] {
		return e.Type
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	case statusOverloaded:
		return "overloaded_error"
	}
	if e.Status >= http.StatusInternalServerError {
		return "api_error"
	}
	return "invalid_request_error"
}

// statusOverloaded is Anthropic's own status.
const statusOverloaded = 529

// renderREST writes Domino's two shapes: FailureEnvelopeV1 for 401 and 403,
// {"error"} for the rest.
func renderREST(e *Error, exchangeID string) []byte {
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return renderEnvelope(e, exchangeID)
	}
	b := field(open(), "error", e.Message)
	b = field(b, "code", e.Code)
	b = optional(b, "field", e.Param)
	b = optional(b, "requestId", exchangeID)
	return finish(b)
}

// renderEnvelope writes Domino's FailureEnvelopeV1.
func renderEnvelope(e *Error, exchangeID string) []byte {
	b := field(open(), "requestId", exchangeID)
	b = append(b, `,"errors":[`...)
	b = append(AppendString(b, e.Message), ']')
	b = field(b, "code", e.Code)
	return finish(optional(b, "field", e.Param))
}

// renderRESTv4 writes the errors of Domino's internal API.
func renderRESTv4(e *Error, exchangeID string) []byte {
	b := field(open(), "message", e.Message)
	b = field(b, "code", e.Code)
	b = optional(b, "field", e.Param)
	return finish(optional(b, "requestId", exchangeID))
}

// scimTypes are the codes that SCIM's errors carry as scimType (RFC 7644,
// section 3.12).
var scimTypes = map[string]bool{
	"invalidFilter": true, "tooMany": true, "uniqueness": true, "mutability": true, "invalidSyntax": true, "invalidPath": true,
	"noTarget": true, "invalidValue": true, "invalidVers": true, "sensitive": true,
}

// renderSCIM writes the errors of SCIM 2.0, and no more: its clients refuse
// members that the standard does not have. The exchange id is in a header.
func renderSCIM(e *Error) []byte {
	b := append(open(), `"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"]`...)
	b = field(b, "status", strconv.Itoa(e.Status))
	if scimTypes[e.Code] {
		b = field(b, "scimType", e.Code)
	}
	return finish(field(b, "detail", e.Message))
}

func open() []byte           { return append(make([]byte, 0, 256), '{') }
func finish(b []byte) []byte { return append(b, '}') }

// field adds a string member to an object whose text so far is b.
func field(b []byte, name, value string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return AppendString(b, value)
}

func optional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return field(b, name, value)
}
