// Command sustain holds a rate of exchanges on the audit trail for minutes,
// with two sinks behind it: a Redis stream on a real redis-server, and HTTP to a
// collector. Every interval it prints what was written, how far each sink is
// behind and what the process takes. It leaves Envoy and the translation out, so
// that two cores reach a rate at which the trail and its sinks are what is
// measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

func main() {
	rate := flag.Int("rate", 3000, "exchanges/s")
	duration := flag.Duration("duration", 10*time.Minute, "how long")
	every := flag.Duration("every", 30*time.Second, "between two lines of figures")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *rate, *duration, *every); err != nil {
		fmt.Fprintln(os.Stderr, "sustain:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rate int, duration, every time.Duration) error {
	dir, err := os.MkdirTemp("", "sluice-sustain-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	redis, stop, err := startRedis(dir)
	if err != nil {
		return err
	}
	defer stop()
	collector, received, err := startCollector()
	if err != nil {
		return err
	}
	yaml := fmt.Sprintf(`audit:
  sinks:
    - { name: redis, type: redis, start: oldest, addresses: [%q], max_length: 100000 }
    - { name: http, type: http, start: oldest, url: %q }
`, redis, collector)
	file := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	trail, err := audit.Open(audit.Options{Dir: filepath.Join(dir, "audit")})
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	rules, err := egress.New(egress.Options{})
	if err != nil {
		return err
	}
	deps := targets.Deps{Egress: rules.OfOperator(), Trail: trail.ID(), Node: "bench", Dir: filepath.Join(dir, "sinks"), Now: time.Now}
	sinks, err := sink.New(sink.Options{
		Dir: deps.Dir, Trail: trail, Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		sinks.Close(last)
	}()
	if err := sinks.Set(cfg.Audit.Sinks); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	w := &writers{trail: trail, rate: rate}
	w.start(ctx)
	report(ctx, w, sinks, received, every)
	w.done.Wait()
	return w.err()
}

// report prints a line every interval until the time is over.
func report(ctx context.Context, w *writers, sinks *sink.Manager, received *atomic.Int64, every time.Duration) {
	fmt.Println("second | exchanges/s | lag of redis | lag of http | errors | received by http MB | resident MB | CPU cores")
	start, before, used := time.Now(), int64(0), cpu()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		count, now := w.count.Load(), cpu()
		lag, errors := map[string]uint64{}, int64(0)
		for _, s := range sinks.Status() {
			lag[s.Name], errors = s.Lag, errors+s.Errors
		}
		fmt.Printf("%.0f | %.0f | %d | %d | %d | %d | %d | %.2f\n", time.Since(start).Seconds(), float64(count-before)/every.Seconds(),
			lag["redis"], lag["http"], errors, received.Load()>>20, resident(), (now-used).Seconds()/every.Seconds())
		before, used = count, now
	}
}

// writers begin and end exchanges at a rate.
type writers struct {
	trail *audit.Trail
	rate  int
	count atomic.Int64
	done  sync.WaitGroup

	mu     sync.Mutex // guards the following field
	failed error
}

const writerCount = 16

func (w *writers) start(ctx context.Context) {
	start := time.Now()
	for i := range writerCount {
		w.done.Go(func() {
			caller := &identity.Caller{UserID: fmt.Sprintf("%024x", i), UserName: fmt.Sprintf("user%d", i), Roles: []string{"practitioner"}}
			words := rand.New(rand.NewPCG(uint64(i), 1))
			for n := i; ctx.Err() == nil; n += writerCount {
				time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(w.rate))))
				request := []byte(`{"messages":[{"role":"user","content":"` + prose(words, 1450) + `"}]}`)
				response := []byte(`{"choices":[{"message":{"role":"assistant","content":"` + prose(words, 550) + `"}}]}`)
				if err := w.exchange(fmt.Sprintf("exchange-%d", n), caller, request, response); err != nil {
					w.mu.Lock()
					w.failed = err
					w.mu.Unlock()
					return
				}
				w.count.Add(1)
			}
		})
	}
}

// prose compresses about as what people write does.
func prose(r *rand.Rand, size int) string {
	const syllables = "ba ce di fo gu ha ke li mo nu pa re si to vu wa xe yi zo the and ing ion ter "
	var b strings.Builder
	for b.Len() < size {
		at := r.IntN(len(syllables)-3) / 3 * 3
		b.WriteString(syllables[at : at+3])
		if r.IntN(3) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()[:size]
}

func (w *writers) exchange(id string, caller *identity.Caller, request, response []byte) error {
	x := &audit.Exchange{
		ID: id, Caller: caller, EndpointID: strings.Repeat("d", 24), EndpointName: "chat", EndpointType: "llm/v1/chat",
		Provider: "openai", Model: "gpt-4o-mini", Dialect: "openai", Operation: "chat", Method: "POST", Path: "/v1/chat/completions",
		ClientAddr: "10.1.2.3",
	}
	if err := w.trail.Begin(x, request); err != nil {
		return err
	}
	return w.trail.End(id, &audit.Outcome{
		Result: audit.ResultAnswered, Status: 200, UpstreamStatus: 200, InputTokens: 400, OutputTokens: 120,
		CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown, CacheWriteTokens: audit.Unknown, CostNanoUSD: 132000,
	}, response)
}

func (w *writers) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// startCollector takes whatever is posted and counts it.
func startCollector() (url string, received *atomic.Int64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	received = &atomic.Int64{}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			received.Add(n)
		}))
	}()
	return "http://" + l.Addr().String(), received, nil
}

func startRedis(dir string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("finding a port: %w", err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes")
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("starting redis-server (Debian's package of this name): %w", err)
	}
	return addr, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }, nil
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of the process in MB.
func resident() int {
	var size, pages int
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.Sys >> 20)
	}
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize() >> 20
}
