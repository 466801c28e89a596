package s3sink_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/awstest"
)

// BenchmarkDeliver archives batches of 5,000 records of 3 KB; an operation is a
// record. moto is slow: the stand-in takes whatever comes.
func BenchmarkDeliver(b *testing.B) {
	sinkhole := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sinkhole.Close()
	a := awstest.Start(b)
	bucket := a.Bucket(b, "bench", false)
	for name, c := range map[string]struct {
		url     string
		parquet bool
	}{"standin": {sinkhole.URL, false}, "standin/parquet": {sinkhole.URL, true}, "moto/parquet": {a.URL, true}} {
		b.Run(name, func(b *testing.B) {
			o := options(b, a, bucket)
			o.Endpoint, o.Parquet = c.url, c.parquet
			target := open(b, o)
			all := padded(entries(b, 2, 5000, 100*time.Millisecond), 2200)
			b.ReportAllocs()
			b.ResetTimer()
			for at := 0; at < b.N; at += len(all) {
				_, err := target.Deliver(b.Context(), all[:min(len(all), b.N-at)])
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapSys)/(1<<20), "MB-heap")
		})
	}
}
