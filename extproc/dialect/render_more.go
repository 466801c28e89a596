package dialect

import (
	"net/http"
	"strconv"
)

// renderResponsesEvent is the "error" event of OpenAI's Responses streams.
func renderResponsesEvent(e *Error, exchangeID string) []byte {
	code := e.ProviderCode
	if code == "" {
		code = e.Code
	}
	b := field(open(), "type", "error")
	b = field(b, "code", code)
	b = field(b, "message", e.Message)
	b = append(b, `,"param":`...)
	if e.Param == "" {
		b = append(b, "null"...)
	} else {
		b = AppendString(b, e.Param)
	}
	// Clients read it and count on nothing: the stream is over.
	b = append(b, `,"sequence_number":0`...)
	return finish(optional(b, "exchange_id", exchangeID))
}

// renderGemini writes google.rpc.Status as Google's REST APIs do
// (cloud.google.com/apis/design/errors).
func renderGemini(e *Error, exchangeID string) []byte {
	b := append(open(), `"error":{"code":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = field(b, "message", e.Message)
	b = field(b, "status", googleStatus(e.Status))
	b = append(b, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo"`...)
	b = field(b, "reason", e.Code)
	b = field(b, "domain", "sluice")
	b = append(b, `,"metadata":{`...)
	if exchangeID != "" {
		b = field(b, "exchange_id", exchangeID)
	}
	if e.Param != "" {
		b = field(b, "field", e.Param)
	}
	return append(b, "}}]}}"...)
}

func googleStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	case http.StatusServiceUnavailable, http.StatusBadGateway, statusOverloaded:
		return "UNAVAILABLE"
	}
	if status >= http.StatusInternalServerError {
		return "INTERNAL"
	}
	return "INVALID_ARGUMENT"
}

// renderNative writes an error of the gateway's own so that each vendor's SDK
// finds its message and code where it looks for them: in "error" as OpenAI,
// Anthropic and Google have it, and beside it as AWS, Cohere and Mistral do.
func renderNative(e *Error, exchangeID string) []byte {
	b := field(open(), "type", "error")
	b = field(b, "message", e.Message)
	b = field(b, "code", e.Code)
	b = append(b, `,"error":{`...)
	b = field(b, "type", anthropicType(e))
	b = field(b, "message", e.Message)
	b = field(b, "code", e.Code)
	b = field(b, "status", googleStatus(e.Status))
	b = append(b, '}')
	return finish(optional(b, "request_id", exchangeID))
}

// awsType is the name of the exception that AWS SDKs raise, which they read
// from a header.
func awsType(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "AccessDeniedException"
	case status == http.StatusNotFound:
		return "ResourceNotFoundException"
	case status == http.StatusTooManyRequests:
		return "ThrottlingException"
	case status == http.StatusServiceUnavailable:
		return "ServiceUnavailableException"
	case status >= http.StatusInternalServerError:
		return "InternalServerException"
	}
	return "ValidationException"
}
