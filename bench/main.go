// Command bench measures the gateway against its floors, on one machine in one
// run: the provider itself, (a) Envoy alone, (b) Envoy with an ext_proc server
// that only echoes, (c) Sluice, (d) Sluice with 10,000 endpoints, (e) and (f)
// Sluice translating, (g) Sluice with a second target to fall back to, (h) Sluice built to record
// nothing, which shows what the audit trail costs. Provider and
// load generator are processes of their own. The result is Markdown on
// standard output; progress goes to standard error.
//
// Two more commands answer what such a comparison can't: "bench pair" compares
// two of the gateways at rates that both hold, in short slices in turn, and
// "bench sustain" holds a rate for minutes with two sinks behind the trail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"sluice/envoy"
	"sluice/internal/simulate"
)

// The dialects in which Sluice can be called.
const (
	dialectOpenAI = "openai"
	dialectMLflow = "mlflow"
)

type options struct {
	duration, warmup, gap time.Duration
	connections, rounds   int
	rate                  float64
	only, loads           string
	echoBodies            bool
	dialect               string
	envoy, sluice         string
	unrecorded            string
}

func main() {
	args := os.Args[1:]
	if len(args) > 1 && args[0] == "-role" {
		exit(runRole(args[1], args[2:]))
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "":
		exit(compareFloors(ctx, args))
	case "pair":
		exit(comparePair(ctx, args))
	case "sustain":
		exit(sustain(ctx, args))
	}
	exit(fmt.Errorf("unknown command %q: none (the floors), pair or sustain", command))
}

// programs are the flags that say what is measured, over how many connections
// unless told otherwise.
func (o *options) programs(f *flag.FlagSet, connections int) {
	f.StringVar(&o.envoy, "envoy", "", "Envoy binary of the pinned version (default: found)")
	f.StringVar(&o.sluice, "sluice", filepath.Join("bin", "sluice"), "Sluice binary")
	f.StringVar(&o.unrecorded, "unrecorded", filepath.Join("bin", "sluice-unrecorded"), "Sluice binary built with the tag unrecorded")
	f.StringVar(&o.dialect, "dialect", dialectOpenAI, "how Sluice is called: openai or mlflow")
	f.BoolVar(&o.echoBodies, "echo-bodies", false, "the echo server sends both bodies back, as a gateway that changes them")
	f.DurationVar(&o.gap, "gap", 2*time.Millisecond, "provider's pause between the chunks of a stream")
	f.IntVar(&o.connections, "connections", connections, "connections of the load generator")
}

// compareFloors measures each gateway in turn.
func compareFloors(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	o.programs(f, 32)
	f.DurationVar(&o.duration, "duration", 8*time.Second, "measured time of each load")
	f.DurationVar(&o.warmup, "warmup", 2*time.Second, "load before the measured time")
	f.IntVar(&o.rounds, "rounds", 1, "rounds over everything; medians are printed")
	f.Float64Var(&o.rate, "rate", 100, "requests/s at the fixed rate, where added latency is measured")
	f.StringVar(&o.only, "only", "a,b,c,d,e,f,g,h", "gateways to measure, besides the provider itself")
	f.StringVar(&o.loads, "loads", "1,2,3", "workloads: 1.5 KB, 64 KB, streamed")
	if err := parse(f, args); err != nil {
		return err
	}
	return withBench(ctx, &o, func(b *bench) error { return b.compare(ctx) })
}

// parse reads flags that leave no argument over.
func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no flag of this command", f.Arg(0))
	}
	return nil
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run: the provider, the certificate and a folder for the rest.
type bench struct {
	o                 *options
	dir               string
	ca                *simulate.CA
	certFile, keyFile string
	providerAddr      string
}

// contender is a gateway that can be started.
type contender struct {
	key, name string
	start     func(*bench, context.Context) (*gateway, error)
}

var contenders = []contender{
	{"", "no gateway", (*bench).direct},
	{"a", "(a) Envoy alone", (*bench).envoyAlone},
	{"b", "(b) Envoy with echo server", (*bench).envoyEcho},
	{"c", "(c) Sluice", (*bench).sluice},
	{"d", "(d) Sluice, 10,000 endpoints", (*bench).sluiceMany},
	{"e", "(e) Sluice, OpenAI client → Anthropic", (*bench).sluiceAnthropic},
	{"f", "(f) Sluice, OpenAI client → Bedrock", (*bench).sluiceBedrock},
	{"g", "(g) Sluice, two targets", (*bench).sluiceTwo},
	{"h", "(h) Sluice that records nothing", (*bench).sluiceUnrecorded},
}

// withBench runs do with what every measurement needs, and ends that afterwards.
func withBench(ctx context.Context, o *options, do func(*bench) error) error {
	found, err := envoy.Find(o.envoy)
	if err != nil {
		return err
	}
	o.envoy = found
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{o: o, dir: dir}
	if b.ca, err = simulate.NewCA(time.Now()); err != nil {
		return err
	}
	if b.certFile, b.keyFile, err = b.ca.IssueFiles(dir, serverName, "127.0.0.1"); err != nil {
		return err
	}
	provider, addr, err := startRole(ctx, roleProvider, o.gap.String())
	if err != nil {
		return err
	}
	defer provider.stop()
	b.providerAddr = addr
	return do(b)
}

// compare measures each gateway under each workload and prints the report. A
// gateway that can't be measured is reported as an error after the rest.
func (b *bench) compare(ctx context.Context) error {
	var results report
	var failures []error
	before := loadAverage()
	for round := range b.o.rounds {
		for _, c := range contenders {
			if c.key != "" && !slices.Contains(strings.Split(b.o.only, ","), c.key) {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, b.o.rounds, c.name)
			if err := b.contend(ctx, c, &results); err != nil {
				failures = append(failures, fmt.Errorf("%s: %w", c.name, err))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	fmt.Printf("%d CPUs (load average %s before) shared by load generator, gateway and provider; %s; "+
		"%d connections at full load (requests/s, p50, p99, CPU, RSS), %.0f requests/s for added latency; median of %d round(s) of %s.\n\n",
		runtime.NumCPU(), before, runtime.Version(), b.o.connections, b.o.rate, b.o.rounds, b.o.duration)
	if err := results.write(os.Stdout, workloads); err != nil {
		return err
	}
	return errors.Join(failures...)
}

// loadAverage is that of the last minute: other work on the machine makes every
// figure worse, not all of them equally.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(raw), " ")
	return minute
}

func (b *bench) contend(ctx context.Context, c contender, results *report) error {
	g, err := c.start(b, ctx)
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	defer g.close()
	for i, w := range workloads {
		if !slices.Contains(strings.Split(b.o.loads, ","), fmt.Sprint(i+1)) {
			continue
		}
		f, err := b.o.measure(ctx, g, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		for _, r := range []string{f.FirstError, f.steady.FirstError} {
			if r != "" {
				fmt.Fprintf(os.Stderr, "%s, %s: %s\n", c.name, w.name, r)
			}
		}
		results.add(w.name, c.name, f)
	}
	return nil
}
