package audit_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// chatBody returns JSON of about n bytes that compresses as prose does.
func chatBody(n int) []byte {
	words := strings.Fields(`the quick auditor reads every record of the models that people call through one address
		with tokens they already have and never see a provider key summary question answer detail context please explain
		why rates differ between regions in spring report attached below numbers quarter churn revenue customer segment`)
	var b strings.Builder
	b.WriteString(`{"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"`)
	for i := 0; b.Len() < n-30; i++ {
		fmt.Fprintf(&b, "%s ", words[(i*i*7+i*13+i/5)%len(words)])
		if i%9 == 0 {
			fmt.Fprint(&b, i*7919%10007, " ")
		}
	}
	b.WriteString(`"}],"max_tokens":256}`)
	return []byte(b.String())
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkExchange writes both halves of exchanges with bodies of 1.5 KB and
// 0.6 KB from 32 goroutines. "log" leaves the index out: its time is that of
// the requests; "whole" waits for the index.
func BenchmarkExchange(b *testing.B) {
	request, response := chatBody(1500), chatBody(600)
	for _, mode := range []string{"log", "whole", "whole-none"} {
		b.Run(mode, func(b *testing.B) {
			opts := audit.Options{Dir: b.TempDir()}
			if mode == "whole-none" {
				opts.Bodies = audit.BodiesNone
			}
			trail := openTrail(b, opts)
			if mode == "log" {
				audit.StopIndexer(trail)
			}
			var n atomic.Int64
			b.SetParallelism(16) // times GOMAXPROCS
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime()
			b.RunParallel(func(pb *testing.PB) {
				x, o := exchange(""), answered()
				for pb.Next() {
					x.ID = fmt.Sprintf("7c3e9f1a-%08x-4d52-9a11-0242ac120002", n.Add(1))
					if err := trail.Begin(x, request); err != nil {
						b.Fatal(err)
					}
					if err := trail.End(x.ID, o, response); err != nil {
						b.Fatal(err)
					}
				}
			})
			if mode != "log" {
				_, err := trail.Get(ctx, "none")
				require.ErrorIs(b, err, audit.ErrNotFound)
			}
			spent := cpuTime() - before
			b.StopTimer()
			s := trail.Stats()
			b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(s.Frames)/float64(s.Writes), "frames/write")
			b.ReportMetric(float64(s.Bytes)/float64(b.N), "log-B/op")
		})
	}
}
