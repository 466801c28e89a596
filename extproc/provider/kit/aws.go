package kit

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
)

// statusOfAWS is what AWS's exceptions stand for, by their names. Some differ
// from the status that comes with them: an expired token may come with 400, and
// a model that failed is told as the sender's fault (424).
var statusOfAWS = map[string]int{
	"AccessDeniedException":               http.StatusForbidden,
	"ExpiredToken":                        http.StatusForbidden,
	"ExpiredTokenException":               http.StatusForbidden,
	"IncompleteSignature":                 http.StatusForbidden,
	"IncompleteSignatureException":        http.StatusForbidden,
	"InvalidClientTokenId":                http.StatusForbidden,
	"InvalidSignatureException":           http.StatusForbidden,
	"MissingAuthenticationToken":          http.StatusForbidden,
	"MissingAuthenticationTokenException": http.StatusForbidden,
	"NotAuthorized":                       http.StatusForbidden,
	"SignatureDoesNotMatch":               http.StatusForbidden,
	"UnrecognizedClientException":         http.StatusForbidden,
	"InternalServerException":             http.StatusInternalServerError,
	"ModelErrorException":                 http.StatusBadGateway,
	"ModelNotReadyException":              http.StatusServiceUnavailable,
	"ModelStreamErrorException":           http.StatusBadGateway,
	"ModelTimeoutException":               http.StatusGatewayTimeout,
	"ResourceNotFoundException":           http.StatusNotFound,
	"ServiceQuotaExceededException":       http.StatusTooManyRequests,
	"ServiceUnavailableException":         http.StatusServiceUnavailable,
	"ThrottlingException":                 http.StatusTooManyRequests,
	"ValidationException":                 http.StatusBadRequest,
}

// nameOfAWS is the exception that a reply tells: in its header
// ("ThrottlingException:http://…") or, of older services, in its body
// ("com.amazon.coral.service#ThrottlingException"), which is valid JSON where
// readable is set. "" where it tells none.
func nameOfAWS(header func(string) string, readable bool, body []byte) string {
	name, _, _ := strings.Cut(header("x-amzn-errortype"), ":")
	if name == "" && readable {
		name = gjson.GetBytes(body, "__type").Str
	}
	return name[strings.LastIndexByte(name, '#')+1:]
}

// refusedByAWS is refused for a reply that names an exception. MLflow's clients
// get the status as it came.
func (f Faults) refusedByAWS(status int, name string) *dialect.Error {
	meant, ok := statusOfAWS[name]
	if !ok {
		return f.coded(f.refused(status), name)
	}
	e := f.refused(meant)
	if f.dialect == dialect.MLflow {
		e.Status = status
	}
	return f.coded(e, name)
}
