package sink_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink/sinktest"
)

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCatchUp sends what is there already to a file and to a service over
// HTTP in this process: records a second, CPU of all for each record, and memory.
func BenchmarkCatchUp(b *testing.B) {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer service.Close()
	for _, both := range []bool{false, true} {
		b.Run(map[bool]string{false: "file", true: "file and http"}[both], func(b *testing.B) {
			w := sinktest.New(b)
			request, response := []byte(`{"q":"`+strings.Repeat("word ", 280)+`"}`), []byte(`{"a":"`+strings.Repeat("word ", 120)+`"}`)
			for n := range b.N {
				id := fmt.Sprint("x-", n)
				require.NoError(b, w.Trail.Begin(&audit.Exchange{ID: id, Caller: alice, EndpointName: "chat", Provider: "openai"}, request))
				require.NoError(b, w.Trail.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, response))
			}
			sinks := []config.Sink{{Name: "file", Type: "file", File: &config.SinkFile{Path: filepath.Join(b.TempDir(), "out"), RotateBytes: 100 << 20, Keep: 2}}}
			if both {
				sinks = append(sinks, config.Sink{Name: "http", Type: "http", HTTP: &config.SinkHTTP{URL: service.URL, PathSecret: "/", Compress: "gzip", Timeout: time.Minute}})
			}
			runtime.GC()
			b.ResetTimer()
			used := cpu()
			w.Set(sinks...)
			var peak uint64
			for _, s := range sinks {
				w.Eventually("through", func() bool {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
					return w.Status(s.Name).Lag == 0
				})
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-µs/record")
			b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MB")
		})
	}
}
