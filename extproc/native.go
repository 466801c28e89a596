package extproc

import (
	"slices"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/identity"
	"sluice/policies"
)

// nativeFacts say to the policy what a call of a provider's own API asks for.
func (x *exchange) nativeFacts(body []byte) *policies.NativeFacts {
	path, _, _ := strings.Cut(x.route.Rest, "?")
	names := provider.NativeModels(x.route.Rest, x.ctype, body)
	if names.Unnamed {
		// Where all that can be called is the endpoint's, there is nothing to name.
		names.Unnamed = slices.ContainsFunc(x.entry.Targets, func(t *Target) bool { return !provider.OneModel(t.Target) })
	}
	x.named = names.Models
	return &policies.NativeFacts{Method: x.record.Method, Path: path, Models: names.Models, Unnamed: names.Unnamed}
}

// chooseNative plans a call of a target's own API: the first in the plan that
// has the model that the call names. Another target has another API, so there
// is nothing to fall back to.
func (x *exchange) chooseNative(plan []*Target) ([]try, *dialect.Error) {
	t := plan[0]
	for _, p := range plan {
		if slices.ContainsFunc(x.named, func(model string) bool { return provider.Calls(p.Target, model) }) {
			t = p
			break
		}
	}
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
	// Who pays, at providers whose keys are good for several.
	case "openai-organization", "openai-project", "x-goog-user-project", "x-goog-iam-authorization-token":
		return true
	// Another method or path than the policy saw, at servers that heed them.
	case "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-original-host", "x-host":
		return true
	}
	// Portkey's say where it sends a call, with the key that it holds.
	for _, prefix := range []string{"proxy-", "x-domino-", "x-mlflow-", "x-gateway-", "x-sluice-", "x-practice-", "x-portkey-", "sec-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// nativePassed reports whether a header of a provider's reply goes to a client
// that speaks its API: all but those that belong to the connection, set
// cookies, name the account that pays, or give orders to a browser, for which
// the reply is this gateway's. Where a redirect leads is left out too: clients
// would follow it with their token for this gateway.
func nativePassed(name string, status int) bool {
	switch name {
	case "set-cookie", "set-cookie2", "server", "alt-svc", "strict-transport-security", "www-authenticate", "connection", "keep-alive",
		"transfer-encoding", "openai-organization", "openai-project", "anthropic-organization-id", "cf-ray", "cf-cache-status", "via",
		"clear-site-data", "refresh", "service-worker-allowed", "nel", "report-to", "reporting-endpoints", "content-security-policy-report-only":
		return false
	case "location":
		return status/100 != 3
	}
	return !strings.HasPrefix(name, "access-control-")
}

// inert keeps a browser from running what a provider sends: it would be as this
// gateway's own page.
var inert = [][2]string{
	{"content-security-policy", "default-src 'none'; sandbox"}, {"x-content-type-options", "nosniff"},
}
