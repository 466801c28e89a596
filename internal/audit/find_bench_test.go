package audit_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// BenchmarkText looks for a text that is nowhere in bodies of several lengths.
// MB/s are of bodies as they were given.
func BenchmarkText(b *testing.B) {
	for _, size := range []int{1500, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			trail := openTrail(b, audit.Options{Dir: b.TempDir()})
			request, response := chatBody(size), chatBody(size/2)
			count := 20 << 20 / (len(request) + len(response))
			for i := range count {
				id := name("x", i)
				require.NoError(b, trail.Begin(exchange(id), request))
				require.NoError(b, trail.End(id, answered(), response))
			}
			b.SetBytes(int64(count * (len(request) + len(response))))
			indexed(b, trail)
			b.ResetTimer()
			before := cpuTime()
			for b.Loop() {
				require.Empty(b, query(b, trail, audit.Filter{Text: []string{"sk-live-4711"}}))
			}
			b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// indexed waits until everything is in the index.
func indexed(t testing.TB, trail *audit.Trail) {
	t.Helper()
	require.Len(t, query(t, trail, audit.Filter{Limit: 1}), 1)
}

// BenchmarkExport renders records without bodies as JSON lines.
func BenchmarkExport(b *testing.B) {
	trail := openTrail(b, audit.Options{Dir: b.TempDir()})
	const count = 20_000
	for i := range count {
		record(b, trail, name("x", i))
	}
	var written int64
	indexed(b, trail)
	b.ResetTimer()
	before := cpuTime()
	for b.Loop() {
		written = 0
		n, err := trail.Export(ctx, audit.Filter{}, func(dst []byte, r *audit.Record) ([]byte, error) {
			dst, err := r.AppendJSON(dst)
			return append(dst, '\n'), err
		}, func(text []byte) error { written += int64(len(text)); return nil })
		require.NoError(b, err)
		require.Equal(b, count, n)
	}
	b.SetBytes(written)
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N)/count, "cpu-µs/record")
}

// BenchmarkLines downloads records with their bodies.
func BenchmarkLines(b *testing.B) {
	for _, size := range []int{1500, 64 << 10, 4 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			trail := openTrail(b, audit.Options{Dir: b.TempDir()})
			request, response := chatBody(size), chatBody(size/2)
			count := 20<<20/(len(request)+len(response)) + 1
			for i := range count {
				id := name("x", i)
				require.NoError(b, trail.Begin(exchange(id), request))
				require.NoError(b, trail.End(id, answered(), response))
			}
			var written int64
			indexed(b, trail)
			b.ResetTimer()
			before := cpuTime()
			for b.Loop() {
				written = 0
				n, err := trail.Lines(ctx, audit.Filter{Bodies: true}, func(text []byte) error { written += int64(len(text)); return nil })
				require.NoError(b, err)
				require.Equal(b, count, n)
			}
			b.SetBytes(written)
			b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}
