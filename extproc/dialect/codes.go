package dialect

import "net/http"

// The codes of every failure that a client can be told, and that records and
// metrics carry. Each comment gives the usual status and what happened.
// docs/errors.md says the same for users.
const (
	// Of the request.
	CodeInvalidJSON          = "invalid_json"           // 400 (MLflow 422): not JSON, or JSON out of bounds
	CodeInvalidRequest       = "invalid_request"        // 400 (MLflow 422): a field is missing or wrong
	CodeUnsupportedField     = "unsupported_field"      // 400: the endpoint's provider can't express this field
	CodeUnsupportedMediaType = "unsupported_media_type" // 415: the content type is not JSON
	CodeBodyTooLarge         = "body_too_large"         // 413: over limits.body_bytes
	CodeModelNotPermitted    = "model_not_permitted"    // 422: MLflow's invocations take no "model"
	CodeWrongEndpointType    = "wrong_endpoint_type"    // 400: e.g. a chat call to an embeddings endpoint
	CodeRouteNotFound        = "route_not_found"        // 404: nothing is served at this path
	CodeEndpointNotFound     = "endpoint_not_found"     // 404: no such endpoint, or not one the caller may see
	CodeMethodNotAllowed     = "method_not_allowed"     // 405
	CodeNotImplemented       = "not_implemented"        // 501: the provider has no such operation

	// Of the caller.
	CodeNoCredential        = "no_credential"        // 401
	CodeAmbiguousCredential = "ambiguous_credential" // 401: several different ones
	CodeMalformedToken      = "malformed_token"      // 401
	CodeUnknownToken        = "unknown_token"        // 401
	CodeExpiredToken        = "expired_token"        // 401
	CodeRevokedToken        = "revoked_token"        // 401
	CodeDisabledUser        = "disabled_user"        // 401
	CodeWrongNetwork        = "wrong_network"        // 401: the token is bound to other networks
	CodeTokenEndpoint       = "token_endpoint"       // 403: the token is bound to other endpoints
	CodeUntrustedToken      = "untrusted_token"      // 401: a JWT that is not one of the issuer's for this gateway
	CodeUnknownUser         = "unknown_user"         // 401: the JWT's user is not in the directory
	CodeNameTaken           = "name_taken"           // 401: the JWT's user name is somebody else's here
	CodeUnknownCertificate  = "unknown_certificate"  // 401: the client certificate is no user's
	CodeTooManyFailures     = "too_many_failures"    // 429: of one address, without a good credential
	CodeTooManyDownloads    = "too_many_downloads"   // 429: REST: one user downloads the trail too often
	CodeTooManyFollowers    = "too_many_followers"   // 429: REST: one user follows the trail too often
	CodeTokenTooWide        = "token_too_wide"       // 403: REST: it would widen the token that asks
	CodeDenied              = "denied"               // 403: the policy said no
	CodeEndpointDisabled    = "endpoint_disabled"    // 403: an administrator or owner switched it off
	CodeRateLimited         = "rate_limited"         // 429: the endpoint's own limit; Retry-After says when

	// Of the gateway.
	CodeInternal                    = "internal_error"                // 500
	CodeNotReady                    = "not_ready"                     // 503: starting or stopping
	CodeOverloaded                  = "overloaded"                    // 503: too many requests at once
	CodeAuditUnavailable            = "audit_unavailable"             // 503: no record could be written
	CodePolicyUnavailable           = "policy_unavailable"            // 503: no decision could be made
	CodeVaultUnavailable            = "vault_unavailable"             // 503: REST: the vault took or gave no key
	CodeIdentityProviderUnavailable = "identity_provider_unavailable" // 503: its tokens can't be checked
	CodeClientGone                  = "client_gone"                   // in records only: the client closed the connection

	// Of the provider.
	CodeProviderUnreachable        = "provider_unreachable"         // 503: no connection
	CodeProviderTLS                = "provider_tls_failed"          // 502: its certificate or handshake was refused
	CodeProviderReset              = "provider_reset"               // 502: the connection broke before the reply was whole
	CodeProviderNoReply            = "provider_no_reply"            // in records only: an attempt that was followed by another ended without a reply
	CodeProviderTimeout            = "provider_timeout"             // 504: no reply in time, or the stream stalled
	CodeCredentialUnavailable      = "credential_unavailable"       // 503: no token for the provider could be had
	CodeProviderCredentialRejected = "provider_credential_rejected" // 502 (MLflow 401/403): the endpoint's key is bad
	CodeProviderRateLimited        = "provider_rate_limited"        // 429
	CodeProviderRejected           = "provider_rejected_request"    // the provider's own 4xx
	CodeProviderError              = "provider_error"               // the provider's own 5xx, or an error in its stream
	CodeProviderOverloaded         = "provider_overloaded"          // 529 (OpenAI 503)
	CodeProviderRedirect           = "provider_redirected"          // 502: redirects are not followed
	CodeProviderContentType        = "provider_content_type"        // 502: e.g. HTML in place of JSON
	CodeProviderEncoding           = "provider_encoding"            // 502: a content-encoding that can't be read
	CodeProviderReply              = "provider_invalid_reply"       // 502: not the JSON that was due
	CodeReplyTooLarge              = "provider_reply_too_large"     // 502
	CodeStreamTruncated            = "stream_truncated"             // in the stream: it ended before its end
)

// NotFound is the refusal of a path at which nothing is served.
func NotFound() *Error {
	return &Error{Status: http.StatusNotFound, Code: CodeRouteNotFound, Message: "Not Found"}
}

// MethodNotAllowed is the refusal of a method; allow is the one that works.
func MethodNotAllowed(allow string) *Error {
	return &Error{
		Status: http.StatusMethodNotAllowed, Code: CodeMethodNotAllowed, Message: "Method Not Allowed",
		Headers: [][2]string{{"allow", allow}},
	}
}

// EndpointNotFound is the refusal of an endpoint that does not exist or that
// the caller may not see: the two must not be told apart.
func EndpointNotFound(name string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: CodeEndpointNotFound, Param: "model",
		Message: "The endpoint '" + name + "' is not present or active on the server. Please verify the endpoint name.",
	}
}

// Unreachable tells that the provider could not be connected to.
func Unreachable() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeProviderUnreachable,
		Message: "The provider of this endpoint can't be reached. Try again; if it lasts, tell an administrator.",
	}
}

// TLSFailed tells that the provider's certificate or handshake was refused.
func TLSFailed() *Error {
	return &Error{
		Status: http.StatusBadGateway, Code: CodeProviderTLS, NoRetry: true,
		Message: "No trusted connection to the provider of this endpoint could be made. Tell an administrator.",
	}
}

// Reset tells that the provider closed the connection before its reply was whole.
func Reset() *Error {
	return &Error{
		Status: http.StatusBadGateway, Code: CodeProviderReset,
		Message: "The provider closed the connection before its reply was complete. Try again.",
	}
}

// Timeout tells that the provider did not reply in time.
func Timeout() *Error {
	return &Error{
		Status: http.StatusGatewayTimeout, Code: CodeProviderTimeout,
		Message: "The provider did not reply in time. Try again, with a shorter request if it lasts.",
	}
}

// TooLarge is the refusal of a body over limit bytes.
func TooLarge() *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: CodeBodyTooLarge,
		Message: "The request body is larger than this gateway accepts. Send a smaller one.",
	}
}

// Internal is a failure of the gateway itself; its cause is only logged.
func Internal() *Error {
	return &Error{
		Status: http.StatusInternalServerError, Code: CodeInternal,
		Message: "The gateway could not handle this request. Give an administrator the exchange id.",
	}
}

// AuditUnavailable is the refusal of a call that could not be recorded.
func AuditUnavailable() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeAuditUnavailable,
		Message: "The call was refused because it can't be recorded now. Try again later, or tell an administrator.",
	}
}

// StreamTruncated tells, in the stream, that it ended before its end.
func StreamTruncated() *Error {
	return &Error{
		Status: http.StatusBadGateway, Code: CodeStreamTruncated,
		Message: "The provider ended the stream before the reply was complete. What came so far may be cut off.",
	}
}
