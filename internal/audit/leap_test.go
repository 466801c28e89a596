package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestAWrongClockDropsNothing: a clock that is years ahead for some minutes, also
// over a restart, does not cost the trail.
func TestAWrongClockDropsNothing(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 30}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "1")
	c.Add(24 * time.Hour)
	record(t, trail, "2")
	c.Add(5 * 365 * 24 * time.Hour)
	record(t, trail, "3")
	time.Sleep(2500 * time.Millisecond) // of the keeper
	require.Len(t, logs(t, opts.Dir), 3)
	require.NoError(t, trail.Close())
	c.Add(10 * time.Minute)
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "4")
	require.Len(t, logs(t, opts.Dir), 3)
	c.Set(noon.Add(25 * time.Hour)) // mended
	record(t, trail, "5")
	require.NoError(t, trail.AddHold(audit.Hold{Name: "x", From: "2020-01-01", To: "2020-01-01", Reason: "x"}, nil))
	require.NoError(t, trail.RemoveHold("x", nil)) // retention looks again
	time.Sleep(2500 * time.Millisecond)
	require.Len(t, logs(t, opts.Dir), 3)
	require.NoError(t, trail.Close())

	// Where the gateway really was away, retention goes on after an hour.
	c.Set(noon.Add(5 * 365 * 24 * time.Hour).Add(26 * time.Hour))
	trail = openTrail(t, opts)
	require.Eventually(t, func() bool { return len(logs(t, opts.Dir)) == 1 }, time.Minute, 20*time.Millisecond)
	require.NoError(t, verified(t, trail).Err())
}
