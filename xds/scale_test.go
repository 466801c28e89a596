package xds_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
	"sluice/xds"
)

// BenchmarkUpstreams pushes many distinct upstreams to a real Envoy, and then
// one more: what docs/decisions/one-route-table.md says. Run it alone:
//
//	go test ./xds -run '^$' -bench Upstreams -benchtime 1x -timeout 30m
func BenchmarkUpstreams(b *testing.B) {
	for _, tls := range []bool{false, true} {
		for _, n := range []int{10, 1_000, 10_000} {
			b.Run(fmt.Sprintf("tls=%t/%d", tls, n), func(b *testing.B) {
				for range b.N {
					pushMany(b, n, tls)
				}
			})
		}
	}
}

func pushMany(b *testing.B, n int, tls bool) {
	proc := &fakeProc{}
	ups := make([]xds.Upstream, n)
	resolve := map[string]string{"one-more.example.com": "127.0.0.1:1"}
	for i := range ups {
		ups[i] = xds.Upstream{TLS: tls, Host: fmt.Sprintf("host-%d.example.com", i), Port: 443}
		resolve[ups[i].Host] = "127.0.0.1:1"
	}
	g := envoytest.Start(b, envoytest.Options{ExtProc: proc, Resolve: resolve, Log: envoytest.Log(b)})
	before := resident(b, g.Envoy.Status().PID)
	start := time.Now()
	err := g.Plane.SetUpstreams(b.Context(), ups)
	first := time.Since(start)
	for end := time.Now().Add(5 * time.Minute); !g.Plane.Status().Synced() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	require.True(b, g.Plane.Status().Synced(), "%v %+v", err, g.Plane.Status())
	b.ReportMetric(first.Seconds()*1000, "ms/all")
	b.ReportMetric(time.Since(start).Seconds()*1000, "ms/synced")
	b.ReportMetric(float64(resident(b, g.Envoy.Status().PID)-before)/1024, "MB/envoy")
	b.ReportMetric(float64(resident(b, os.Getpid()))/1024, "MB/go")
	start = time.Now()
	require.NoError(b, g.Plane.SetUpstreams(b.Context(), append(ups, xds.Upstream{TLS: tls, Host: "one-more.example.com", Port: 443})))
	b.ReportMetric(time.Since(start).Seconds()*1000, "ms/one-more")
	start = time.Now()
	require.NoError(b, g.Plane.SetUpstreams(b.Context(), ups))
	b.ReportMetric(time.Since(start).Seconds()*1000, "ms/one-less")
}

// resident is the memory of a process in KB.
func resident(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return kb
}
