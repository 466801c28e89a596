package policies_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/policies"
)

func TestDefaultBundle(t *testing.T) {
	report, err := policies.Check(t.Context(), "")
	for _, test := range report.Tests {
		if test.Outcome != "passed" {
			t.Errorf("%s %s: %s %s", test.Location, test.Name, test.Outcome, test.Message)
		}
	}
	require.NoError(t, err)
	require.Empty(t, report.Uncovered)
	require.EqualValues(t, 100, report.Coverage)
	require.Greater(t, report.Passed, 20)
}
