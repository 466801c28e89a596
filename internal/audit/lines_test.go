package audit_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestHoldsOnADayOfManyLines: a day has as many lines as its index keeps. What the
// trail tells of itself afterwards is found by the next start all the same.
func TestHoldsOnADayOfManyLines(t *testing.T) {
	opts := audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "first")
	require.NoError(t, trail.Close())
	db, err := sql.Open("sqlite", "file:"+filepath.Join(opts.Dir, "2026-03-10.db"))
	require.NoError(t, err)
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT (SELECT max(id) FROM what) + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO what SELECT i, 'UpdateUser', '', 0, 'user', 'x' || i, 'x' || i, '', '' FROM n`, audit.MaxLines)
	require.NoError(t, err)
	require.NoError(t, db.Close())

	trail, err = audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.AddHold(hold("one", "2026-03-10", ""), nil))
	require.NoError(t, trail.Event(&audit.Event{Kind: "UpdateUser", TargetType: "user", TargetName: "beyond"}))
	require.NoError(t, trail.AddHold(hold("two", "2026-03-10", ""), nil))
	require.NoError(t, trail.Close())
	want := []audit.Hold{hold("one", "2026-03-10", ""), hold("two", "2026-03-10", "")}

	trail = openTrail(t, opts)
	require.Equal(t, want, trail.Holds())
	require.Empty(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindSetHolds, audit.KindHoldsDoubted}}))
	require.Len(t, query(t, trail, audit.Filter{Kinds: []string{"UpdateUser"}}), 1, "without a line of its own")
	require.Len(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindCreateHold}}), 2)
	verified(t, trail)
}
