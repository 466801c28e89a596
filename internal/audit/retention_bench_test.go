package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// BenchmarkRetention drops a partition of 1 GB while requests go on: once, since
// filling it takes a minute. It reports how long the drop took from the turn of
// the day on, and the slowest exchanges meanwhile and without.
//
//	go test -run xxx -bench Retention -benchtime 1x ./internal/audit
func BenchmarkRetention(b *testing.B) {
	const records, body = 500_000, 2 << 10
	c := newClock(noon)
	opts := audit.Options{Dir: b.TempDir(), Now: c.Now, RetentionDays: 1}
	trail := openTrail(b, opts)
	var work sync.WaitGroup
	for worker := range 8 {
		work.Go(func() {
			data := randomBody(body)
			for i := worker; i < records; i += 8 {
				id := name("r", i)
				if trail.Begin(exchange(id), data) != nil || trail.End(id, answered(), nil) != nil {
					b.Error("writing failed")
					return
				}
			}
		})
	}
	work.Wait()
	query(b, trail, audit.Filter{Limit: 1}) // the index is whole
	info, err := os.Stat(filepath.Join(opts.Dir, "2026-03-10.log"))
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/1e9, "GB")

	slowest := func(until func() bool) (worst, p99 time.Duration) {
		var all []time.Duration
		for n := 0; !until(); n++ {
			id := name("live", n) + c.Now().String()
			start := time.Now()
			require.NoError(b, trail.Begin(exchange(id), []byte("q")))
			require.NoError(b, trail.End(id, answered(), []byte("a")))
			all = append(all, time.Since(start))
		}
		slices.Sort(all)
		return all[len(all)-1], all[len(all)*99/100]
	}
	quiet := time.Now().Add(3 * time.Second)
	worst, p99 := slowest(func() bool { return time.Now().After(quiet) })
	b.ReportMetric(worst.Seconds()*1e3, "worst-before-ms")
	b.ReportMetric(p99.Seconds()*1e3, "p99-before-ms")
	c.Add(48 * time.Hour)
	start := time.Now()
	var took time.Duration
	worst, p99 = slowest(func() bool {
		if took == 0 && trail.Days()[0] != "2026-03-10" {
			took = time.Since(start)
		}
		return took > 0 && time.Since(start) > 3*time.Second
	})
	b.ReportMetric(took.Seconds()*1e3, "dropped-after-ms") // the keeper looks every second
	b.ReportMetric(worst.Seconds()*1e3, "worst-meanwhile-ms")
	b.ReportMetric(p99.Seconds()*1e3, "p99-meanwhile-ms")
}
