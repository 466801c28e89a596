package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/audit"
)

// TestShortenedSegment truncates the segment in place, as logrotate does with
// copytruncate: requests are refused, also where something was written since, and
// the next start keeps that.
func TestShortenedSegment(t *testing.T) {
	for _, goesOn := range []bool{false, true} {
		opts := audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now}
		trail, err := audit.Open(opts)
		require.NoError(t, err)
		record(t, trail, "before")
		require.NoError(t, os.Truncate(segmentOf(t, opts.Dir), 0))
		if goesOn {
			_ = trail.Event(&audit.Event{Kind: "UpdateUser", TargetType: "user"}) // refused if the keeper was faster
		}
		require.Eventually(t, func() bool { return errors.Is(trail.Healthy(), audit.ErrUnwritable) }, time.Minute, 10*time.Millisecond)
		require.ErrorIs(t, trail.Begin(exchange("refused"), nil), audit.ErrUnwritable)
		info, err := os.Stat(segmentOf(t, opts.Dir))
		require.NoError(t, err)
		_ = trail.Close() // it says that it can't write

		trail = openTrail(t, opts)
		record(t, trail, "after")
		require.NotEmpty(t, trail.Damaged())
		if info.Size() > 0 {
			require.NotEmpty(t, query(t, trail, audit.Filter{Kinds: []string{"UpdateUser"}}), "what came after the hole is kept")
		}
		report, err := trail.Verify(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, report.Err(), audit.ErrNotWhole)
	}
}

// TestSegmentThatCannotBeLookedAt: another error than that the file is gone stops
// nothing, and is told.
func TestSegmentThatCannotBeLookedAt(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	opts := audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now, Log: zap.New(core)}
	trail := openTrail(t, opts)
	record(t, trail, "one")
	path := segmentOf(t, opts.Dir)
	aside, loop := filepath.Join(opts.Dir, "aside"), filepath.Join(opts.Dir, "loop")
	require.NoError(t, os.Link(path, aside))
	require.NoError(t, os.Symlink(filepath.Base(path), loop))
	require.NoError(t, os.Rename(loop, path), "a link to itself: looking at it fails")
	require.Eventually(t, func() bool { return logs.FilterMessageSnippet("tried again every second").Len() > 0 }, time.Minute, 10*time.Millisecond)
	record(t, trail, "two")
	require.NoError(t, os.Rename(aside, path))
	record(t, trail, "three")
	require.NoError(t, trail.Healthy())
}
