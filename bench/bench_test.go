package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/bench/load"
)

func TestParseStat(t *testing.T) {
	const line = `4321 (odd) name (x) S 17 1 1 0 -1 4194560 5 6 7 8 100 50 20 10 20 0 9 0 123 4567 25 18446744073709551615 1 1 0`
	pid, p, err := parseStat([]byte(line))
	require.NoError(t, err)
	require.Equal(t, 4321, pid)
	require.Equal(t, "odd) name (x", p.name)
	require.Equal(t, 17, p.parent)
	require.Equal(t, 1800*time.Millisecond, p.cpu, "user, system, and both of the children waited for")
	require.Equal(t, int64(25*os.Getpagesize()), p.rss)
	for _, broken := range []string{"", "12 no name S 1", "12 (x) S 1 2", "12 (x) S one " + strings.Repeat("1 ", 30)} {
		_, _, err := parseStat([]byte(broken))
		require.Error(t, err, broken)
	}
}

// TestFootprintOfThisTest: what this process burns is seen, and a child counts.
func TestFootprintOfThisTest(t *testing.T) {
	before, err := footprintOf([]int{os.Getpid()})
	require.NoError(t, err)
	require.Positive(t, before.server.rss)
	for end := time.Now().Add(60 * time.Second); ; {
		after, err := footprintOf([]int{os.Getpid()})
		require.NoError(t, err)
		if after.server.cpu-before.server.cpu >= 50*time.Millisecond {
			break
		}
		require.True(t, time.Now().Before(end), "no CPU time was seen in a minute of work")
	}
}

func TestDescendants(t *testing.T) {
	all := map[int]process{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 1}}
	require.Equal(t, map[int]bool{10: true, 11: true, 12: true}, descendants(all, []int{10}))
	require.Empty(t, descendants(all, []int{99}))
}

func TestChatBody(t *testing.T) {
	for _, size := range []int{1500, 64 << 10} {
		require.InDelta(t, size, len(chatBody("m", size, false)), 100)
	}
	require.Contains(t, string(chatBody("m", 1500, true)), `"stream":true`)
	require.NotContains(t, string(chatBody("", 1500, false)), `"model"`)
}

// TestReport: medians over rounds, latency over that of the first gateway, and
// errors added up.
func TestReport(t *testing.T) {
	figure := func(requests int, p50, envoy, server float64, errors int) figures {
		return figures{Result: load.Result{Requests: requests, Seconds: 2, P50: p50, P99: 2 * p50, Errors: errors},
			steady:   load.Result{P50: p50 / 2, P99: p50, First50: p50 / 4},
			envoyCPU: envoy, serverCPU: server, envoyRSS: 50e6, serverRSS: 20e6}
	}
	var r report
	r.add("chat", "none", figure(2000, 1, 0, 0, 0))
	for _, f := range []figures{figure(1000, 3, 100, 40, 0), figure(800, 5, 300, 60, 2), figure(900, 4, 200, 50, 1)} {
		r.add("chat", "gate", f)
	}
	var out strings.Builder
	require.NoError(t, r.write(&out, []workload{{name: "chat"}, {name: "not measured"}}))
	require.Equal(t, "### chat\n\n"+tableHead+
		"| none | 1000 | 1.00 | 2.00 | 0.00 | 0.00 | 0.00 | 0 | 0 | 0 | 50 | 20 | 0 |\n"+
		"| gate | 450 | 4.00 | 8.00 | 1.50 | 3.00 | 0.75 | 200 | 50 | 250 | 50 | 20 | 3 |\n\n", out.String())
}

// TestMain also is the program in its other roles, for the tests that start them.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-role" {
		exit(runRole(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func TestLoadInItsOwnProcess(t *testing.T) {
	provider, addr, err := startRole(t.Context(), roleProvider, "0s")
	require.NoError(t, err)
	defer provider.stop()
	config := load.Config{Addr: addr, Path: "/", Body: []byte(`{"stream":true}`), Expect: "[DONE]", Connections: 2,
		Warmup: 20 * time.Millisecond, Duration: 50 * time.Millisecond, Every: 20 * time.Millisecond}
	var calls []string
	intervals := 0
	note := func(what string) func() error {
		return func() error {
			calls = append(calls, what)
			return nil
		}
	}
	result, err := runLoad(t.Context(), config, around{before: note("before"), after: note("after"), each: func(r load.Result) error {
		intervals += r.Requests
		return nil
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"before", "after"}, calls)
	require.Positive(t, result.Requests)
	require.Zero(t, result.Errors, result.FirstError)
	require.Equal(t, result.Requests, intervals, "the intervals together are the whole")

	config.Addr = "127.0.0.1:" + strconv.Itoa(1)
	_, err = runLoad(t.Context(), config, around{before: note("before"), after: note("after")})
	require.ErrorContains(t, err, "no right answer")
}

func TestChildThatEndsIsTold(t *testing.T) {
	_, _, err := startRole(t.Context(), "no-such-role")
	require.ErrorContains(t, err, `unknown role "no-such-role"`)
}
