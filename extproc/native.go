package extproc

import (
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/identity"
	"sluice/policies"
)

// nativeFacts say to the policy what a call of a provider's own API asks for.
func (x *exchange) nativeFacts(body []byte) *policies.NativeFacts {
	path, _, _ := strings.Cut(x.route.Rest, "?")
	return &policies.NativeFacts{Method: x.record.Method, Path: path, Model: provider.NativeModel(x.route.Rest, body)}
}

// chooseNative plans a call of the target's own API. Another target has
// another API, so there is nothing to fall back to.
func (x *exchange) chooseNative(t *Target) ([]try, *dialect.Error) {
	call, e := provider.OpenNative(t.Target, provider.NativeRequest{
		Method: x.record.Method, Rest: x.route.Rest, Headers: x.nativeHeaders(), Body: x.req.Body,
	}, x.env())
	if e != nil {
		return nil, e
	}
	return []try{{target: t, upstream: t.Upstream, call: call}}, nil
}

// nativeHeaders are the client's headers that go with a call of a provider's
// own API.
func (x *exchange) nativeHeaders() [][2]string {
	var out [][2]string
	for _, h := range x.head.GetHeaders() {
		if removable(h.Key) && !ownHeader(h.Key) {
			out = append(out, [2]string{h.Key, value(h)})
		}
	}
	return out
}

// ownHeader reports whether a request header is between the client and this
// gateway only: its credential in any form, what its SDK signed for another
// host, what belongs to the connection, and what tells of the client's place.
func ownHeader(name string) bool {
	for _, c := range identity.CredentialHeaders {
		if name == c {
			return true
		}
	}
	switch name {
	case "content-length", "accept-encoding", "cookie", "connection", "te", "trailer", "transfer-encoding", "upgrade",
		"via", "origin", "referer", "expect", "x-request-id", SessionHeader,
		"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-region-set":
		return true
	}
	for _, prefix := range []string{"proxy-", "x-domino-", "x-mlflow-", "x-gateway-", "sec-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// nativePassed reports whether a header of a provider's reply goes to a client
// that speaks its API: all but those that belong to the connection, set
// cookies, or name the account that pays.
func nativePassed(name string) bool {
	switch name {
	case "set-cookie", "server", "alt-svc", "strict-transport-security", "www-authenticate", "connection", "keep-alive",
		"transfer-encoding", "openai-organization", "openai-project", "anthropic-organization-id", "cf-ray", "cf-cache-status", "via":
		return false
	}
	return !strings.HasPrefix(name, "access-control-")
}
