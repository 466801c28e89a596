package format_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit/audittest"
	"sluice/internal/sink/format"
)

// TestGuideListsEveryKind holds the table of docs/siem.md to what OCSF does.
func TestGuideListsEveryKind(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/siem.md")
	require.NoError(t, err)
	var table strings.Builder
	for _, kind := range audittest.EventKinds(t) {
		line, err := format.OCSF(nil, event(kind))
		require.NoError(t, err)
		var e struct {
			Class    int    `json:"class_uid"`
			Name     string `json:"class_name"`
			Activity int    `json:"activity_id"`
			Type     string `json:"type_name"`
			Severity string `json:"severity"`
		}
		require.NoError(t, json.Unmarshal(line, &e))
		_, activity, _ := strings.Cut(e.Type, ": ")
		fmt.Fprintf(&table, "| `%s` | %d %s | %d %s | %s |\n", kind, e.Class, e.Name, e.Activity, activity, e.Severity)
	}
	require.Contains(t, string(guide), table.String(), "the table of kinds in docs/siem.md is to be:\n%s", table.String())
}

// TestGuideShowsTheQueriesThatRun holds what the guide says of files to those
// that are there.
func TestGuideShowsTheQueriesThatRun(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/siem.md")
	require.NoError(t, err)
	files, err := os.ReadDir("../../../docs/siem")
	require.NoError(t, err)
	for _, f := range files {
		require.Contains(t, string(guide), "siem/"+f.Name())
	}
}
