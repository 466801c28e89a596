package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"sluice/bench/load"
)

// gateway is something that can be measured.
type gateway struct {
	addr       string
	ca         []byte // empty: no TLS
	serverName string
	header     map[string]string
	path       string
	model      string
	data       string       // its data folder, of Sluice
	roots      func() []int // processes whose CPU counts, with their descendants
	close      func()
}

// workload is one kind of request.
type workload struct {
	name   string
	body   func(model string) []byte
	expect string
}

var workloads = []workload{
	{"1.5 KB chat", func(m string) []byte { return chatBody(m, 1500, false) }, `"finish_reason":"stop"`},
	{"64 KB chat", func(m string) []byte { return chatBody(m, 64<<10, false) }, `"finish_reason":"stop"`},
	{"1.5 KB chat, streamed in 20 chunks", func(m string) []byte { return chatBody(m, 1500, true) }, "[DONE]"},
}

// chatBody is a chat request of about size bytes. Without a model none is
// named, as in MLflow's dialect.
func chatBody(model string, size int, stream bool) []byte {
	const sentence = "The miller opens the sluice a little and the wheel begins to turn. "
	request := map[string]any{"temperature": 0.2, "max_tokens": 256, "messages": []map[string]string{
		{"role": "system", "content": "You are a helpful assistant who answers briefly."},
		{"role": "user", "content": strings.Repeat(sentence, size/len(sentence)+1)[:size-200]}}}
	if model != "" {
		request["model"] = model
	}
	if stream {
		request["stream"] = true
	}
	body, err := json.Marshal(request)
	if err != nil {
		panic(fmt.Sprintf("bench: rendering a request: %v", err))
	}
	return body
}

// figures are what one gateway did under one workload.
type figures struct {
	load.Result             // at full load
	steady      load.Result // at the fixed rate
	envoyCPU    float64     // microseconds a request, at full load
	serverCPU   float64
	envoyRSS    int64 // bytes, after full load
	serverRSS   int64
}

// loadOf is full load without end: what has to be added is the times, and the
// rate if there is one.
func (o *options) loadOf(g *gateway, w workload) load.Config {
	return load.Config{Addr: g.addr, CA: g.ca, ServerName: g.serverName, Path: g.path, Header: g.header,
		Body: w.body(g.model), Expect: w.expect, Connections: o.connections}
}

// measure puts a gateway under a workload: full load first, then the fixed rate.
func (o *options) measure(ctx context.Context, g *gateway, w workload) (figures, error) {
	config := o.loadOf(g, w)
	config.Warmup, config.Duration = o.warmup, o.duration
	var out figures
	var before, after footprint
	var err error
	out.Result, err = runLoad(ctx, config, around{before: func() (err error) {
		before, err = footprintOf(g.roots())
		return err
	}, after: func() (err error) {
		after, err = footprintOf(g.roots())
		return err
	}})
	if err != nil {
		return out, fmt.Errorf("full load: %w", err)
	}
	if out.Requests > 0 {
		each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(out.Requests) }
		out.envoyCPU, out.serverCPU = each(after.envoy.cpu-before.envoy.cpu), each(after.server.cpu-before.server.cpu)
	}
	out.envoyRSS, out.serverRSS = after.envoy.rss, after.server.rss
	config.Rate, config.Connections, config.Warmup = o.rate, min(o.connections, 16), min(o.warmup, time.Second)
	if out.steady, err = runLoad(ctx, config, around{}); err != nil {
		return out, fmt.Errorf("fixed rate: %w", err)
	}
	return out, nil
}

// around is what is called right before and after the measured time, and after
// each interval of it (load.Config.Every); nil: nothing.
type around struct {
	before, after func() error
	each          func(load.Result) error
}

// told is what the load generator says once it measures: the figures of an
// interval, or at the end those of the whole time.
type told struct {
	Interval *load.Result
	Total    *load.Result
}

// runLoad runs the load generator in a process of its own.
func runLoad(ctx context.Context, c load.Config, around around) (load.Result, error) {
	var result load.Result
	self, err := os.Executable()
	if err != nil {
		return result, fmt.Errorf("finding this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-role", roleLoad)
	cmd.SysProcAttr = childAttributes()
	var errors strings.Builder
	cmd.Stderr = &errors
	in, err := cmd.StdinPipe()
	if err != nil {
		return result, fmt.Errorf("making a pipe: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result, fmt.Errorf("making a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return result, fmt.Errorf("starting the load generator: %w", err)
	}
	talked := converse(in, out, c, around, &result)
	if err := cmd.Wait(); err != nil {
		return result, fmt.Errorf("load generator: %w: %s", err, errors.String())
	}
	return result, talked
}

func converse(in io.WriteCloser, out io.Reader, c load.Config, around around, result *load.Result) error {
	defer in.Close()
	encoder, decoder := json.NewEncoder(in), json.NewDecoder(out)
	if err := encoder.Encode(c); err != nil {
		return fmt.Errorf("telling the load generator what to do: %w", err)
	}
	var ready string
	if err := decoder.Decode(&ready); err != nil {
		return fmt.Errorf("waiting for the warm-up: %w", err)
	}
	if around.before != nil {
		if err := around.before(); err != nil {
			return err
		}
	}
	if err := encoder.Encode(true); err != nil {
		return fmt.Errorf("starting the measurement: %w", err)
	}
	for {
		var t told
		if err := decoder.Decode(&t); err != nil {
			return fmt.Errorf("reading the result: %w", err)
		}
		if t.Interval != nil && around.each != nil {
			if err := around.each(*t.Interval); err != nil {
				return err
			}
		}
		if t.Total != nil {
			*result = *t.Total
			break
		}
	}
	if around.after != nil {
		return around.after()
	}
	return nil
}
