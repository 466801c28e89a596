package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// pairReport is the comparison as a Markdown table: medians over the slices of
// each, and the median of the differences of slices that were next to each other.
func pairReport(of [2][]sliced, rate float64) string {
	var b strings.Builder
	b.WriteString("| | A | B | A − B | 95 % confidence | A above B in | worst slice A | worst slice B |\n" +
		"|---|---|---|---|---|---|---|---|\n")
	for _, line := range []struct {
		name, format string
		of           func(sliced) float64
	}{
		{"p50 ms", "%.2f", func(s sliced) float64 { return s.P50 }},
		{"p90 ms", "%.2f", func(s sliced) float64 { return s.P90 }},
		{"p99 ms", "%.2f", func(s sliced) float64 { return s.P99 }},
		{"p99.9 ms", "%.2f", func(s sliced) float64 { return s.P999 }},
		{"CPU µs server", "%.0f", func(s sliced) float64 { return s.server }},
		{"CPU µs Envoy", "%.0f", func(s sliced) float64 { return s.envoy }},
		{"RSS MB server", "%.0f", func(s sliced) float64 { return s.rss }},
	} {
		var values [2][]float64
		for i := range of {
			for _, s := range of[i] {
				values[i] = append(values[i], line.of(s))
			}
		}
		c := compared(values[0], values[1])
		n := func(v float64) string { return fmt.Sprintf(line.format, v) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s to %s | %d of %d pairs | %s | %s |\n", line.name, n(c.a), n(c.b),
			n(c.difference), n(c.low), n(c.high), c.above, c.pairs, n(slices.Max(values[0])), n(slices.Max(values[1])))
	}
	for i, name := range []string{"A", "B"} {
		requests, seconds, wrong := 0, 0.0, 0
		for _, s := range of[i] {
			requests, seconds, wrong = requests+s.Requests, seconds+s.Seconds, wrong+s.Errors
		}
		reached := float64(requests) / seconds
		fmt.Fprintf(&b, "\n%s: %d slices, %d answers, %.0f requests/s, %d errors.", name, len(of[i]), requests, reached, wrong)
		if reached < 0.98*rate {
			fmt.Fprintf(&b, " **It did not hold %.0f requests/s: take a lower rate, or a machine at rest.**", rate)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// comparison is what pairs of values say about two things.
type comparison struct {
	a, b       float64 // medians
	difference float64 // median of the differences
	low, high  float64 // 95 % confidence interval of that
	above      int     // pairs in which a was greater
	pairs      int
}

// compared takes pairs by index. The interval is that of the sign test: two of
// the sorted differences, between which the true median lies with at least 95 %
// whatever the distribution. With fewer than six pairs it is the whole range,
// which then holds with less.
func compared(a, b []float64) comparison {
	out := comparison{a: medianOf(a), b: medianOf(b), pairs: min(len(a), len(b))}
	differences := make([]float64, out.pairs)
	for i := range differences {
		differences[i] = a[i] - b[i]
		if differences[i] > 0 {
			out.above++
		}
	}
	if out.pairs == 0 {
		return out
	}
	slices.Sort(differences)
	out.difference = medianOf(differences)
	k := signRank(out.pairs)
	out.low, out.high = differences[k], differences[out.pairs-1-k]
	return out
}

// signRank returns how many of n sorted values can be left out at each end so
// that the rest still holds the median with 95 %: the largest k with
// 2·P(Binomial(n, ½) ≤ k) at most 5 %; 0 where there is none.
func signRank(n int) int {
	of := func(k int) float64 { // P(Binomial(n, ½) = k)
		all, _ := math.Lgamma(float64(n + 1))
		chosen, _ := math.Lgamma(float64(k + 1))
		rest, _ := math.Lgamma(float64(n - k + 1))
		return math.Exp(all - chosen - rest - float64(n)*math.Ln2)
	}
	k := 0
	for tail := of(0) + of(1); 2*tail <= 0.05; tail += of(k + 1) {
		k++
	}
	return k
}

// medianOf leaves values as they are; 0 without any.
func medianOf(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
