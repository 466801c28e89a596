package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestFarTimes: bounds that are further from 1970 than 64 bits of nanoseconds go
// are bounds all the same, for searches and for replays.
func TestFarTimes(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now})
	record(t, trail, "one")
	for year, before := range map[int]bool{1: true, 1600: true, 1970: true, 2500: false, 9999: false} {
		at := time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC)
		t.Run(fmt.Sprint(year), func(t *testing.T) {
			require.Len(t, query(t, trail, audit.Filter{From: at}), b2i(before), "from")
			require.Len(t, query(t, trail, audit.Filter{To: at}), b2i(!before), "to")
			require.Len(t, query(t, trail, audit.Filter{After: audit.Cursor{Time: at, Sequence: 1}}), b2i(before), "after")
			require.Len(t, query(t, trail, audit.Filter{After: audit.Cursor{Time: at, Sequence: 1}, Descending: true}), b2i(!before), "before")
			for from, f := range map[bool]audit.Filter{true: {From: at}, false: {To: at}} {
				want := before == from
				n, err := trail.Count(ctx, f, 10)
				require.NoError(t, err)
				require.Equal(t, b2i(want), n)
				require.Len(t, ranged(t, trail, audit.Range{From: f.From, To: f.To}), b2i(want), "replay")
			}
		})
	}
}

func ranged(t *testing.T, trail *audit.Trail, r audit.Range) []*audit.Record {
	t.Helper()
	reader, err := trail.ReadRange(r)
	require.NoError(t, err)
	defer reader.Close()
	all, err := reader.Next(ctx, 10, 1<<20)
	require.NoError(t, err)
	return all
}
