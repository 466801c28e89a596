package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/bench/load"
)

// pairing is what comparePair is asked for.
type pairing struct {
	of           string // keys of two contenders
	fractions    string // of what the first reaches at full load
	rates        string // requests/s, in place of fractions
	slice, calm  time.Duration
	slices, load int
	probe        time.Duration
}

// comparePair measures two gateways at rates that both hold. At full load a
// gateway that takes more CPU also has another rate, so its latency says nothing
// about what a call waits for. Both run all the time and are called in short
// slices in the order A B B A, so that whatever else the machine does hits both.
func comparePair(ctx context.Context, args []string) error {
	var o options
	var p pairing
	f := flag.NewFlagSet("bench pair", flag.ExitOnError)
	o.programs(f, 64)
	f.StringVar(&p.of, "of", "c,h", "the two gateways")
	f.StringVar(&p.fractions, "fractions", "0.4,0.7", "rates, as fractions of what the first of the two reaches at full load")
	f.StringVar(&p.rates, "rates", "", "rates in requests/s, in place of -fractions")
	f.DurationVar(&p.slice, "slice", 5*time.Second, "measured time of a slice")
	f.DurationVar(&p.calm, "calm", 500*time.Millisecond, "load before the measured time of each slice")
	f.IntVar(&p.slices, "slices", 28, "slices at each rate, both gateways together; a multiple of 4")
	f.IntVar(&p.load, "load", 1, "workload: 1 is 1.5 KB, 2 is 64 KB, 3 is streamed")
	f.DurationVar(&p.probe, "probe", 6*time.Second, "time at full load, to find the rates")
	if err := parse(f, args); err != nil {
		return err
	}
	return withBench(ctx, &o, func(b *bench) error { return b.pair(ctx, &p) })
}

func (b *bench) pair(ctx context.Context, p *pairing) error {
	chosen, err := p.contenders()
	if err != nil {
		return err
	}
	var gateways [2]*gateway
	for i, c := range chosen {
		if gateways[i], err = c.start(b, ctx); err != nil {
			return fmt.Errorf("starting %s: %w", c.name, err)
		}
		defer gateways[i].close()
	}
	before := loadAverage()
	rates, err := b.ratesOf(ctx, p, gateways)
	if err != nil {
		return err
	}
	fmt.Printf("A is %s, B is %s; %s. Slices of %s in the order A B B A, open loop over %d connections. "+
		"%d CPUs (load average %s before) shared by load generator, gateways and provider; %s.\n\n",
		chosen[0].name, chosen[1].name, workloads[p.load-1].name, p.slice, b.o.connections,
		runtime.NumCPU(), before, runtime.Version())
	for _, rate := range rates {
		slices, err := b.alternate(ctx, p, gateways, rate)
		if err != nil {
			return err
		}
		fmt.Printf("### %.0f requests/s\n\n%s\n", rate, pairReport(slices, rate))
	}
	return nil
}

func (p *pairing) contenders() (out [2]contender, err error) {
	keys := strings.Split(p.of, ",")
	if len(keys) != 2 {
		return out, fmt.Errorf("-of is two letters, as in c,h, not %q", p.of)
	}
	if p.slices < 4 || p.slices%4 != 0 {
		return out, fmt.Errorf("-slices is a multiple of 4, not %d: they come as A B B A", p.slices)
	}
	if p.load < 1 || p.load > len(workloads) {
		return out, fmt.Errorf("-load is 1 to %d, not %d", len(workloads), p.load)
	}
	for i, key := range keys {
		at := slices.IndexFunc(contenders, func(c contender) bool { return c.key == key && key != "" })
		if at < 0 {
			return out, fmt.Errorf("there is no gateway %q", key)
		}
		out[i] = contenders[at]
	}
	return out, nil
}

// ratesOf returns the rates that were asked for. As fractions they are of what
// the first gateway reaches now; the second is put under full load for as long,
// so that both are warm.
func (b *bench) ratesOf(ctx context.Context, p *pairing, gateways [2]*gateway) ([]float64, error) {
	list, base := p.rates, 1.0
	if list == "" {
		list = p.fractions
		for i, g := range gateways {
			config := b.o.loadOf(g, workloads[p.load-1])
			config.Warmup, config.Duration = time.Second, p.probe
			result, err := runLoad(ctx, config, around{})
			if err != nil {
				return nil, fmt.Errorf("full load: %w", err)
			}
			reached := float64(result.Requests) / result.Seconds
			fmt.Fprintf(os.Stderr, "%s reaches %.0f requests/s at full load\n", "AB"[i:i+1], reached)
			if i == 0 {
				base = reached
			}
		}
	}
	var out []float64
	for _, text := range strings.Split(list, ",") {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || rate <= 0 {
			return nil, fmt.Errorf("%q is no rate", text)
		}
		out = append(out, rate*base)
	}
	return out, nil
}

// sliced is one slice of one gateway.
type sliced struct {
	load.Result
	server, envoy float64 // CPU in microseconds a request
	rss           float64 // of the server afterwards, in MB
}

// alternate calls both gateways in turn and returns the slices of each; those
// with the same index were measured one after the other.
func (b *bench) alternate(ctx context.Context, p *pairing, gateways [2]*gateway, rate float64) (out [2][]sliced, err error) {
	for i := range p.slices {
		which := abba(i)
		s, err := b.oneSlice(ctx, p, gateways[which], rate)
		if err != nil {
			return out, fmt.Errorf("slice %d: %w", i+1, err)
		}
		out[which] = append(out[which], s)
		fmt.Fprintf(os.Stderr, "%.0f requests/s, slice %d of %d, %s: p50 %.2f p99 %.2f ms\n",
			rate, i+1, p.slices, "AB"[which:which+1], s.P50, s.P99)
	}
	return out, nil
}

// abba is who has the slice: 0 1 1 0 0 1 1 0 …
func abba(i int) int { return (i + 1) / 2 % 2 }

func (b *bench) oneSlice(ctx context.Context, p *pairing, g *gateway, rate float64) (sliced, error) {
	config := b.o.loadOf(g, workloads[p.load-1])
	config.Warmup, config.Duration, config.Rate = p.calm, p.slice, rate
	var out sliced
	var before, after footprint
	measure := func(to *footprint) func() error {
		return func() (err error) {
			*to, err = footprintOf(g.roots())
			return err
		}
	}
	var err error
	if out.Result, err = runLoad(ctx, config, around{before: measure(&before), after: measure(&after)}); err != nil {
		return out, err
	}
	if out.Requests == 0 {
		return out, errors.New("no right answer: " + out.FirstError)
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(out.Requests) }
	out.rss = float64(after.server.rss) / 1e6
	out.server, out.envoy = each(after.server.cpu-before.server.cpu), each(after.envoy.cpu-before.envoy.cpu)
	return out, nil
}
