package main

import (
	"fmt"
	"io"
	"slices"

	"sluice/bench/load"
)

// report collects figures by workload and gateway, over rounds.
type report struct {
	gateways []string
	rows     map[string]map[string][]figures // by workload, then by gateway's name
}

func (r *report) add(workload, gateway string, f figures) {
	if r.rows == nil {
		r.rows = map[string]map[string][]figures{}
	}
	if r.rows[workload] == nil {
		r.rows[workload] = map[string][]figures{}
	}
	if !slices.Contains(r.gateways, gateway) {
		r.gateways = append(r.gateways, gateway)
	}
	r.rows[workload][gateway] = append(r.rows[workload][gateway], f)
}

// write prints one Markdown table for each workload. Latencies are added to
// those of the first gateway, the provider itself, at the fixed rate.
func (r *report) write(out io.Writer, workloads []workload) error {
	for _, w := range workloads {
		rows := r.rows[w.name]
		if len(rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "### %s\n\n"+tableHead, w.name); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
		base := median(rows[r.gateways[0]])
		for _, name := range r.gateways {
			if rows[name] == nil {
				continue
			}
			if _, err := io.WriteString(out, row(name, median(rows[name]), base)); err != nil {
				return fmt.Errorf("printing the report: %w", err)
			}
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
	}
	return nil
}

const tableHead = "| gateway | requests/s | p50 ms | p99 ms | added p50 ms | added p99 ms | added first byte p50 ms | " +
	"CPU µs Envoy | CPU µs server | CPU µs | RSS MB Envoy | RSS MB server | errors |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"

func row(name string, f, base figures) string {
	return fmt.Sprintf("| %s | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f | %.0f | %.0f | %.0f | %d |\n",
		name, float64(f.Requests)/f.Seconds, f.P50, f.P99,
		f.steady.P50-base.steady.P50, f.steady.P99-base.steady.P99, f.steady.First50-base.steady.First50,
		f.envoyCPU, f.serverCPU, f.envoyCPU+f.serverCPU,
		float64(f.envoyRSS)/1e6, float64(f.serverRSS)/1e6, f.Errors+f.steady.Errors)
}

// median takes each figure's median over the rounds; errors are added up.
func median(rounds []figures) figures {
	if len(rounds) == 0 {
		return figures{}
	}
	out := figures{Result: medianResult(rounds, func(f figures) load.Result { return f.Result }),
		steady: medianResult(rounds, func(f figures) load.Result { return f.steady })}
	out.envoyCPU = middle(rounds, func(f figures) float64 { return f.envoyCPU })
	out.serverCPU = middle(rounds, func(f figures) float64 { return f.serverCPU })
	out.envoyRSS = int64(middle(rounds, func(f figures) float64 { return float64(f.envoyRSS) }))
	out.serverRSS = int64(middle(rounds, func(f figures) float64 { return float64(f.serverRSS) }))
	return out
}

func medianResult(rounds []figures, of func(figures) load.Result) load.Result {
	pick := func(field func(load.Result) float64) float64 {
		return middle(rounds, func(f figures) float64 { return field(of(f)) })
	}
	out := load.Result{
		Requests: int(pick(func(r load.Result) float64 { return float64(r.Requests) })),
		Seconds:  pick(func(r load.Result) float64 { return r.Seconds }),
		P50:      pick(func(r load.Result) float64 { return r.P50 }),
		P99:      pick(func(r load.Result) float64 { return r.P99 }),
		First50:  pick(func(r load.Result) float64 { return r.First50 }),
		First99:  pick(func(r load.Result) float64 { return r.First99 }),
	}
	for _, f := range rounds {
		out.Errors += of(f).Errors
	}
	return out
}

func middle(rounds []figures, of func(figures) float64) float64 {
	values := make([]float64, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	return medianOf(values)
}
