package extproc

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

func errContentEncoding() *dialect.Error {
	return &dialect.Error{Status: http.StatusUnsupportedMediaType, Code: dialect.CodeUnsupportedMediaType,
		Message: "The request body is compressed. Send it without a Content-Encoding."}
}

func errUnauthenticated(err error) *dialect.Error {
	return &dialect.Error{Status: identity.Status(err), Code: identity.Code(err),
		Message: "Authentication failed: " + err.Error() + `. Present a valid token, for example as "Authorization: Bearer <token>".`,
		Headers: [][2]string{{"www-authenticate", `Bearer realm="sluice"`}}}
}

func errStranger(wait time.Duration) *dialect.Error {
	return &dialect.Error{Status: http.StatusTooManyRequests, Code: dialect.CodeTooManyFailures,
		Message: fmt.Sprintf("Many requests from this address had no token, or one that is not good here, or went to no path of the gateway. "+
			"Wait %s s, and check the token.", retryAfter(wait)),
		Headers: [][2]string{{"retry-after", retryAfter(wait)}}}
}

func errDenied(d decision.Decision, endpoint string) *dialect.Error {
	e := &dialect.Error{Status: http.StatusForbidden, Code: d.Code(), Message: d.Message(), NoRetry: true}
	if e.Code == "" {
		e.Code = dialect.CodeDenied
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("You may not use the endpoint '%s'. Ask its administrator for permission.", endpoint)
	}
	return e
}

// errNoDecision is for a policy that fails or takes too long: nobody was
// refused, and nobody is let through.
func errNoDecision() *dialect.Error {
	return &dialect.Error{Status: http.StatusServiceUnavailable, Code: dialect.CodePolicyUnavailable,
		Message: "The gateway could not decide about this call. Try again; if it stays, give the exchange id to your administrator."}
}

func errWrongType(r dialect.Route) *dialect.Error {
	article := map[dialect.Operation]string{dialect.Chat: "a chat", dialect.CountTokens: "a chat", dialect.Completions: "a completions", dialect.Embeddings: "an embeddings"}
	return &dialect.Error{Status: http.StatusBadRequest, Code: dialect.CodeWrongEndpointType, Param: "model",
		Message: fmt.Sprintf("Endpoint '%s' is not %s endpoint.", r.Endpoint, article[r.Operation])}
}

// errEndpointDisabled is for a caller whom the policy lets in. It is no 503,
// which clients would try again.
func errEndpointDisabled(name string) *dialect.Error {
	return &dialect.Error{Status: http.StatusForbidden, Code: dialect.CodeEndpointDisabled,
		Message: fmt.Sprintf("The endpoint '%s' is switched off. Use another one, or ask its owner or an administrator to switch it on.", name)}
}

func errEndpointUnavailable(name string) *dialect.Error {
	return &dialect.Error{Status: http.StatusServiceUnavailable, Code: dialect.CodeNotReady,
		Message: fmt.Sprintf("The endpoint '%s' can't be used now because of a fault in its configuration. Its administrator can see the cause in the gateway's status.", name)}
}

// errNoCredential is for a target whose token can't be had: its provider was
// not asked.
func errNoCredential() *dialect.Error {
	return &dialect.Error{Status: http.StatusServiceUnavailable, Code: dialect.CodeCredentialUnavailable,
		Message: "The gateway has no valid credential for the provider of this endpoint now. Try again; if it lasts, tell an administrator."}
}

func errRateLimited(l *catalog.Limit, wait time.Duration) *dialect.Error {
	return &dialect.Error{Status: http.StatusTooManyRequests, Code: dialect.CodeRateLimited,
		Message: fmt.Sprintf("Rate limit exceeded: %d per %s", l.Calls, periodText(l.Period)),
		Headers: [][2]string{{"retry-after", retryAfter(wait)}}}
}

// periodText is the period as MLflow's limiter writes it: "1 minute".
func periodText(p string) string {
	if p != "" && (p[0] < '0' || p[0] > '9') {
		return "1 " + p
	}
	return p
}

func errReplyTooLarge() *dialect.Error {
	return &dialect.Error{Status: http.StatusBadGateway, Code: dialect.CodeReplyTooLarge, NoRetry: true,
		Message: "The provider's reply is larger than this gateway passes on. Ask for less, for example with max_tokens or streaming."}
}

// localError reads Envoy's word for why it answered itself
// (RESPONSE_CODE_DETAILS) into the client's error. The word may hold internal
// addresses and is never shown.
func localError(details string, status int) *dialect.Error {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(details, p) {
				return true
			}
		}
		return false
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return dialect.TooLarge()
	case has("response_payload_too_large"):
		return errReplyTooLarge()
	case has("timeout") || status == http.StatusGatewayTimeout || status == http.StatusRequestTimeout:
		return dialect.Timeout()
	case has("TLS_error", "CERTIFICATE_VERIFY_FAILED", "verify_cert"):
		return dialect.TLSFailed()
	case has("connection_failure", "connection_timeout", "no_healthy", "cluster_not_found", "overflow"):
		return dialect.Unreachable()
	case has("before_response_started"):
		return dialect.Reset()
	}
	e := dialect.Internal()
	e.Status, e.Code = status, "gateway_"+strconv.Itoa(status)
	return e
}
