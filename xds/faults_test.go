package xds_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"sluice/internal/envoytest"
)

// TestFaultsBeforeTheHead are told to ext_proc as a local reply, so that it
// words and records them.
func TestFaultsBeforeTheHead(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) { o.IdleTimeout = 3 * time.Second })
	cases := map[string]struct {
		route, to, details string
		status             int
	}{
		"no address":    {route: w.nowhere.Key(), details: "no_healthy_upstream", status: 503},
		"refused":       {route: w.refused.Key(), details: "remote_connection_failure", status: 503},
		"reset":         {route: w.provider.Key(), to: "/reset", details: "connection_termination", status: 503},
		"slow head":     {route: w.provider.Key(), to: "/slow", details: "stream_idle_timeout", status: 504},
		"unknown route": {route: "https:unknown:443", details: "cluster_not_found", status: 503},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, call{route: c.route, to: c.to, body: []byte("x")})
			require.Equal(t, c.status, r.status)
			require.Empty(t, r.header.Get("X-Gateway-Local"))
			w.proc.story().with(func(s *seen) {
				require.Contains(t, s.head["x-gateway-local"], c.details)
				require.True(t, s.eos, "%v", s.events)
				require.NotEmpty(t, s.reply)
			})
		})
	}
}

// TestFaultsAfterTheHead of a reply that is held back: ext_proc sees the head
// and then the end, the client has an error in its dialect.
func TestFaultsAfterTheHead(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) { o.IdleTimeout = 3 * time.Second })
	cases := map[string]struct {
		to, code string
		status   int
	}{
		"reset":   {to: "/reset?after=json", code: "provider_reset", status: 502},
		"chunk":   {to: "/reset?after=chunk", code: "provider_reset", status: 502},
		"stalled": {to: "/stalled-json", code: "provider_timeout", status: 504},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, call{route: w.provider.Key(), to: c.to, body: []byte("x")})
			r.requireError(t, c.status, c.code)
			w.proc.story().with(func(s *seen) {
				require.Equal(t, "200", s.head[":status"])
				require.True(t, s.ended)
				require.False(t, s.eos)
				require.Empty(t, s.reply)
			})
		})
	}
}

// TestFaultsInTheStream reach the client as a broken stream, and ext_proc as a
// stream that ends without its end.
func TestFaultsInTheStream(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) { o.IdleTimeout = 3 * time.Second })
	for _, protocol := range []string{"h2", "http/1.1"} {
		for to, first := range map[string]string{"/reset?after=stream": "hello", "/stalled-stream": "data: 1\n\n"} {
			r := w.do(t, call{protocol: protocol, route: w.provider.Key(), to: to, body: []byte("x")})
			require.Equal(t, http.StatusOK, r.status)
			require.Error(t, r.err)
			require.Equal(t, first, string(r.body))
			w.proc.story().with(func(s *seen) {
				require.True(t, s.ended)
				require.False(t, s.eos)
				require.Equal(t, first, string(s.reply))
			})
		}
	}
}

// TestConnectFailureIsTriedAgain at another address, and only that.
func TestConnectFailureIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		w.do(t, call{route: w.refused.Key(), body: []byte("x")})
		w.do(t, call{route: w.provider.Key(), to: "/reset", body: []byte("x")})
	}
	stats, err := w.Envoy.Admin().Stats(t.Context(), "upstream_rq_retry$")
	require.NoError(t, err)
	for name, n := range stats {
		switch {
		case strings.Contains(name, "refused"):
			require.EqualValues(t, 2, n, name)
		default:
			require.Zero(t, n, name)
		}
	}
	require.NotEmpty(t, stats)
}

// TestBrokenOffIsReported by the access log with the exchange id, so that the
// ext_proc server knows why its stream ended.
func TestBrokenOffIsReported(t *testing.T) {
	w := newWorld(t)
	w.do(t, call{route: w.provider.Key(), to: "/echo", body: []byte("x")})
	w.do(t, call{route: w.provider.Key(), to: "/reset?after=json", body: []byte("x")})
	var id string
	w.proc.story().with(func(s *seen) { id = s.request["x-request-id"] })
	envoytest.Eventually(t, time.Minute, func() bool { return len(w.proc.broken()) > 0 }, func() any { return "no entry" })
	entries := w.proc.broken()
	require.Len(t, entries, 1, "only what broke off is reported")
	var state wrapperspb.StringValue
	require.NoError(t, entries[0].GetCommonProperties().GetFilterStateObjects()["sluice.exchange"].UnmarshalTo(&state))
	require.Equal(t, id, state.GetValue())
}
