package targets_test

import (
	"context"
	"fmt"
	"slices"
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
	trail, err := audit.Open(audit.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	defer trail.Close()
	rules, err := egress.New(egress.Options{AllowPrivate: true})
	require.NoError(t, err)
	dir := t.TempDir()
	deps := targets.Deps{Egress: rules, Trail: trail.ID(), Node: "node-1", Dir: dir, Now: time.Now}
	m, err := sink.New(sink.Options{
		Dir: dir, Trail: trail, Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	require.NoError(t, err)
	defer m.Close(context.Background())
	require.NoError(t, m.Set([]config.Sink{{
		Name: "stream", Type: "redis", Format: config.FormatSluice, Bodies: "full", BodyBytes: 1 << 20, Start: config.SinkStartOldest,
		Filter: config.SinkFilter{Kinds: []string{audit.KindAccessEndpoint}},
		Redis: &config.SinkRedis{
			Addresses: []string{s.Address}, Mode: "single", Stream: "sluice:audit", Compress: "zstd", Timeout: time.Second,
			MaxLength: 100_000, HardLength: 1_000_000, MaxAge: time.Hour,
		},
	}}))
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
	err = trail.Query(t.Context(), audit.Filter{Kinds: []string{audit.KindAccessEndpoint}}, func(r *audit.Record) error {
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
