package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestTheHeadOfADayNeedsOnlyTheNextOne: it is the same whether the day is read or
// not, and a damaged day has one.
func TestTheHeadOfADayNeedsOnlyTheNextOne(t *testing.T) {
	dir := t.TempDir()
	c := newClock(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	for day := range 3 {
		for i := range 5 {
			require.NoError(t, trail.Event(&audit.Event{Kind: "CreateUser", TargetName: fmt.Sprint(day, i)}))
		}
		require.NoError(t, trail.AddHold(hold(fmt.Sprint("case", day), "2026-03-10", ""), nil))
		c.Add(24 * time.Hour)
	}
	days := trail.Segments()
	require.Len(t, days, 2)
	read := func(ctx context.Context) (audit.Segment, map[string]any, error) {
		var head map[string]any
		data, held, err := trail.SegmentHead(ctx, days[0].Day)
		if err == nil {
			require.NoError(t, json.Unmarshal(data, &head))
			head["held"] = string(held)
		}
		return days[0], head, err
	}
	first, want, err := read(t.Context())
	require.NoError(t, err)
	log := filepath.Join(dir, first.Day+".log")
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	require.EqualValues(t, first.Last, want["sequence"])
	require.EqualValues(t, len(whole), want["offset"])
	require.Contains(t, want["held"], "case0")
	require.NotContains(t, want["held"], "case1")

	// The day is damaged in its first header: nothing behind it could be found by reading.
	damaged := append([]byte{}, whole...)
	damaged[8] ^= 1
	require.NoError(t, os.WriteFile(log, damaged, 0o600))
	_, head, err := read(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, head)
	require.NoError(t, os.WriteFile(log, whole, 0o600))

	// The next day is: then the day itself is read, as long as that is wanted.
	next := filepath.Join(dir, days[1].Day+".log")
	data, err := os.ReadFile(next)
	require.NoError(t, err)
	data[8] ^= 1
	require.NoError(t, os.WriteFile(next, data, 0o600))
	_, head, err = read(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, head)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = read(ctx)
	require.ErrorIs(t, err, context.Canceled)
	data[8] ^= 1
	require.NoError(t, os.WriteFile(next, data, 0o600))
}
