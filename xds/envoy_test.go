package xds_test

import (
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/envoytest"
)

// TestNothingIsDeprecated starts Envoy and looks for complaints.
func TestNothingIsDeprecated(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	addr, ca := tlsProvider(t)
	w := newWorld(t, func(o *envoytest.Options) {
		o.Log, o.CAFile = zap.New(core), ca
		o.Resolve[byName.Host] = addr
		o.Upstreams = append(o.Upstreams, byName)
	})
	w.do(t, call{route: byName.Key(), to: "/echo", body: []byte("x")}).echoed(t)
	for _, e := range logs.All() {
		if e.LoggerName == "envoy" {
			t.Errorf("Envoy complains: %s", e.Message)
		}
	}
	stats, err := w.Envoy.Admin().Stats(t.Context(), "rejected|unknown_fields|deprecated")
	require.NoError(t, err)
	for name, n := range stats {
		require.Zero(t, n, name)
	}
}

// TestEnvoyDies and is back, with everything; within a second, says the log, where
// the machine is not busy.
func TestEnvoyDies(t *testing.T) {
	w := newWorld(t)
	pid := w.Envoy.Status().PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	killed := time.Now()
	envoytest.Eventually(t, time.Minute, func() bool {
		resp, err := w.Client("h2").Do(w.request(t.Context(), t, call{route: w.provider.Key(), to: "/echo", body: []byte("x")}))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, func() any { return w.Envoy.Status() })
	t.Logf("back after %s", time.Since(killed))
	s := w.Envoy.Status()
	require.Equal(t, 1, s.Restarts)
	require.NotEqual(t, pid, s.PID)
	require.Equal(t, "signal: killed", s.LastExit)
}

// TestDrain lets a request finish that has begun, and takes no new one.
func TestDrain(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		release, begun := make(chan struct{}), make(chan struct{}, 1)
		w := newWorld(t, func(o *envoytest.Options) {
			o.Local["practice"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				begun <- struct{}{}
				<-release
				_, _ = io.WriteString(w, "whole")
			})
		})
		answered := make(chan reply, 1)
		go func() { answered <- w.do(t, call{protocol: protocol, route: "local:practice", body: []byte("x")}) }()
		<-begun
		drained := make(chan error, 1)
		go func() { drained <- w.Envoy.Drain(t.Context()) }()
		envoytest.Eventually(t, time.Minute, func() bool {
			resp, err := w.Client(protocol).Get(w.URL + "/api/x")
			if err == nil {
				_ = resp.Body.Close()
			}
			return err != nil
		}, func() any { return "new connections are still taken" })
		select {
		case err := <-drained:
			t.Fatalf("drained before the request had ended: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
		close(release)
		require.Equal(t, "whole", string((<-answered).body))
		require.NoError(t, <-drained)
		envoytest.Eventually(t, time.Minute, func() bool { return w.Envoy.Status().State == "stopped" },
			func() any { return w.Envoy.Status() })
	}
}

// TestDrainGivesUp at the end of its time.
func TestDrainGivesUp(t *testing.T) {
	w := newWorld(t, func(o *envoytest.Options) { o.DrainTime = 300 * time.Millisecond })
	client := w.Client("h2")
	go func() {
		resp, err := client.Do(w.request(t.Context(), t, call{route: w.provider.Key(), to: "/slow", body: []byte("x")}))
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	envoytest.Eventually(t, time.Minute, func() bool {
		n, err := w.Envoy.Admin().ActiveRequests(t.Context())
		return err == nil && n == 1
	}, func() any { return "no request" })
	require.ErrorContains(t, w.Envoy.Drain(t.Context()), "1 requests had not finished")
}
