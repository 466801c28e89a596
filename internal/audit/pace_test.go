package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestProgressOfVerify: the last segment is read twice, and both times count, as
// both take time of the disk.
func TestProgressOfVerify(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: newClock(noon).Now})
	require.NoError(t, err)
	for i := range 6 {
		require.NoError(t, trail.Begin(exchange(name("x", i)), randomBody(1<<20-5000)))
		require.NoError(t, trail.End(name("x", i), answered(), nil))
	}
	require.NoError(t, trail.Close())
	size := fileSize(t, segmentOf(t, dir))
	var steps []int64
	report, err := audit.VerifyDirWith(ctx, dir, audit.VerifyOptions{Pace: 1 << 40, Progress: func(done, all int64) {
		require.Equal(t, 2*size, all)
		steps = append(steps, done)
	}})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Less(t, steps[0], size)
	require.IsIncreasing(t, steps)
	require.Greater(t, steps[len(steps)-1], 2*size-1<<21)
	require.LessOrEqual(t, steps[len(steps)-1], 2*size)
}
