package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/bench/load"
)

// TestSummary: what counts as held, bounded and flat.
func TestSummary(t *testing.T) {
	const n = 20
	series := func(change func(i int, r *reading)) []reading {
		out := make([]reading, n)
		for i := range out {
			out[i] = reading{Result: load.Result{Requests: 30_000, Seconds: 30}, sinkState: sinkState{redis: 1000, http: 900},
				gateway: drawn{rss: 100e6}, envoy: drawn{rss: 80e6}}
			change(i, &out[i])
		}
		return out
	}
	whole := load.Result{Requests: 600_000, Seconds: 600}
	for name, c := range map[string]struct {
		readings            []reading
		total               load.Result
		held, bounded, flat bool
	}{
		"steady": {series(func(int, *reading) {}), whole, true, true, true},
		"spikes of a lag are no growth": {series(func(i int, r *reading) {
			if i%7 == 6 {
				r.redis = 46_000
			}
		}), whole, true, true, true},
		"a lag that grows":           {series(func(i int, r *reading) { r.http = float64(i) * 2000 }), whole, true, false, true},
		"memory that grows":          {series(func(i int, r *reading) { r.gateway.rss = 100e6 + int64(i)*3e6 }), whole, true, true, false},
		"memory of Envoy that grows": {series(func(i int, r *reading) { r.envoy.rss = 80e6 + int64(i)*3e6 }), whole, true, true, false},
		"memory that settled": {series(func(i int, r *reading) {
			if i < n/4 {
				r.gateway.rss = 50e6
			}
		}), whole, true, true, true},
		"too slow": {series(func(int, *reading) {}), load.Result{Requests: 590_000, Seconds: 600}, false, true, true},
		"an error": {series(func(int, *reading) {}), load.Result{Requests: 599_999, Seconds: 600, Errors: 1}, false, true, true},
		"too few":  {series(func(int, *reading) {})[:3], whole, true, false, false},
		"none":     {nil, whole, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := summarize(c.readings, 1000, c.total, time.Second, proof{})
			require.Equal(t, []bool{c.held, c.bounded, c.flat}, []bool{s.held, s.bounded, s.flat})
			require.Equal(t, !c.held, strings.Contains(s.text(), "Rate held: **no**"))
			if few := len(c.readings) < fewest; few {
				require.Equal(t, 2, strings.Count(s.text(), "too few lines to tell"))
			} else {
				require.Equal(t, !c.bounded, strings.Contains(s.text(), "Lag bounded: **no**"))
				require.Equal(t, !c.flat, strings.Contains(s.text(), "Memory flat: **no**"))
			}
		})
	}
}

func TestTrend(t *testing.T) {
	var readings []reading
	for i := range 8 {
		readings = append(readings, reading{sinkState: sinkState{redis: float64(i)}})
	}
	readings[3].redis = 99
	of := func(r reading) float64 { return r.redis }
	require.Equal(t, trend{early: 50.5, late: 6.5, highest: 99, end: 7}, trendOf(readings, of))
	require.Equal(t, trend{}, trendOf(nil, of))
}

// TestProof: each way in which something is missing or twice is told.
func TestProof(t *testing.T) {
	good := proof{answers: 100, exchanges: 100, events: 5, redisAdded: 104, collected: collected{Records: 104, Exchanges: 100}}
	require.NoError(t, good.err())
	require.Contains(t, good.text(), "Every answer has its record")
	for want, change := range map[string]func(*proof){
		"100 answers and 0 errors have 99 records": func(p *proof) { p.exchanges, p.collected.Exchanges = 99, 99 },
		"100 answers and 2 errors have 103":        func(p *proof) { p.wrong, p.exchanges = 2, 103 },
		"the collector has 99 of 100 exchanges":    func(p *proof) { p.collected.Exchanges = 99 },
		"1 records twice":                          func(p *proof) { p.collected.Twice = 1 },
		"1 lines without an id":                    func(p *proof) { p.collected.Bad = 1 },
		"the stream has got 103 records":           func(p *proof) { p.redisAdded = 103 },
		"not whole":                                func(p *proof) { p.whole = errors.New("not whole") },
	} {
		p := good
		change(&p)
		require.ErrorContains(t, p.err(), want)
		require.NotContains(t, p.text(), "Every answer has its record")
	}
	with := good
	with.wrong, with.exchanges, with.collected.Exchanges = 2, 101, 101
	require.NoError(t, with.err(), "an error may have a record or none")
}

func TestLowerRate(t *testing.T) {
	for name, c := range map[string]struct{ asked, full, want float64 }{
		"it holds":             {3000, 4020, 3000},
		"just so":              {3000, 3350, 3000},
		"too close to the end": {3000, 3300, 2950},
		"far from it":          {3000, 1150, 1000},
		"next to nothing":      {3000, 10, 50},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			s := sustaining{rate: c.asked, out: &out}
			s.lower(c.full)
			require.Equal(t, c.want, s.rate)
			require.Equal(t, c.want != c.asked, strings.Contains(out.String(), "**This machine does not hold 3000 exchanges/s**"))
		})
	}
}

func TestParseMetrics(t *testing.T) {
	text := `# HELP go_memstats_heap_inuse_bytes x
go_memstats_heap_inuse_bytes 5.2e+07
sluice_audit_sink_lag{sink="http"} 12
sluice_audit_sink_lag{sink="redis"} 1.5e+03
sluice_audit_sink_errors_total{sink="http"} 2
sluice_audit_sink_errors_total{sink="redis"} 3
other{sink="redis"} x
`
	state, err := parseMetrics(strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, sinkState{redis: 1500, http: 12, errors: 5, heap: 52e6}, state)
	_, err = parseMetrics(strings.NewReader(strings.Replace(text, `sink_lag{sink="http"}`, `sink_lag{sink="other"}`, 1)))
	require.ErrorContains(t, err, `sluice_audit_sink_lag{sink="http"} is missing`)
	_, err = parseMetrics(strings.NewReader(strings.Replace(text, "} 12", "} twelve", 1)))
	require.ErrorContains(t, err, `reading sluice_audit_sink_lag{sink="http"}`)
}

// TestCollector counts each id once, plain and packed, however long the line.
func TestCollector(t *testing.T) {
	c := &collector{}
	line := func(sequence int, rest string) string {
		return fmt.Sprintf(`{"schemaVersion":1,"eventKind":"x","recordId":"0123456789abcdef-%d"%s}`+"\n", sequence, rest)
	}
	exchange := func(sequence int) string { return line(sequence, `,"exchange":{"a":1}`) }
	post := func(body, encoding string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
	}
	post(exchange(2)+exchange(4)+line(5, "")+line(70_000, `,"exchange":{"body":"`+strings.Repeat("x", 200_000)+`"}`), "")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(exchange(4) + exchange(6) + "{}\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	post(packed.String(), "gzip")

	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	var got collected
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Positive(t, got.Bytes)
	got.Bytes = 0
	require.Equal(t, collected{Records: 5, Exchanges: 4, Twice: 1, Bad: 1}, got)

	w = httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("no gzip"))
	r.Header.Set("Content-Encoding", "gzip")
	c.ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code)
}

// TestSustainOnTheTrail runs the whole of it, small: real trail, real redis-server,
// collector in its own process.
func TestSustainOnTheTrail(t *testing.T) {
	var out strings.Builder
	s := sustaining{rate: 200, duration: 1200 * time.Millisecond, every: 200 * time.Millisecond, trail: true, compress: "gzip", maxLength: 1000,
		out: &out}
	require.NoError(t, s.withReceivers(t.Context(), func(r *receivers) error { return s.onTrail(t.Context(), r) }))
	require.Contains(t, out.String(), "Every answer has its record")
	require.Contains(t, out.String(), readingHead)
}

// TestSustainThroughTheGateway needs the program that SLUICE_BIN names, as in
// `make test`.
func TestSustainThroughTheGateway(t *testing.T) {
	program := os.Getenv("SLUICE_BIN")
	if program == "" {
		t.Skip("SLUICE_BIN names no sluice")
	}
	var out strings.Builder
	s := sustaining{rate: 50, duration: 2 * time.Second, every: 500 * time.Millisecond, probe: 500 * time.Millisecond, compress: "none",
		maxLength: 1000, out: &out}
	o := options{sluice: program, envoy: os.Getenv("ENVOY_BIN"), dialect: dialectOpenAI, connections: 4, gap: time.Millisecond}
	require.NoError(t, withBench(t.Context(), &o, func(b *bench) error {
		return s.withReceivers(t.Context(), func(r *receivers) error { return s.onGateway(t.Context(), b, r) })
	}), out.String())
	require.Contains(t, out.String(), "Every answer has its record")
}
