package audit_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
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
// 0.6 KB from 32 goroutines. "log" leaves the index out: its cost is that of
// the requests. "whole" has the index too, at a pace at which it keeps up, as
// it does behind a gateway, which spends far more on an exchange.
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
					for mode != "log" && trail.Stats().IndexLag > 20_000 {
						time.Sleep(time.Millisecond)
					}
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

// BenchmarkTwoRows is the other shape: each half a row in SQLite, bodies
// zstd-compressed in it, written in transactions of whatever has come together,
// and a caller returns when its row is committed.
func BenchmarkTwoRows(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "a.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=wal_autocheckpoint(4000)")
	require.NoError(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE half (seq INTEGER PRIMARY KEY, time INTEGER, id TEXT, kind INTEGER, user TEXT, endpoint TEXT,
		meta BLOB, body BLOB, hash BLOB); CREATE INDEX half_id ON half (id); CREATE INDEX half_time ON half (time)`)
	require.NoError(b, err)
	insert, err := db.Prepare("INSERT INTO half (time, id, kind, user, endpoint, meta, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	require.NoError(b, err)
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(b, err)
	type half struct {
		args []any
		done chan error
	}
	queue := make(chan half, 128)
	go func() {
		for first := range queue {
			batch := []half{first}
			for len(queue) > 0 && len(batch) < 128 {
				batch = append(batch, <-queue)
			}
			tx, err := db.Begin()
			for _, h := range batch {
				if err == nil {
					_, err = tx.Stmt(insert).Exec(h.args...)
				}
			}
			if err == nil {
				err = tx.Commit()
			}
			for _, h := range batch {
				h.done <- err
			}
		}
	}()
	defer close(queue)
	write := func(kind int, id string, meta any, body []byte) error {
		encoded, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		compressed := enc.EncodeAll(body, nil)
		sum := sha256.New()
		sum.Write(encoded)
		sum.Write(compressed)
		h := half{[]any{time.Now().UnixNano(), id, kind, alice.UserID, "chat", encoded, compressed, sum.Sum(nil)}, make(chan error, 1)}
		queue <- h
		return <-h.done
	}
	request, response := chatBody(1500), chatBody(600)
	var n atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		x, o := exchange(""), answered()
		for pb.Next() {
			x.ID = fmt.Sprintf("7c3e9f1a-%08x-4d52-9a11-0242ac120002", n.Add(1))
			x.Time, o.Time = time.Now(), time.Now()
			if err := write(1, x.ID, x, request); err != nil {
				b.Fatal(err)
			}
			if err := write(2, x.ID, o, response); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

// BenchmarkVerify walks a trail of 50,000 exchanges with bodies and checkpoints.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir})
	require.NoError(b, err)
	require.NoError(b, trail.SetSigner(newSigner(1)))
	audit.StopIndexer(trail)
	request, response := chatBody(1500), chatBody(600)
	for n := range 50_000 {
		x := exchange(fmt.Sprintf("7c3e9f1a-%08x-4d52-9a11-0242ac120002", n))
		require.NoError(b, trail.Begin(x, request))
		require.NoError(b, trail.End(x.ID, answered(), response))
		if n%1000 == 0 {
			require.NoError(b, trail.Checkpoint())
		}
	}
	require.NoError(b, trail.Close())
	info, err := os.Stat(segmentOf(b, dir))
	require.NoError(b, err)
	b.SetBytes(info.Size())
	b.ReportAllocs()
	b.ResetTimer()
	frames := int64(0)
	for b.Loop() {
		report, err := audit.VerifyDirWith(ctx, dir, audit.VerifyOptions{Keys: newSigner(1).Public(), Signed: true})
		require.NoError(b, err)
		require.NoError(b, report.Err())
		frames += report.Frames
	}
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
}
