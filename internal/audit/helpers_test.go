package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
)

var alice = &identity.Caller{
	UserID: "aaaaaaaaaaaaaaaaaaaaaaaa", UserName: "alice", Organizations: []string{"0123456789abcdef01234567"},
	Roles: []string{"practitioner"}, Project: "churn", Execution: "run-17", TokenID: "bbbbbbbbbbbbbbbbbbbbbbbb", TokenName: "notebook",
}

var bob = &identity.Caller{UserID: "cccccccccccccccccccccccc", UserName: "bob"}

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock(at time.Time) *clock { return &clock{now: at} }

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

func (c *clock) Add(d time.Duration) { c.Set(c.Now().Add(d)) }

func openTrail(t testing.TB, opts audit.Options) *audit.Trail {
	t.Helper()
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	return trail
}

func exchange(id string) *audit.Exchange {
	return &audit.Exchange{
		ID: id, Caller: alice, Credential: "token",
		EndpointID: "dddddddddddddddddddddddd", EndpointName: "chat", EndpointType: "llm/v1/chat",
		Provider: "openai", Model: "gpt-4o", Dialect: "mlflow", Operation: "chat",
		Method: "POST", Path: "/endpoints/chat/invocations", ClientAddr: "10.1.2.3:5555", MaxTokens: 256,
		Decision: decision.Decision{Allow: true, Revision: "5f1e", Reasons: []decision.Reason{{Code: "permitted"}}},
	}
}

func answered() *audit.Outcome {
	return &audit.Outcome{
		Result: audit.ResultAnswered, Status: 200, UpstreamStatus: 200, InputTokens: 120, OutputTokens: 45,
		CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown, CacheWriteTokens: -1, CostNanoUSD: -1, FirstByte: 200 * time.Millisecond, Duration: 900 * time.Millisecond, ResponseBytes: 600,
	}
}

func denied() *audit.Outcome {
	return &audit.Outcome{Result: audit.ResultDenied, Status: 403, Code: "not_permitted", Message: "Ask for access.",
		InputTokens: audit.Unknown, OutputTokens: audit.Unknown, CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown}
}

// record writes a whole exchange.
func record(t testing.TB, trail *audit.Trail, id string) {
	t.Helper()
	require.NoError(t, trail.Begin(exchange(id), []byte(`{"q":"`+id+`"}`)))
	require.NoError(t, trail.End(id, answered(), []byte(`{"a":"`+id+`"}`)))
}

func query(t testing.TB, trail *audit.Trail, f audit.Filter) []*audit.Record {
	t.Helper()
	var records []*audit.Record
	require.NoError(t, trail.Query(ctx, f, func(r *audit.Record) error {
		records = append(records, r)
		return nil
	}))
	return records
}

func ids(records []*audit.Record) []string {
	list := []string{}
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}

func verified(t testing.TB, trail *audit.Trail) audit.Report {
	t.Helper()
	report, err := trail.Verify(ctx)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	return report
}

func verifiedDir(t testing.TB, dir string) audit.Report {
	t.Helper()
	report, err := audit.VerifyDir(ctx, dir)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	return report
}

func name(prefix string, n int) string { return fmt.Sprintf("%s-%04d", prefix, n) }

// randomBody returns bytes that can't be compressed.
func randomBody(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}
