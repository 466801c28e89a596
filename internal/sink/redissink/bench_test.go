package redissink_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/redistest"
	"sluice/internal/sink/redissink"
)

// BenchmarkDeliver adds records of 3 KB, 500 at a time; an operation is a record.
func BenchmarkDeliver(b *testing.B) {
	for _, compress := range []string{redissink.EncodingNone, redissink.EncodingZstd} {
		b.Run(compress, func(b *testing.B) {
			s := redistest.Start(b)
			o := options(s)
			o.Compress, o.MaxLength, o.HardLength = compress, 10_000, 20_000
			target := open(b, o)
			all := entriesOf(trail, 2, uint64(b.N+1), 3000)
			b.ReportAllocs()
			b.ResetTimer()
			for at := 0; at < len(all); at += 500 {
				_, err := target.Deliver(b.Context(), all[at:min(at+500, len(all))])
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
