package targets_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/redistest"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

// A Redis that keeps nothing is killed twice under load: what it had and what it
// missed is in the stream in the end, each record once.
func TestARedisThatLosesItsStreamIsFilledFromTheTrail(t *testing.T) {
	s := redistest.Start(t)
	trail := streamTo(t, s, time.Now)
	for i := range 3000 {
		id := fmt.Sprint("exchange-", i)
		require.NoError(t, trail.Begin(&audit.Exchange{ID: id, EndpointName: "practice"}, []byte("question")))
		require.NoError(t, trail.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte("answer")))
		switch i {
		case 1000, 2000:
			require.Eventually(t, func() bool { return s.Client(t).XLen(t.Context(), "sluice:audit").Val() > 500 }, time.Minute, 20*time.Millisecond)
			s.Kill()
		case 1300, 2300:
			s.Run(t)
		}
	}
	var want []string
	err := trail.Query(t.Context(), audit.Filter{Kinds: []string{audit.KindAccessEndpoint}}, func(r *audit.Record) error {
		want = append(want, r.RecordID)
		return nil
	})
	require.NoError(t, err)
	require.Len(t, want, 3000)
	slices.Sort(want)
	require.Eventually(t, func() bool { return len(s.Ids(t, "sluice:audit")) >= 3000 }, time.Minute, 100*time.Millisecond)
	got := s.Ids(t, "sluice:audit")
	slices.Sort(got)
	require.Equal(t, want, got)
}

// streamTo makes a trail whose calls go to a Redis, which keeps them for an hour by
// the clock of the sink.
func streamTo(t *testing.T, s *redistest.Server, now func() time.Time) *audit.Trail {
	t.Helper()
	trail, err := audit.Open(audit.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	rules, err := egress.New(egress.Options{AllowPrivate: true})
	require.NoError(t, err)
	dir := t.TempDir()
	deps := targets.Deps{Egress: rules, Trail: trail.ID(), Node: "node-1", Dir: dir, Now: now}
	m, err := sink.New(sink.Options{
		Dir: dir, Trail: trail, Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close(context.Background()) })
	require.NoError(t, m.Set([]config.Sink{{
		Name: "stream", Type: "redis", Format: config.FormatSluice, Bodies: "full", BodyBytes: 1 << 20, Start: config.SinkStartOldest,
		Filter: config.SinkFilter{Kinds: []string{audit.KindAccessEndpoint}},
		Redis: &config.SinkRedis{
			Addresses: []string{s.Address}, Mode: "single", Stream: "sluice:audit", Compress: "zstd", Timeout: time.Second,
			MaxLength: 100_000, HardLength: 1_000_000, MaxAge: time.Hour,
		},
	}}))
	return trail
}

// TestWhatRedisNeverHadIsNotTooOld: Redis is away for longer than max_age, and comes
// back without its data. What it had confirmed is too old for the stream by then;
// what it never had is not.
func TestWhatRedisNeverHadIsNotTooOld(t *testing.T) {
	s := redistest.Start(t)
	var later atomic.Int64
	trail := streamTo(t, s, func() time.Time { return time.Now().Add(time.Duration(later.Load())) })
	call := func(id string) {
		require.NoError(t, trail.Begin(&audit.Exchange{ID: id, EndpointName: "practice"}, []byte("question")))
		require.NoError(t, trail.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte("answer")))
	}
	for i := range 5 {
		call(fmt.Sprint("had-", i))
	}
	require.Eventually(t, func() bool { return s.Client(t).XLen(t.Context(), "sluice:audit").Val() == 5 }, time.Minute, 20*time.Millisecond)
	s.Kill()
	for i := range 5 {
		call(fmt.Sprint("never-", i))
	}
	later.Store(int64(2 * time.Hour))
	s.Run(t)
	var want []string
	err := trail.Query(t.Context(), audit.Filter{Kinds: []string{audit.KindAccessEndpoint}}, func(r *audit.Record) error {
		if strings.HasPrefix(r.ID, "never-") {
			want = append(want, r.RecordID)
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, want, 5)
	require.Eventually(t, func() bool { return len(s.Ids(t, "sluice:audit")) >= 5 }, 2*time.Minute, 100*time.Millisecond)
	require.ElementsMatch(t, want, s.Ids(t, "sluice:audit"))
}
