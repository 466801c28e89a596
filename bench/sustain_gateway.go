package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sluice/bench/load"
	"sluice/internal/simulate"
)

// spare is the part of full load that is left free when the rate asked for is
// more than the machine holds: closer to full load, waiting grows without bound.
const spare = 0.10

// onGateway puts the whole gateway under load: Envoy, translation, policy, trail
// with both bodies.
func (s *sustaining) onGateway(ctx context.Context, b *bench, r *receivers) error {
	metrics, err := simulate.RefusedAddr()
	if err != nil {
		return err
	}
	g, err := b.startSluice(ctx, b.o.sluice, 1, "metrics_listen: "+metrics+"\n"+s.sinksYAML(r), openAI)
	if err != nil {
		return err
	}
	defer g.close()
	config := b.o.loadOf(g, workloads[0])
	x := &subject{name: "the whole gateway", dir: filepath.Join(g.data, "audit"),
		sinks: func() (sinkState, error) { return scrape(ctx, "http://"+metrics+"/metrics") },
		usage: func() (footprint, error) { return footprintOf(g.roots()) },
		stop: func() error {
			g.close()
			return nil
		}}
	if s.probe > 0 {
		config.Duration = s.probe
		full, err := runLoad(ctx, config, around{})
		if err != nil {
			return fmt.Errorf("full load: %w", err)
		}
		x.extra = full.Requests
		if full.Errors > 0 {
			return fmt.Errorf("full load: %d errors: %s", full.Errors, full.FirstError)
		}
		s.lower(float64(full.Requests) / full.Seconds)
	}
	config.Duration, config.Rate, config.Every = s.duration, s.rate, s.every
	x.drive = func(each func(load.Result) error) (load.Result, error) {
		return runLoad(ctx, config, around{each: each})
	}
	return s.run(ctx, x, r)
}

// lower takes the rate down to what the machine holds, and says so.
func (s *sustaining) lower(full float64) {
	holds := math.Floor(full*(1-spare)/50) * 50
	if holds >= s.rate {
		fmt.Fprintf(s.out, "At full load the gateway reaches %.0f exchanges/s with its sinks: %.0f is %.0f %% of that.\n",
			full, s.rate, 100*s.rate/full)
		return
	}
	fmt.Fprintf(s.out, "**This machine does not hold %.0f exchanges/s**: at full load the gateway reaches %.0f with its sinks, "+
		"load generator, provider, redis-server and collector on the same %d cores. Taken: %.0f.\n",
		s.rate, full, runtime.NumCPU(), max(holds, 50))
	s.rate = max(holds, 50)
}

// scrape reads the state of the sinks from the gateway's metrics.
func scrape(ctx context.Context, url string) (sinkState, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return sinkState{}, fmt.Errorf("making the request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return sinkState{}, fmt.Errorf("reading metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return sinkState{}, fmt.Errorf("reading metrics: status %d", response.StatusCode)
	}
	return parseMetrics(response.Body)
}

// parseMetrics reads Prometheus's text. All that is wanted has to be there.
func parseMetrics(r io.Reader) (out sinkState, err error) {
	into := map[string]*float64{
		`sluice_audit_sink_lag{sink="redis"}`: &out.redis, `sluice_audit_sink_lag{sink="http"}`: &out.http,
		`sluice_audit_sink_errors_total{sink="redis"}`: &out.errors, `sluice_audit_sink_errors_total{sink="http"}`: &out.errors,
		"go_memstats_heap_inuse_bytes": &out.heap,
	}
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		name, text, _ := strings.Cut(scanner.Text(), " ")
		to := into[name]
		if to == nil {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return out, fmt.Errorf("reading %s: %w", name, err)
		}
		*to += value
		delete(into, name)
	}
	if err := scanner.Err(); err != nil {
		return out, fmt.Errorf("reading metrics: %w", err)
	}
	for name := range into {
		return out, fmt.Errorf("reading metrics: %s is missing", name)
	}
	return out, nil
}

// selfUsage is that of this process alone.
func selfUsage() (footprint, error) {
	all, err := readProcesses()
	if err != nil {
		return footprint{}, err
	}
	return footprint{server: all[os.Getpid()].usage}, nil
}
