package xds_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
	"sluice/xds"
)

// TestUpstreamIsThereWhenSetReturns calls new upstreams right after they were
// set, without a wait.
func TestUpstreamIsThereWhenSetReturns(t *testing.T) {
	addr := ""
	w := newWorld(t, func(o *envoytest.Options) {
		addr = o.Resolve["api.example.com"]
		for i := range 20 {
			o.Resolve[fmt.Sprintf("new%d.example.com", i)] = addr
		}
	})
	set := []xds.Upstream{w.provider}
	for i := range 20 {
		u := xds.Upstream{Host: fmt.Sprintf("new%d.example.com", i), Port: 80}
		set = append(set, u)
		require.NoError(t, w.Plane.SetUpstreams(t.Context(), set))
		require.NoError(t, w.Plane.Consistent())
		require.Equal(t, u.Host, w.do(t, call{route: u.Key(), to: "/echo", body: []byte("x")}).echoed(t).Host)
	}
	require.NoError(t, w.Plane.SetUpstreams(t.Context(), set[:1]))
	require.NoError(t, w.Plane.Consistent())
	require.True(t, w.Plane.Status().Synced(), "%+v", w.Plane.Status())
	w.do(t, call{route: set[1].Key(), to: "/echo", body: []byte("x")}).requireError(t, http.StatusServiceUnavailable, "not_ready")
	require.Equal(t, w.provider.Host, w.do(t, call{route: w.provider.Key(), to: "/echo", body: []byte("x")}).echoed(t).Host)
}

// TestOnlyChangesArePushed counts what goes to Envoy.
func TestOnlyChangesArePushed(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	w := newWorld(t, func(o *envoytest.Options) { o.Registerer = reg })
	pushed := func() float64 {
		families, err := reg.Gather()
		require.NoError(t, err)
		var n float64
		for _, f := range families {
			if f.GetName() == "sluice_xds_pushes_total" {
				for _, m := range f.GetMetric() {
					n += m.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	same := []xds.Upstream{{Local: "practice"}, w.nowhere, w.provider, w.refused, w.provider}
	before := pushed()
	require.NoError(t, w.Plane.SetUpstreams(t.Context(), same))
	require.Equal(t, before, pushed(), "nothing has changed")
	require.NoError(t, w.Plane.SetUpstreams(t.Context(), append(same, xds.Upstream{Host: "127.0.0.9", Port: 1})))
	require.LessOrEqual(t, pushed()-before, 3.0, "a cluster, its address, the routes")
}

// TestUnderLoad changes upstreams while calls run: none may fail.
func TestUnderLoad(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) {
		for i := range 40 {
			o.Resolve[fmt.Sprintf("n%d.example.com", i)] = o.Resolve["api.example.com"]
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	var calls, failed atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		client := w.Client("h2")
		for ctx.Err() == nil {
			resp, err := client.Do(w.request(context.WithoutCancel(ctx), t, call{route: w.provider.Key(), to: "/echo", body: []byte("x")}))
			calls.Add(1)
			if err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}()
	for i := range 40 {
		require.NoError(t, w.Plane.SetUpstreams(t.Context(), []xds.Upstream{
			w.provider, {Host: fmt.Sprintf("n%d.example.com", i), Port: 80},
		}))
	}
	stop()
	<-done
	require.Zero(t, failed.Load())
	require.Greater(t, calls.Load(), int64(20))
}

// TestNoEnvoy stores changes for the Envoy that comes.
func TestNoEnvoy(t *testing.T) {
	dir := envoytest.Dir(t)
	plane, err := xds.New(xds.Options{
		ListenAddr: "127.0.0.1:8443", BodyBytes: 1, IdleTimeout: time.Second,
		ExtProcSocket: "/e", ControlSocket: "/c", LocalSockets: map[string]string{"practice": "/p"},
	})
	require.NoError(t, err)
	require.NoError(t, plane.SetUpstreams(t.Context(), []xds.Upstream{{Local: "practice"}, {TLS: true, Host: "127.0.0.1", Port: 1}}))
	require.NoError(t, plane.Consistent())
	s := plane.Status()
	require.False(t, s.Connected)
	require.False(t, s.Synced())
	require.Equal(t, 4, s.Types["clusters"].Resources)
	require.Contains(t, s.Unresolved["127.0.0.1"], "must not be reached")

	require.ErrorContains(t, plane.SetUpstreams(t.Context(), []xds.Upstream{{Local: "other"}}), "no such local server")
	require.ErrorContains(t, plane.SetUpstreams(t.Context(), []xds.Upstream{{Host: "h"}}), "port")
	for _, host := range []string{"", "bad\x00host", "UPPER.example.com", "a b", "::1%eth0 "} {
		require.Error(t, plane.SetUpstreams(t.Context(), []xds.Upstream{{Host: host, Port: 1}}), "%q", host)
	}
	require.ErrorContains(t, plane.SetCertificate([]byte("x"), []byte("y")), "checking the server certificate")

	l, err := net.Listen("unix", filepath.Join(dir, "xds.sock"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- plane.Serve(ctx, l) }()
	time.Sleep(50 * time.Millisecond)
	cancel()
	require.NoError(t, <-served)
}

func TestKeys(t *testing.T) {
	for want, u := range map[string]xds.Upstream{
		"https:api.openai.com:443": {TLS: true, Host: "api.openai.com", Port: 443},
		"http:[::1]:80":            {Host: "::1", Port: 80},
		"local:practice":           {Local: "practice"},
	} {
		require.Equal(t, want, u.Key())
	}
}
