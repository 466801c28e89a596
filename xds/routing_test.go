package xds_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
)

// TestCallReachesItsUpstream follows one call through ext_proc to the provider.
func TestCallReachesItsUpstream(t *testing.T) {
	w := newWorld(t)
	for _, protocol := range []string{"h2", "http/1.1"} {
		r := w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/echo?x=1", body: []byte("hello")})
		e := r.echoed(t)
		require.Equal(t, "api.example.com", e.Host)
		require.Equal(t, "/echo?x=1", e.URI)
		require.Equal(t, 5, e.Body)
		require.EqualValues(t, 5, e.Length)
		require.Equal(t, "sluice", r.header.Get("Server"))
	}
	r := w.do(t, call{route: "local:practice", to: "/echo", body: []byte("hello")})
	require.Equal(t, "practice", r.echoed(t).Host)
}

// TestProviderSeesOnlyWhatExtProcLeaves has ext_proc remove every header, and
// replace the body.
func TestProviderSeesOnlyWhatExtProcLeaves(t *testing.T) {
	w := newWorld(t)
	w.proc.rewrite = func([]byte) []byte { return []byte(strings.Repeat("y", 77)) }
	e := w.do(t, call{route: w.provider.Key(), to: "/echo", body: []byte("hello"), header: http.Header{
		"X-Test-Strip": {"1"}, "Cookie": {"a=b"}, "Accept-Encoding": {"gzip"}, "Te": {"trailers"},
		"Authorization": {"Bearer client"}, "User-Agent": {"client/1"}, "X-Odd": {"1"}, "Content-Type": {"text/odd"},
	}}).echoed(t)
	require.Equal(t, http.Header{
		"Authorization": {"Bearer provider"}, "Content-Length": {"77"}, "Content-Type": {"application/json"}, "User-Agent": {"sluice/test"},
	}, e.Header)
	require.EqualValues(t, 77, e.Length)
	require.False(t, e.Chunked)
}

// TestClientCannotRoute sends the gateway's own headers from outside.
func TestClientCannotRoute(t *testing.T) {
	w := newWorld(t)
	spoofed := http.Header{
		"X-Gateway-Route": {w.provider.Key()}, "X-Gateway-Local": {"x"}, "X-Request-Id": {"chosen"}, "X-Envoy-Original-Path": {"/x"},
		"X-Envoy-Retry-On": {"5xx"}, "X-Forwarded-For": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"},
		"X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"http"},
	}
	w.do(t, call{header: spoofed, body: []byte("hi")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
	w.proc.story().with(func(s *seen) {
		require.NotContains(t, s.request, "x-gateway-route")
		require.NotContains(t, s.request, "x-envoy-retry-on")
		require.NotContains(t, s.request, "forwarded")
		require.NotContains(t, s.request, "x-forwarded-host")
		require.NotEqual(t, "chosen", s.request["x-request-id"])
		require.NotContains(t, s.request["x-forwarded-for"], "203.0.113.9")
		require.Equal(t, "https", s.request["x-forwarded-proto"])
	})
	r := w.do(t, call{method: http.MethodGet, path: "/api/x", header: spoofed})
	require.Equal(t, http.StatusOK, r.status)
	require.NotContains(t, string(r.body), "203.0.113.9")
	require.NotContains(t, strings.ToLower(string(r.body)), "x-gateway-route")
	require.NotContains(t, strings.ToLower(string(r.body)), "x-gateway-local")
	require.NotContains(t, string(r.body), "chosen")
}

// TestControlTakesTheRest sends what is no call past ext_proc.
func TestControlTakesTheRest(t *testing.T) {
	w := newWorld(t)
	for _, c := range []call{
		{method: http.MethodGet, path: "/"}, {method: http.MethodGet, path: "/v1/models"}, {method: http.MethodGet, path: "/v1/chat/completions"},
		{path: "/api/aigateway/v1/endpoints", body: []byte("{}")}, {method: http.MethodDelete, path: "/api/aigateway/v1/endpoints/x"},
		{path: "/endpoints/a/b/invocations"}, {path: "/nope"},
	} {
		r := w.do(t, c)
		require.Equal(t, http.StatusOK, r.status, c.path)
		require.Equal(t, "yes", r.header.Get("X-Control"), c.path)
		require.Len(t, r.header.Get("X-Request-Id"), 36, c.path)
	}
	require.Nil(t, w.proc.last(), "ext_proc saw a request that is not a call")
	r := w.do(t, call{path: "/api/x", body: make([]byte, 5<<20)})
	require.Equal(t, http.StatusRequestEntityTooLarge, r.status)
	require.Contains(t, string(r.body), `"code":"body_too_large"`)
	require.Empty(t, r.header.Get("X-Gateway-Local"))
}

// TestPathTricks are refused or read as one path.
func TestPathTricks(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]int{
		"/endpoints/a%2Fb/invocations": http.StatusBadRequest, "/endpoints/..%2fx/invocations": http.StatusBadRequest,
		"/endpoints/a%5Cb/invocations": http.StatusBadRequest, "/endpoints/a%00/invocations": http.StatusBadRequest,
	} {
		r := w.do(t, call{path: path, protocol: "http/1.1"})
		require.Equal(t, want, r.status, path)
		require.Contains(t, string(r.body), `"detail"`, path)
		require.Empty(t, r.header.Get("X-Gateway-Local"))
	}
	for path, want := range map[string]string{
		"//api//x": "/api/x", "/api/./a/../b": "/api/b", "/api/%7Ea": "/api/~a",
	} {
		r := w.do(t, call{method: http.MethodGet, path: path})
		require.Contains(t, string(r.body), `"path":"`+want+`"`, path)
	}
	// A call that hides behind a dot segment is a call all the same.
	w.do(t, call{path: "/api/../v1//chat/./completions", body: []byte("x")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
	require.NotNil(t, w.proc.last())
}

// TestUnknownRouteStays does not fall back to another route, whatever the path
// has been rewritten to.
func TestUnknownRouteStays(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, call{route: "https:unknown:443", to: "/api/x", body: []byte("x")})
	r.requireError(t, http.StatusServiceUnavailable, "not_ready")
	require.Empty(t, r.header.Get("X-Control"))
}

// TestRefusals come from ext_proc and stay as they are.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, call{header: http.Header{"X-Test-Deny": {"403"}}, body: []byte("x")})
	require.Equal(t, http.StatusForbidden, r.status)
	require.JSONEq(t, `{"denied":true}`, string(r.body))
	require.Equal(t, "yes", r.header.Get("X-Denied"))
	require.Len(t, r.header.Get("X-Request-Id"), 36)
	// A mutation that is not allowed is an error, not a silence.
	r = w.do(t, call{route: w.provider.Key(), to: "/echo", header: http.Header{"X-Test-Forbidden": {"1"}}, body: []byte("x")})
	require.GreaterOrEqual(t, r.status, 500)
	stats, err := w.Envoy.Admin().Stats(t.Context(), "rejected_header_mutations")
	require.NoError(t, err)
	require.EqualValues(t, 1, stats["http.ingress.ext_proc.router.rejected_header_mutations"])
}

// TestErrorsAreInTheDialect stops ext_proc and asks by each path.
func TestErrorsAreInTheDialect(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) { o.ExtProc = nil })
	for path, want := range map[string]string{
		"/endpoints/a/invocations":                  `{"detail":`,
		"/mlflow-deployments/gateway/a/invocations": `{"detail":`,
		"/v1/chat/completions":                      `{"error":{"message":`,
		"/mlflow-deployments/v1/embeddings?a=b":     `{"error":{"message":`,
	} {
		r := w.do(t, call{path: path, body: []byte("x")})
		require.Equal(t, http.StatusServiceUnavailable, r.status)
		require.True(t, strings.HasPrefix(string(r.body), want), "%s: %s", path, r.body)
		require.Contains(t, string(r.body), r.header.Get("X-Request-Id"))
		require.Empty(t, r.header.Get("X-Gateway-Local"))
	}
}

// TestProviderCannotSpeakForEnvoy sends the gateway's headers from a provider.
func TestProviderCannotSpeakForEnvoy(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, call{route: w.provider.Key(), to: "/spoof", body: []byte("x")})
	require.Equal(t, "spoof", string(r.body))
	require.Empty(t, r.header.Get("X-Gateway-Local"))
	require.Empty(t, r.header.Get("X-Envoy-Upstream-Service-Time"))
	w.proc.story().with(func(s *seen) { require.NotContains(t, s.head, "x-gateway-local") })
}
