package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/bench/load"
)

// TestSignRank: the ranks that tables of the sign test give for 95 %.
func TestSignRank(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 0, 5: 0, 6: 0, 8: 0, 9: 1, 10: 1, 12: 2, 14: 2, 17: 4, 20: 5, 25: 7, 30: 9, 100: 39} {
		require.Equal(t, want, signRank(n), "of %d", n)
	}
}

func TestCompared(t *testing.T) {
	rising := func(n int, from float64) (out []float64) {
		for i := range n {
			out = append(out, from+float64(i))
		}
		return out
	}
	for name, c := range map[string]struct {
		a, b []float64
		want comparison
	}{
		"nothing":         {nil, nil, comparison{}},
		"one":             {[]float64{3}, []float64{2}, comparison{a: 3, b: 2, difference: 1, low: 1, high: 1, above: 1, pairs: 1}},
		"the same":        {rising(10, 1), rising(10, 1), comparison{a: 5.5, b: 5.5, pairs: 10}},
		"always one more": {rising(10, 2), rising(10, 1), comparison{a: 6.5, b: 5.5, difference: 1, low: 1, high: 1, above: 10, pairs: 10}},
		"an outlier decides nothing": {[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 900}, make([]float64, 10),
			comparison{a: 1, difference: 1, low: 1, high: 1, above: 10, pairs: 10}},
		"ten pairs leave out one at each end": {rising(10, -3), make([]float64, 10),
			comparison{a: 1.5, difference: 1.5, low: -2, high: 5, above: 6, pairs: 10}},
		"noise common to a pair cancels": {[]float64{11, 101, 51, 21, 31, 41}, []float64{10, 100, 50, 20, 30, 40},
			comparison{a: 36, b: 35, difference: 1, low: 1, high: 1, above: 6, pairs: 6}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, compared(c.a, c.b)) })
	}
}

// TestOrderOfSlices: A B B A, so that each pair is next to each other and what
// rises over time favours nobody.
func TestOrderOfSlices(t *testing.T) {
	order, places := "", [2]int{}
	for i := range 8 {
		order += "AB"[abba(i) : abba(i)+1]
		places[abba(i)] += i
	}
	require.Equal(t, "ABBAABBA", order)
	require.Equal(t, places[0], places[1])
}

func TestPairReport(t *testing.T) {
	slice := func(p99 float64, requests int) sliced {
		return sliced{Result: load.Result{Requests: requests, Seconds: 2, P50: 1, P90: 2, P99: p99, P999: 2 * p99}, server: 150, envoy: 250}
	}
	text := pairReport([2][]sliced{{slice(5, 2000), slice(7, 2000)}, {slice(4, 1000), slice(4, 1000)}}, 1000)
	require.Contains(t, text, "| p99 ms | 6.00 | 4.00 | 2.00 | 1.00 to 3.00 | 2 of 2 pairs | 7.00 | 4.00 |\n")
	require.Contains(t, text, "| CPU µs server | 150 | 150 | 0 | 0 to 0 | 0 of 2 pairs | 150 | 150 |\n")
	require.Contains(t, text, "A: 2 slices, 4000 answers, 1000 requests/s, 0 errors.\n")
	require.Contains(t, text, "B: 2 slices, 2000 answers, 500 requests/s, 0 errors. **It did not hold 1000 requests/s")
}

func TestPairRefuses(t *testing.T) {
	good := pairing{of: "c,h", slices: 4, load: 1}
	chosen, err := good.contenders()
	require.NoError(t, err)
	require.Equal(t, "(c) Sluice (h) Sluice that records nothing", fmt.Sprint(chosen[0].name, " ", chosen[1].name))
	for want, change := range map[string]func(*pairing){
		"two letters":            func(p *pairing) { p.of = "c" },
		`no gateway "x"`:         func(p *pairing) { p.of = "c,x" },
		`no gateway ""`:          func(p *pairing) { p.of = "c," },
		"multiple of 4, not 6":   func(p *pairing) { p.slices = 6 },
		"multiple of 4, not 0":   func(p *pairing) { p.slices = 0 },
		"-load is 1 to 3, not 4": func(p *pairing) { p.load = 4 },
		"-load is 1 to 3, not 0": func(p *pairing) { p.load = 0 },
	} {
		p := good
		change(&p)
		_, err := p.contenders()
		require.ErrorContains(t, err, want)
	}
	for _, rates := range []string{"x", "0", "-1", "100,"} {
		_, err := (&bench{}).ratesOf(t.Context(), &pairing{rates: rates}, [2]*gateway{})
		require.ErrorContains(t, err, "is no rate")
	}
	given, err := (&bench{}).ratesOf(t.Context(), &pairing{rates: "100,250.5"}, [2]*gateway{})
	require.NoError(t, err)
	require.Equal(t, []float64{100, 250.5}, given)
}
