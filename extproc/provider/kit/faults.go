package kit

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// StatusOverloaded is "too busy for everyone": Anthropic's own status.
const StatusOverloaded = 529

// maxFaultText bounds how much of a provider's text goes into an error.
const maxFaultText = 4 << 10

// Faults reads a provider's failures for a client: docs/errors.md is its
// table. What the provider said is passed on without the target's secrets.
type Faults struct {
	dialect  dialect.Dialect
	exchange string
	provider *Provider
	target   Target
}

// NewFaults returns the failures of a target for a client of the dialect; the
// exchange is named in them.
func NewFaults(p *Provider, t Target, d dialect.Dialect, exchange string) Faults {
	return Faults{dialect: d, exchange: exchange, provider: p, target: t}
}

// scrub is made when it is needed: most exchanges have no fault.
func (f Faults) scrub() scrubber { return newScrubber(f.provider, f.target) }

// reply renders a failure.
func (f Faults) Reply(e *dialect.Error) Reply {
	status, ctype, body, headers := dialect.Render(f.dialect, e, f.exchange)
	return Reply{Status: status, ContentType: ctype, Headers: headers, Body: body, Error: e}
}

// read returns the failure that a whole reply tells; nil for a success in
// JSON, which is still to be looked at.
func (f Faults) Read(status int, header func(string) string, body []byte) *dialect.Error {
	ctype := strings.ToLower(header("content-type"))
	isJSON, isText := isJSONType(ctype), strings.Contains(ctype, "text/plain")
	e := f.odd(status, header, isJSON, isText && status >= 400 || len(body) == 0 && status >= 400)
	if e != nil || status < 300 {
		return f.retry(e, header)
	}
	readable := false
	if isJSON {
		_, fault := jsontext.Scan(body)
		readable = fault == nil
	}
	e = f.refused(status)
	if name := nameOfAWS(header, readable, body); name != "" {
		e = f.refusedByAWS(status, name)
	}
	switch {
	case readable:
		body = unlisted(body)
		e = f.asGoogle(e, status, header, body)
		f.describe(e, status, body)
	case isText && len(body) > 0:
		text := f.clip(string(body))
		if f.dialect == dialect.MLflow {
			e.Detail = append(dialect.AppendString([]byte(`{"message":`), text), '}')
		}
		f.say(e, text)
	}
	return f.retry(e, header)
}

// isJSONType reports whether a content type, in lower case, is JSON's: also in
// AWS's name for it, application/x-amz-json-1.1.
func isJSONType(ctype string) bool {
	return strings.Contains(ctype, "application/json") || strings.Contains(ctype, "application/x-amz-json")
}

// odd returns the failure of a reply that can't be read, whatever its status.
func (f Faults) odd(status int, header func(string) string, isJSON, isText bool) *dialect.Error {
	e := &dialect.Error{Status: http.StatusBadGateway}
	switch encoding := strings.ToLower(header("content-encoding")); {
	case encoding != "" && encoding != "identity":
		e.Code, e.NoRetry = dialect.CodeProviderEncoding, true
		e.Message = "The provider sent its reply in an encoding that can't be read: " + f.clip(encoding) + ". Tell an administrator."
	case status >= 300 && status < 400:
		e.Code, e.NoRetry = dialect.CodeProviderRedirect, true
		e.Message = "The provider answered with a redirect, which is not followed. Tell an administrator."
	case !isJSON && !isText:
		ctype := header("content-type")
		if ctype == "" {
			ctype = "None" // as Python writes it
		}
		e.Code = dialect.CodeProviderContentType
		e.Message = "The returned data type from the route service is not supported. Received content type: " + f.clip(ctype)
	default:
		return nil
	}
	return e
}

// refused is the failure that a status of the provider's stands for, in our
// own words. MLflow's clients get the provider's status as it is; OpenAI's
// must not take a refusal of the endpoint's credential for one of theirs, and
// know no 529.
func (f Faults) refused(status int) *dialect.Error {
	e := &dialect.Error{Status: status}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Code, e.NoRetry = dialect.CodeProviderCredentialRejected, true
		e.Message = "The provider refused the credential of this endpoint. Tell an administrator."
		if f.dialect != dialect.MLflow {
			e.Status = http.StatusBadGateway
		}
	case status == http.StatusTooManyRequests:
		e.Code = dialect.CodeProviderRateLimited
		e.Message = "The provider limits the rate of this endpoint's requests. Try again later."
	case status == StatusOverloaded:
		e.Code = dialect.CodeProviderOverloaded
		e.Message = "The provider is overloaded. Try again later."
		if f.dialect != dialect.MLflow && f.dialect != dialect.Anthropic {
			e.Status = http.StatusServiceUnavailable
		}
	case status < http.StatusInternalServerError:
		e.Code = dialect.CodeProviderRejected
		e.Message = reason(status)
	default:
		e.Code = dialect.CodeProviderError
		e.Message = reason(status)
	}
	return e
}

// reason is the text of a status, which is what MLflow tells where a provider
// says nothing.
func reason(status int) string {
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "The provider answered with status " + strconv.Itoa(status) + "."
}

// describe takes over what a JSON error body says. As MLflow does, the whole
// body becomes the detail where it has no "error".
func (f Faults) describe(e *dialect.Error, status int, body []byte) {
	root := gjson.ParseBytes(body)
	failed := root.Get("error")
	switch {
	case failed.Type == gjson.String:
		f.say(e, failed.Str)
		return
	case failed.IsObject():
		f.detail(e, failed)
		return
	}
	if f.dialect == dialect.MLflow && len(body) <= maxFaultText {
		e.Detail = f.scrub().json(body)
	}
	for _, name := range []string{"message", "Message", "detail"} {
		if text := root.Get(name); text.Type == gjson.String {
			f.say(e, text.Str)
			return
		}
	}
	for _, name := range []string{"detail.0", "message.detail.0"} {
		if first := root.Get(name); first.IsObject() {
			f.invalid(e, first)
			return
		}
	}
}

// invalid takes over the first of a list of what is wrong with a request, as
// servers made with FastAPI tell it (Mistral's, vLLM).
func (f Faults) invalid(e *dialect.Error, first gjson.Result) {
	var at []string
	for _, place := range first.Get("loc").Array() {
		if place.Str != "body" {
			at = append(at, place.String())
		}
	}
	words := first.Get("msg").Str
	if len(at) > 0 && words != "" {
		words = strings.Join(at, ".") + ": " + words
	}
	f.say(e, words)
	if e.Code != dialect.CodeProviderCredentialRejected {
		e.Param = f.clip(strings.Join(at, "."))
	}
}

// detail takes over an error object like OpenAI's and Anthropic's.
func (f Faults) detail(e *dialect.Error, failed gjson.Result) {
	switch message := failed.Get("message"); {
	case message.Type == gjson.String:
		f.say(e, message.Str)
	case message.Exists() && len(message.Raw) <= maxFaultText && message.Type != gjson.Null && f.dialect == dialect.MLflow:
		e.Detail = f.scrub().json([]byte(message.Raw))
	}
	if e.Code == dialect.CodeProviderCredentialRejected {
		return
	}
	if code := failed.Get("code"); code.Type == gjson.String {
		e.ProviderCode = f.clip(code.Str)
	} else if status := failed.Get("status").Str; isGoogleStatus(status) {
		e.ProviderCode = status
	}
	if param := failed.Get("param"); param.Type == gjson.String {
		e.Param = f.clip(param.Str)
	}
	if kind := failed.Get("type"); kind.Type == gjson.String && e.Status < http.StatusInternalServerError {
		e.Type = f.clip(kind.Str)
	}
	if e.ProviderCode == "insufficient_quota" || e.Type == "insufficient_quota" {
		e.NoRetry = true // no waiting helps: someone must pay
	}
}

// say puts the provider's words in place of ours. A client of OpenAI's dialect
// is not told what the provider says of the endpoint's credential: it would
// read as if its own were meant.
func (f Faults) say(e *dialect.Error, words string) {
	if words == "" || e.Code == dialect.CodeProviderCredentialRejected && f.dialect != dialect.MLflow {
		return
	}
	e.Message = f.clip(words)
}

// clip makes a provider's text fit to be passed on. A secret that the first
// cut halves is behind the second.
func (f Faults) clip(s string) string {
	s = f.scrub().text(s[:min(len(s), 2*maxFaultText)])
	if len(s) > maxFaultText {
		s = strings.ToValidUTF8(s[:maxFaultText], "") + " …"
	}
	return s
}

// retry passes on when to try again.
func (f Faults) retry(e *dialect.Error, header func(string) string) *dialect.Error {
	if e == nil {
		return nil
	}
	if header("x-should-retry") == "false" {
		e.NoRetry = true
	}
	for _, name := range []string{"retry-after", "retry-after-ms"} {
		if v := header(name); v != "" && len(v) <= 64 && !e.NoRetry {
			e.Headers = append(e.Headers, [2]string{name, v})
		}
	}
	return e
}

// statusOfType are the statuses of the types of errors in a stream, where
// there is no status any more.
var statusOfType = map[string]int{
	"invalid_request_error": http.StatusBadRequest,
	"authentication_error":  http.StatusUnauthorized,
	"billing_error":         http.StatusPaymentRequired,
	"permission_error":      http.StatusForbidden,
	"not_found_error":       http.StatusNotFound,
	"request_too_large":     http.StatusRequestEntityTooLarge,
	"rate_limit_error":      http.StatusTooManyRequests,
	"timeout_error":         http.StatusGatewayTimeout,
	"overloaded_error":      StatusOverloaded,
}

// named is the failure that an error inside a stream stands for, by its type.
func (f Faults) Named(kind, message string) *dialect.Error {
	status, ok := statusOfType[kind]
	if !ok {
		status, ok = statusOfAWS[kind]
	}
	if !ok {
		status = http.StatusInternalServerError
	}
	e := f.refused(status)
	if !ok {
		e.Message = "The provider failed. Try again; if it lasts, tell an administrator."
	}
	f.say(e, message)
	return e
}

// inside is the failure that a JSON body with an "error" member stands for
// although its status was a success: in a stream, or from servers that always
// say 200.
func (f Faults) Inside(body []byte) *dialect.Error {
	failed := gjson.GetBytes(body, "error")
	status := int(failed.Get("code").Int())
	if status < 400 || status > 599 {
		kind := failed.Get("type").Str
		if status = statusOfType[kind]; status == 0 {
			status = http.StatusBadGateway
		}
	}
	e := f.refused(status)
	f.describe(e, status, body)
	return e
}

// Told is the failure that a provider told in a 2xx reply or stream: by a
// status, 0 where it named none, a type, its own code, and its words.
func (f Faults) Told(status int, kind, code, message string) *dialect.Error {
	if status < 400 || status > 599 {
		return f.coded(f.Named(kind, message), code)
	}
	e := f.refused(status)
	f.say(e, message)
	return f.coded(e, code)
}

func (f Faults) coded(e *dialect.Error, code string) *dialect.Error {
	if code != "" && e.Code != dialect.CodeProviderCredentialRejected {
		e.ProviderCode = f.clip(code)
	}
	return e
}

// Scrub takes the target's secrets out of a body that is passed on as it is.
func (f Faults) Scrub(body []byte) []byte { return []byte(f.scrub().text(string(body))) }
