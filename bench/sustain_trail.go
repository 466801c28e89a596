package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"sluice/bench/load"
	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

// onTrail puts the trail and its sinks under load, in this process. Envoy and
// the translation are left out, so that two cores reach a rate at which the trail
// and its sinks are what is measured.
func (s *sustaining) onTrail(ctx context.Context, r *receivers) error {
	file := filepath.Join(r.dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte(s.sinksYAML(r)), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "audit")
	trail, err := audit.Open(audit.Options{Dir: dir})
	if err != nil {
		return err
	}
	sinks, err := openSinks(trail, &cfg, filepath.Join(r.dir, "sinks"))
	if err != nil {
		return errors.Join(err, trail.Close())
	}
	stop := sync.OnceValue(func() error {
		last, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		sinks.Close(last)
		return trail.Close()
	})
	defer func() { _ = stop() }() // said already when it was called in turn
	w := &writers{trail: trail, s: s}
	return s.run(ctx, &subject{name: "the trail and its sinks", dir: dir, stop: stop, usage: selfUsage,
		drive: func(each func(load.Result) error) (load.Result, error) { return w.drive(ctx, each) },
		sinks: func() (out sinkState, err error) {
			lag := map[string]*float64{"redis": &out.redis, "http": &out.http}
			for _, one := range sinks.Status() {
				*lag[one.Name], out.errors = float64(one.Lag), out.errors+float64(one.Errors)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			out.heap = float64(m.HeapInuse)
			return out, nil
		}}, r)
}

func openSinks(trail *audit.Trail, cfg *config.Config, dir string) (*sink.Manager, error) {
	rules, err := egress.New(egress.Options{})
	if err != nil {
		return nil, err
	}
	deps := targets.Deps{Egress: rules.OfOperator(), Trail: trail.ID(), Node: "bench", Dir: dir, Now: time.Now}
	sinks, err := sink.New(sink.Options{
		Dir: dir, Trail: trail, Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	if err != nil {
		return nil, err
	}
	return sinks, sinks.Set(cfg.Audit.Sinks)
}

// writers begin and end exchanges at a rate.
type writers struct {
	trail *audit.Trail
	s     *sustaining

	mu      sync.Mutex // guards the following fields
	all     []time.Duration
	samples []time.Duration // of this interval, from begin to end
	failed  error
}

const writerCount = 16

// drive writes for the whole time. Latency is that of both halves.
func (w *writers) drive(ctx context.Context, each func(load.Result) error) (load.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, w.s.duration)
	defer cancel()
	start := time.Now()
	var group sync.WaitGroup
	for i := range writerCount {
		group.Go(func() { w.write(ctx, start, i) })
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	err := load.Intervals(start, w.s.every, done, func(took time.Duration) error { return each(resultOf(w.take(), took)) })
	if err != nil {
		cancel()
		<-done
		return load.Result{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return resultOf(w.all, time.Since(start)), w.failed
}

func (w *writers) take() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.samples
	w.samples = nil
	w.all = append(w.all, out...)
	return out
}

func resultOf(samples []time.Duration, took time.Duration) load.Result {
	return load.Result{Requests: len(samples), Seconds: took.Seconds(), P50: load.Percentile(samples, 0.5),
		P99: load.Percentile(samples, 0.99), P999: load.Percentile(samples, 0.999)}
}

// write is one writer; together they keep the rate.
func (w *writers) write(ctx context.Context, start time.Time, i int) {
	caller := &identity.Caller{UserID: fmt.Sprintf("%024x", i), UserName: fmt.Sprintf("user%d", i), Roles: []string{"practitioner"}}
	words := rand.New(rand.NewPCG(uint64(i), 1))
	for n := i; ctx.Err() == nil; n += writerCount {
		time.Sleep(time.Until(start.Add(time.Duration(float64(n) * float64(time.Second) / w.s.rate))))
		request := []byte(`{"messages":[{"role":"user","content":"` + prose(words, 1450) + `"}]}`)
		response := []byte(`{"choices":[{"message":{"role":"assistant","content":"` + prose(words, 550) + `"}}]}`)
		begun := time.Now()
		err := w.exchange(fmt.Sprintf("exchange-%d", n), caller, request, response)
		w.mu.Lock()
		if err != nil {
			w.failed = err
			w.mu.Unlock()
			return
		}
		w.samples = append(w.samples, time.Since(begun))
		w.mu.Unlock()
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
