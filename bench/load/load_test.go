package load_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/bench/load"
	"sluice/internal/simulate"
)

func TestPercentile(t *testing.T) {
	ms := func(n ...int) []time.Duration {
		out := make([]time.Duration, len(n))
		for i, v := range n {
			out[i] = time.Duration(v) * time.Millisecond
		}
		return out
	}
	for name, c := range map[string]struct {
		samples []time.Duration
		p, want float64
	}{
		"none":                  {nil, 0.5, 0},
		"one":                   {ms(7), 0.99, 7},
		"middle of odd":         {ms(3, 1, 2), 0.5, 2},
		"middle of even":        {ms(4, 1, 3, 2), 0.5, 2},
		"p99 of few is last":    {ms(1, 2, 3), 0.99, 3},
		"lowest is the first":   {ms(2, 1), 0, 1},
		"highest is the last":   {ms(2, 1), 1, 2},
		"p90 of ten is ninth":   {ms(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 0.9, 9},
		"duplicates are fine":   {ms(5, 5, 5, 5), 0.5, 5},
		"order does not matter": {ms(9, 1, 5), 0.5, 5},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, load.Percentile(c.samples, c.p)) })
	}
}

func TestRunOverTLS(t *testing.T) {
	var connections atomic.Int64
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	server, err := simulate.StartTLS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, `{"a":1}`, string(body))
		require.Equal(t, "/path", r.URL.Path)
		require.Equal(t, "Bearer x", r.Header.Get("Authorization"))
		connections.Add(1)
		w.Write([]byte("well done"))
	}), ca, "gateway.test")
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	config := load.Config{Addr: server.Addr, CA: ca.PEM(), ServerName: "gateway.test", Path: "/path", Body: []byte(`{"a":1}`),
		Header: map[string]string{"Authorization": "Bearer x"}, Expect: "done", Connections: 2,
		Warmup: 50 * time.Millisecond, Duration: 100 * time.Millisecond}
	var before int64
	result, err := load.Run(config, func() error {
		before = connections.Load()
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, before, "the warm-up comes first")
	require.Zero(t, result.Errors, result.FirstError)
	require.Equal(t, connections.Load()-before, int64(result.Requests), "only the measured time is counted")
	require.Positive(t, result.P50)
	require.LessOrEqual(t, result.P50, result.P99)
	require.LessOrEqual(t, result.First50, result.P50)

	config.ServerName = "other.test"
	_, err = load.Run(config, nil)
	require.ErrorContains(t, err, "certificate is valid for gateway.test")
}

func TestFixedRate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) }))
	defer server.Close()
	result, err := load.Run(load.Config{Addr: server.Listener.Addr().String(), Path: "/", Connections: 4, Rate: 200,
		Duration: 500 * time.Millisecond}, nil)
	require.NoError(t, err)
	require.Zero(t, result.Errors, result.FirstError)
	require.InDelta(t, 100, result.Requests, 20)
}

// TestIntervals: together they are the whole, of the measured time only.
func TestIntervals(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%10 == 0 {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		w.Write([]byte("ok"))
	}))
	defer server.Close()
	var intervals []load.Result
	result, err := load.Run(load.Config{Addr: server.Listener.Addr().String(), Path: "/", Expect: "ok", Connections: 2, Rate: 300,
		Warmup: 100 * time.Millisecond, Duration: 500 * time.Millisecond, Every: 100 * time.Millisecond,
		Each: func(r load.Result) { intervals = append(intervals, r) }}, nil)
	require.NoError(t, err)
	require.Greater(t, len(intervals), 1)
	var requests, errors int
	for _, r := range intervals {
		requests, errors = requests+r.Requests, errors+r.Errors
		require.LessOrEqual(t, r.P50, r.P99)
	}
	require.Equal(t, result.Requests, requests)
	require.Equal(t, result.Errors, errors)
	require.Positive(t, errors)
	require.LessOrEqual(t, result.P50, result.P90)
	require.LessOrEqual(t, result.P90, result.P99)
	require.LessOrEqual(t, result.P99, result.P999)
}

// TestWrongAnswersAreErrors: none of them counts as a request done.
func TestWrongAnswersAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"status": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no done", http.StatusForbidden) },
			"status 403: no done"},
		"body":   {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("half")) }, "status 200: half"},
		"broken": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "reading the head"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("done"))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "reading the body"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			result, err := load.Run(load.Config{Addr: server.Listener.Addr().String(), Path: "/", Expect: "done", Connections: 1,
				Duration: 50 * time.Millisecond}, nil)
			require.NoError(t, err)
			require.Zero(t, result.Requests)
			require.Positive(t, result.Errors)
			require.Contains(t, result.FirstError, c.want)
		})
	}
}

func TestRunRefuses(t *testing.T) {
	_, err := load.Run(load.Config{}, nil)
	require.ErrorContains(t, err, "at least one connection")
	_, err = load.Run(load.Config{Connections: 1, CA: []byte("x")}, nil)
	require.ErrorContains(t, err, "not PEM")
}
