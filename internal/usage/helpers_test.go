package usage_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/usage"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

	alice = &identity.Caller{UserID: "u-alice", UserName: "alice", Organizations: []string{"o-science", "o-sales"}, Project: "churn"}
	bob   = &identity.Caller{UserID: "u-bob", UserName: "bob", Organizations: []string{"o-science"}}
	carol = &identity.Caller{UserID: "u-carol", UserName: "carol"}
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

// world is a trail with the usage that is counted from it.
type world struct {
	t     testing.TB
	dir   string
	clock *clock
	keep  int // days of the trail
	room  int
	trail *audit.Trail
	usage *usage.Usage
	calls int
}

func newWorld(t testing.TB, at time.Time) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: at}}
	w.start()
	t.Cleanup(func() {
		_ = w.usage.Close()
		_ = w.trail.Close()
	})
	return w
}

func (w *world) file() string { return filepath.Join(w.dir, "usage.db") }

func (w *world) start() {
	w.t.Helper()
	w.openTrail()
	w.openUsage()
}

func (w *world) openTrail() {
	w.t.Helper()
	var err error
	w.trail, err = audit.Open(audit.Options{Dir: filepath.Join(w.dir, "audit"), Now: w.clock.Now, RetentionDays: w.keep})
	require.NoError(w.t, err)
}

func (w *world) openUsage() {
	w.t.Helper()
	var err error
	w.usage, err = usage.Open(usage.Options{
		Path: w.file(), Trail: w.trail, Now: w.clock.Now, Room: w.room, FlushEvery: time.Hour, // tests flush
	})
	require.NoError(w.t, err)
}

func (w *world) stop() {
	w.t.Helper()
	require.NoError(w.t, w.usage.Close())
	require.NoError(w.t, w.trail.Close())
}

// ask is a call of the endpoint chat.
func (w *world) ask(by *identity.Caller) *audit.Exchange {
	w.calls++
	return &audit.Exchange{
		ID: fmt.Sprint("x-", w.calls), Time: w.clock.Now(), Caller: by, EndpointID: "e-chat", EndpointName: "chat",
		Provider: "openai", Model: "gpt-4o", Operation: "chat", Stream: true,
	}
}

func answer(took time.Duration) *audit.Outcome {
	return &audit.Outcome{
		Result: audit.ResultAnswered, Status: 200, InputTokens: 100, OutputTokens: 10, CachedTokens: 7, CacheWriteTokens: audit.Unknown,
		ReasoningTokens: 3, CostNanoUSD: 5000, FirstByte: took / 2, Duration: took,
	}
}

func ended(result string) *audit.Outcome {
	return &audit.Outcome{
		Result: result, InputTokens: audit.Unknown, OutputTokens: audit.Unknown, CachedTokens: audit.Unknown,
		CacheWriteTokens: audit.Unknown, ReasoningTokens: audit.Unknown, CostNanoUSD: audit.Unknown,
	}
}

// call is a call that ends as o says.
func (w *world) call(x *audit.Exchange, o *audit.Outcome) {
	w.t.Helper()
	switch o.Result {
	case audit.ResultDenied, audit.ResultRefused, audit.ResultUnauthenticated:
		require.NoError(w.t, w.trail.Refuse(x, nil, o))
	default:
		require.NoError(w.t, w.trail.Begin(x, nil))
		require.NoError(w.t, w.trail.End(x.ID, o, nil))
	}
}

// sums answers a query over two years around noon.
func (w *world) sums(q usage.Query) *usage.Answer {
	w.t.Helper()
	require.NoError(w.t, w.usage.Flush(ctx))
	if q.From.IsZero() {
		q.From, q.To = noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)
	}
	if q.GroupBy == "" {
		q.GroupBy = usage.ByEndpoint
	}
	a, err := w.usage.Query(ctx, q)
	require.NoError(w.t, err)
	return a
}

// requests of the rows, by key.
func requests(a *usage.Answer) map[string]int64 {
	out := map[string]int64{}
	for _, r := range a.Rows {
		out[r.Key] = r.Count(usage.Requests)
	}
	return out
}

func (w *world) total() int64 {
	w.t.Helper()
	a := w.sums(usage.Query{})
	return a.Total.Count(usage.Requests)
}
