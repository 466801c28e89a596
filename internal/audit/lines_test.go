package audit_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestTellingEventsHaveLines: a start finds what the trail tells of itself by the
// index, also on a day that has more lines than the index keeps.
func TestTellingEventsHaveLines(t *testing.T) {
	found, err := audit.IndexBeyondLines(filepath.Join(t.TempDir(), "a.db"), "UpdateUser", audit.KindCreateHold, "UpdateUser",
		audit.KindPartitionDropped, audit.KindDeleteHold, audit.KindRecordsMissing, audit.KindSetHolds, "CreateUser")
	require.NoError(t, err)
	require.Equal(t, []int64{2, 4, 5, 6, 7}, found)
}
