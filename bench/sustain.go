package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"sluice/bench/load"
	"sluice/internal/audit"
)

// sustaining is what sustain is asked for.
type sustaining struct {
	rate            float64
	duration, every time.Duration
	probe           time.Duration
	trail           bool
	compress        string
	maxLength       int
	out             io.Writer // the lines and the summary
}

// sustain holds a rate for minutes, with two sinks behind the trail: a Redis
// stream on a real redis-server, and HTTP to a collector, each a process. It
// prints a line every interval, and at the end whether the sinks kept up, memory
// stayed where it was, and every answer has its record, once, everywhere.
func sustain(ctx context.Context, args []string) error {
	var o options
	s := sustaining{out: os.Stdout}
	f := flag.NewFlagSet("bench sustain", flag.ExitOnError)
	o.programs(f, 128)
	f.Float64Var(&s.rate, "rate", 3000, "exchanges/s")
	f.DurationVar(&s.duration, "duration", 10*time.Minute, "how long")
	f.DurationVar(&s.every, "every", 30*time.Second, "between two lines of figures")
	f.DurationVar(&s.probe, "probe", 10*time.Second,
		"time at full load before; a machine that can't reach the rate is given the highest that holds. 0: take -rate as it is")
	f.BoolVar(&s.trail, "trail", false, "the trail and its sinks alone, in this process, without Envoy and translation")
	f.StringVar(&s.compress, "compress", "none", "of the sink over HTTP: none or gzip")
	f.IntVar(&s.maxLength, "max-length", 20_000, "entries that stay in the Redis stream")
	if err := parse(f, args); err != nil {
		return err
	}
	if s.rate <= 0 || s.every <= 0 || s.duration < s.every {
		return errors.New("-rate and -every must be positive, and -duration not below -every")
	}
	if s.trail {
		return s.withReceivers(ctx, func(r *receivers) error { return s.onTrail(ctx, r) })
	}
	return withBench(ctx, &o, func(b *bench) error {
		return s.withReceivers(ctx, func(r *receivers) error { return s.onGateway(ctx, b, r) })
	})
}

// sinksYAML configures both sinks.
func (s *sustaining) sinksYAML(r *receivers) string {
	return fmt.Sprintf(`audit:
  sinks:
    - { name: redis, type: redis, start: oldest, addresses: [%q], max_length: %d }
    - { name: http, type: http, start: oldest, url: %q, compress: %s }
`, r.redisAddr, s.maxLength, r.collectorURL, s.compress)
}

// subject is what is put under load.
type subject struct {
	name  string
	dir   string // of the trail
	drive func(each func(load.Result) error) (load.Result, error)
	sinks func() (sinkState, error)
	usage func() (footprint, error)
	stop  func() error // in order, so that the trail can be verified; may be called again
	extra int          // right answers before the measured time
}

// sinkState is how far behind the sinks are, in sequences of the trail.
type sinkState struct {
	redis, http float64
	errors      float64 // tries of both that failed
	heap        float64 // bytes in use of the program's heap
}

// run loads the subject, prints lines, and sums up.
func (s *sustaining) run(ctx context.Context, x *subject, r *receivers) error {
	before, cpu := loadAverage(), time.Now()
	used, err := x.usage()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %.0f exchanges/s for %s (load average %s before)\n\n%s", x.name, s.rate, s.duration, before, readingHead)
	w := watchSinks(ctx, x.sinks)
	defer w.stop()
	var readings []reading
	start := time.Now()
	total, err := x.drive(func(part load.Result) error {
		now, err := x.usage()
		if err != nil {
			return err
		}
		took := time.Since(cpu)
		next := reading{at: time.Since(start), Result: part, sinkState: w.worst(), redisRSS: r.redisRSS(),
			gateway: now.server.since(used.server, took), envoy: now.envoy.since(used.envoy, took)}
		used, cpu = now, time.Now()
		if part.Seconds < s.every.Seconds()/2 {
			return nil // what was left at the end is in the whole
		}
		readings = append(readings, next)
		fmt.Fprint(s.out, next.line())
		return nil
	})
	if err != nil {
		return err
	}
	if total.Errors > 0 {
		fmt.Fprintln(os.Stderr, "the first error:", total.FirstError)
	}
	caughtUp, err := s.catchUp(ctx, x)
	if err != nil {
		return err
	}
	if err := x.stop(); err != nil {
		return err
	}
	report, err := audit.VerifyDirWith(ctx, x.dir, audit.VerifyOptions{})
	if err != nil {
		return err
	}
	proof, err := r.proof(ctx)
	if err != nil {
		return err
	}
	proof.answers, proof.wrong = total.Requests+x.extra, total.Errors
	proof.exchanges, proof.events, proof.whole = report.Exchanges, report.Events, report.Err()
	fmt.Fprint(s.out, "\n"+summarize(readings, s.rate, total, caughtUp, proof).text())
	return proof.err()
}

// catchUpTime is how long the sinks have to send what is left.
const catchUpTime = 10 * time.Minute

// catchUp returns how long the sinks took to send what was left at the end.
func (s *sustaining) catchUp(ctx context.Context, x *subject) (time.Duration, error) {
	start := time.Now()
	for {
		state, err := x.sinks()
		if err != nil {
			return 0, err
		}
		if state.redis == 0 && state.http == 0 {
			return time.Since(start), nil
		}
		if time.Since(start) > catchUpTime {
			return 0, fmt.Errorf("the sinks did not catch up in %s: redis is %.0f behind, http %.0f", catchUpTime, state.redis, state.http)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// since is what was used since an earlier time: the difference of CPU as cores.
func (u usage) since(before usage, took time.Duration) drawn {
	return drawn{cores: (u.cpu - before.cpu).Seconds() / took.Seconds(), rss: u.rss}
}

// drawn is what a process takes.
type drawn struct {
	cores float64
	rss   int64
}

// sinkWatch looks at the sinks every second and keeps the worst.
type sinkWatch struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex // guards the following field
	seen sinkState
}

func watchSinks(ctx context.Context, look func() (sinkState, error)) *sinkWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &sinkWatch{cancel: cancel}
	w.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now, err := look(); err == nil { // else the next one tells
				w.add(now)
			}
		}
	})
	return w
}

func (w *sinkWatch) add(now sinkState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = sinkState{max(w.seen.redis, now.redis), max(w.seen.http, now.http), max(w.seen.errors, now.errors), now.heap}
}

// worst returns the worst since the last call. Errors and heap are the newest.
func (w *sinkWatch) worst() sinkState {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen.redis, w.seen.http = 0, 0
	return out
}

func (w *sinkWatch) stop() {
	w.cancel()
	w.done.Wait()
}
