package provider

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// statusOverloaded is Anthropic's own status for "too busy for everyone".
const statusOverloaded = 529

// maxFaultText bounds how much of a provider's text goes into a message.
const maxFaultText = 4 << 10

// faults reads a provider's failures for a client, and keeps secrets out of
// what the provider said about them.
type faults struct {
	dialect  dialect.Dialect
	exchange string
	scrub    *strings.Replacer
}

func newFaults(p *Provider, t Target, d dialect.Dialect, exchange string) faults {
	var pairs []string
	for _, f := range p.Fields {
		// Anything shorter is no credential, and would blacken common words.
		if v := t.Config[f.Name]; f.Secret && len(v) >= 8 {
			quoted := string(dialect.AppendString(nil, v))
			pairs = append(pairs, v, "[redacted]", quoted[1:len(quoted)-1], "[redacted]")
		}
	}
	return faults{dialect: d, exchange: exchange, scrub: strings.NewReplacer(pairs...)}
}

// reply renders a failure.
func (f faults) reply(e *dialect.Error) Reply {
	status, ctype, body, headers := dialect.Render(f.dialect, e, f.exchange)
	return Reply{Status: status, ContentType: ctype, Headers: headers, Body: body, Error: e}
}

// read returns the failure that a whole reply tells; nil for a success in
// JSON, which is still to be looked at.
func (f faults) read(status int, header func(string) string, body []byte) *dialect.Error {
	ctype := header("content-type")
	json := strings.Contains(ctype, "application/json")
	text := strings.Contains(ctype, "text/plain")
	switch {
	case status >= 300 && status < 400:
		return &dialect.Error{Status: http.StatusBadGateway, Code: dialect.CodeProviderRedirect, NoRetry: true,
			Message: "The provider answered with a redirect, which is not followed. Tell an administrator."}
	case status < 300 && json:
		return nil
	case status < 300, f.dialect == dialect.MLflow && !json && !text:
		// MLflow's text, and its status for any status of the provider's.
		return withRetryAfter(&dialect.Error{Status: http.StatusBadGateway, Code: dialect.CodeProviderContentType,
			Message: "The returned data type from the route service is not supported. Received content type: " +
				f.clean(ctype)}, header)
	}
	e := f.refused(status, "")
	switch {
	case json:
		if _, err := jsontext.Scan(body); err != nil {
			return withRetryAfter(e, header)
		}
		f.describe(e, status, view(body))
	case text:
		if f.dialect == dialect.MLflow {
			e.Detail = append(field(nil, `{"message":`, f.clean(string(body))), '}')
		}
		f.say(e, string(body))
	}
	return withRetryAfter(e, header)
}

func field(b []byte, name, value string) []byte {
	return dialect.AppendString(append(b, name...), value)
}

// describe takes over what a JSON error body says. MLflow's clients get the
// whole body where it has no "error".
func (f faults) describe(e *dialect.Error, status int, body gjson.Result) {
	failed := body.Get("error")
	message := failed.Get("message")
	switch {
	case message.Type == gjson.String:
		f.say(e, message.Str)
	case failed.Type == gjson.String:
		f.say(e, failed.Str)
	case failed.Exists():
		f.say(e, http.StatusText(status))
	default:
		if f.dialect == dialect.MLflow {
			e.Detail = []byte(f.scrub.Replace(body.Raw))
		}
		f.say(e, body.Get("message").Str)
	}
}

// say puts the provider's words in place of ours. A client of OpenAI's
// dialect is not told what the provider says of the endpoint's credential.
func (f faults) say(e *dialect.Error, words string) {
	if words == "" || e.Code == dialect.CodeProviderCredentialRejected && f.dialect != dialect.MLflow {
		return
	}
	e.Message = f.clean(words)
}

func (f faults) clean(s string) string {
	s = f.scrub.Replace(s)
	if len(s) > maxFaultText {
		s = strings.ToValidUTF8(s[:maxFaultText], "") + " …"
	}
	return s
}

// refused is the failure that a status of the provider's stands for. MLflow's
// clients get the provider's own status; others must not take a refusal of
// the endpoint's credential for one of theirs.
func (f faults) refused(status int, words string) *dialect.Error {
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
	case status == statusOverloaded:
		e.Code = dialect.CodeProviderOverloaded
		e.Message = "The provider is overloaded. Try again later."
		if f.dialect != dialect.MLflow {
			e.Status = http.StatusServiceUnavailable
		}
	case status < http.StatusInternalServerError:
		e.Code = dialect.CodeProviderRejected
		e.Message = "The provider refused the request: " + http.StatusText(status) + "."
	default:
		e.Code = dialect.CodeProviderError
		e.Message = "The provider failed. Try again; if it lasts, tell an administrator."
	}
	f.say(e, words)
	return e
}

// named is the failure that an error of Anthropic's, by its type, stands for
// inside a stream.
func (f faults) named(kind, message string) *dialect.Error {
	status, ok := map[string]int{
		"invalid_request_error": http.StatusBadRequest,
		"authentication_error":  http.StatusUnauthorized,
		"billing_error":         http.StatusPaymentRequired,
		"permission_error":      http.StatusForbidden,
		"not_found_error":       http.StatusNotFound,
		"request_too_large":     http.StatusRequestEntityTooLarge,
		"rate_limit_error":      http.StatusTooManyRequests,
		"timeout_error":         http.StatusGatewayTimeout,
		"overloaded_error":      statusOverloaded,
	}[kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	return f.refused(status, message)
}

// withRetryAfter passes on when to try again, where the status allows for it.
func withRetryAfter(e *dialect.Error, header func(string) string) *dialect.Error {
	if v := header("retry-after"); v != "" && !e.NoRetry {
		e.Headers = append(e.Headers, [2]string{"retry-after", v})
	}
	return e
}
