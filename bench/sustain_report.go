package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/bench/load"
)

// reading is what one interval showed. The lags are the worst of its seconds.
type reading struct {
	at time.Duration // since the start
	load.Result
	sinkState
	gateway, envoy drawn
	redisRSS       int64
}

const readingHead = "| second | exchanges/s | p50 ms | p99 ms | errors | lag of redis | lag of http | failed tries of sinks | " +
	"MB gateway | MB Go heap | MB Envoy | MB Redis | cores gateway | cores Envoy |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"

func (r reading) line() string {
	return fmt.Sprintf("| %.0f | %.0f | %.2f | %.2f | %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f |\n",
		r.at.Seconds(), r.rate(), r.P50, r.P99, r.Errors, r.redis, r.http, r.sinkState.errors,
		megabytes(r.gateway), r.heap/1e6, megabytes(r.envoy), float64(r.redisRSS)/1e6, r.gateway.cores, r.envoy.cores)
}

func (r reading) rate() float64 { return float64(r.Requests) / r.Seconds }

func megabytes(d drawn) float64 { return float64(d.rss) / 1e6 }

// trend is how a figure went over the readings: medians of the second and the
// last quarter, so that neither the start nor a spike decides, and its highest.
type trend struct{ early, late, highest, end float64 }

func trendOf(readings []reading, of func(reading) float64) trend {
	var values []float64
	var out trend
	for _, r := range readings {
		v := of(r)
		values, out.highest, out.end = append(values, v), max(out.highest, v), v
	}
	quarter := len(values) / 4
	out.early, out.late = medianOf(values[quarter:2*quarter]), medianOf(values[len(values)-quarter:])
	return out
}

// fewest readings that tell a trend: four quarters of one.
const fewest = 4

// What may change from the second quarter to the last and still counts as the
// same: memory by a tenth, a lag by what comes in two seconds.
const (
	memoryGrowth = 1.10
	lagSeconds   = 2
)

// summary is what the readings say together.
type summary struct {
	asked, reached, slowest float64 // exchanges/s
	total                   load.Result
	redis, http             trend
	gateway, heap, envoy    trend
	caughtUp                time.Duration
	readings                int
	held, bounded, flat     bool
	proof                   proof
}

// summarize draws the conclusions. The lag is bounded and memory flat if their
// late values are not above the early ones by more than the limits.
func summarize(readings []reading, asked float64, total load.Result, caughtUp time.Duration, p proof) summary {
	s := summary{asked: asked, reached: float64(total.Requests) / total.Seconds, total: total, caughtUp: caughtUp,
		readings: len(readings), proof: p,
		redis:   trendOf(readings, func(r reading) float64 { return r.redis }),
		http:    trendOf(readings, func(r reading) float64 { return r.http }),
		gateway: trendOf(readings, func(r reading) float64 { return megabytes(r.gateway) }),
		envoy:   trendOf(readings, func(r reading) float64 { return megabytes(r.envoy) }),
		heap:    trendOf(readings, func(r reading) float64 { return r.heap / 1e6 })}
	for i, r := range readings {
		if i == 0 || r.rate() < s.slowest {
			s.slowest = r.rate()
		}
	}
	steady := func(t trend) bool { return t.late <= t.early+2*lagSeconds*asked } // an exchange is two sequences
	same := func(t trend) bool { return t.late <= t.early*memoryGrowth }
	s.held = s.reached >= 0.99*asked && total.Errors == 0
	s.bounded = len(readings) >= fewest && steady(s.redis) && steady(s.http)
	s.flat = len(readings) >= fewest && same(s.gateway) && same(s.envoy)
	return s
}

// text is the summary as Markdown.
func (s summary) text() string {
	var b strings.Builder
	verdict := func(ok bool) string {
		switch {
		case s.readings < fewest:
			return "too few lines to tell"
		case ok:
			return "yes"
		}
		return "**no**"
	}
	held := "yes"
	if !s.held {
		held = "**no**"
	}
	fmt.Fprintf(&b, "- Rate held: %s. %.0f exchanges/s of %.0f, slowest interval %.0f, errors %d; p50 %.2f, p99 %.2f, p99.9 %.2f ms.\n",
		held, s.reached, s.asked, s.slowest, s.total.Errors, s.total.P50, s.total.P99, s.total.P999)
	lag := func(name string, t trend) string {
		return fmt.Sprintf("%s %.0f → %.0f (highest %.0f, last %.0f)", name, t.early, t.late, t.highest, t.end)
	}
	fmt.Fprintf(&b, "- Lag bounded: %s. In sequences, second quarter → last: %s; %s. After the end all was sent in %.1f s.\n",
		verdict(s.bounded), lag("redis", s.redis), lag("http", s.http), s.caughtUp.Seconds())
	size := func(name string, t trend) string {
		return fmt.Sprintf("%s %.0f → %.0f (highest %.0f)", name, t.early, t.late, t.highest)
	}
	fmt.Fprintf(&b, "- Memory flat: %s. MB, second quarter → last: %s; %s; %s.\n", verdict(s.flat),
		size("gateway", s.gateway), size("of it Go heap", s.heap), size("Envoy", s.envoy))
	b.WriteString(s.proof.text())
	return b.String()
}

// proof is what is where after the end.
type proof struct {
	answers, wrong          int   // of the load generator
	exchanges, events       int64 // in the trail
	whole                   error // what verifying it said
	collected               collected
	redisAdded, redisLength int64 // entries that were ever added to the stream, and that are in it
}

func (p proof) text() string {
	var b strings.Builder
	verified := "verified"
	if p.whole != nil {
		verified = "**" + p.whole.Error() + "**"
	}
	fmt.Fprintf(&b, "- Answers: %d and %d errors. Trail: %d exchanges, %d events, %s. HTTP: %d exchanges, %d records, %d twice, %d MB. "+
		"Redis: %d entries added, %d kept.\n", p.answers, p.wrong, p.exchanges, p.events, verified,
		p.collected.Exchanges, p.collected.Records, p.collected.Twice, p.collected.Bytes/1e6, p.redisAdded, p.redisLength)
	if err := p.err(); err != nil {
		fmt.Fprintf(&b, "- **%v**\n", err)
	} else {
		b.WriteString("- Every answer has its record, each once in the trail, at the collector and in Redis.\n")
	}
	return b.String()
}

// err says what does not fit together. A wrong answer may have a record or none.
func (p proof) err() error {
	var wrong []error
	if p.whole != nil {
		wrong = append(wrong, p.whole)
	}
	if n := p.exchanges - int64(p.answers); n < 0 || n > int64(p.wrong) {
		wrong = append(wrong, fmt.Errorf("%d answers and %d errors have %d records", p.answers, p.wrong, p.exchanges))
	}
	if p.collected.Exchanges != p.exchanges {
		wrong = append(wrong, fmt.Errorf("the collector has %d of %d exchanges", p.collected.Exchanges, p.exchanges))
	}
	if p.collected.Twice+p.collected.Bad > 0 {
		wrong = append(wrong, fmt.Errorf("the collector got %d records twice and %d lines without an id", p.collected.Twice, p.collected.Bad))
	}
	if p.redisAdded != p.collected.Records {
		wrong = append(wrong, fmt.Errorf("the stream has got %d records, the collector %d", p.redisAdded, p.collected.Records))
	}
	return errors.Join(wrong...)
}
