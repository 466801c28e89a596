package policies_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/stretchr/testify/require"

	"sluice/policies"
)

// TestDefaultBundle runs the tests of the bundle that is built in, which cover
// every line of it.
func TestDefaultBundle(t *testing.T) {
	checkWhole(t, "")
}

// TestExamples runs the tests of the examples of README.md, on top of the
// built-in bundle.
func TestExamples(t *testing.T) {
	examples, err := filepath.Glob("examples/*")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, dir := range examples {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			require.Contains(t, string(readme), dir)
			report, err := policies.Check(t.Context(), dir)
			require.NoError(t, err)
			require.Len(t, report.Bundles, 2, "the built-in one was added")
			require.Positive(t, report.Passed)
			require.Empty(t, report.Uncovered)
			engine(t, from("", dir))
		})
	}
}

func checkWhole(t *testing.T, dirs ...string) {
	t.Helper()
	report, err := policies.Check(t.Context(), dirs...)
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

// TestRegoIsFormatted is "opa fmt --fail".
func TestRegoIsFormatted(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".rego" || strings.Contains(path, ".bad"+string(filepath.Separator)) || strings.Contains(path, ".hidden") {
			return err
		}
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		formatted, err := format.SourceWithOpts(path, source, format.Opts{RegoVersion: ast.RegoV1})
		require.NoError(t, err)
		require.Equal(t, string(formatted), string(source), path)
		return nil
	})
	require.NoError(t, err)
}

func TestCheckReportsTests(t *testing.T) {
	report, err := policies.Check(t.Context(), "testdata/failing_tests.good")
	require.ErrorIs(t, err, policies.ErrTestsFailed)
	require.ErrorContains(t, err, "2 of 4")
	require.Equal(t, 1, report.Passed)
	require.Equal(t, 2, report.Failed)
	require.Equal(t, 1, report.Skipped)
	outcomes := map[string]string{}
	for _, test := range report.Tests {
		outcomes[test.Name] = test.Outcome
		switch test.Name {
		case "sluice_test.test_allowed":
			require.Contains(t, test.Message, `the decision is {"allow": false}`)
			require.Equal(t, "testdata/failing_tests.good/policy_test.rego:5", test.Location)
		case "sluice_test.test_error":
			require.Contains(t, test.Message, "policy_test.rego:10")
		}
	}
	require.Equal(t, map[string]string{
		"sluice_test.test_denied": "passed", "sluice_test.test_allowed": "failed",
		"sluice_test.test_error": "failed", "sluice_test.todo_test_later": "skipped",
	}, outcomes)
	require.Equal(t, []string{"testdata/failing_tests.good/policy.rego:5"}, report.Uncovered)
	require.Less(t, report.Coverage, 100.0)
	require.Regexp(t, `^[0-9a-f]{12}$`, report.Revision)
	require.Equal(t, 1, report.Bundles[0].Files)
}

func TestCheckOfAGoodBundle(t *testing.T) {
	report, err := policies.Check(t.Context(), "testdata/standalone.good")
	require.NoError(t, err)
	require.Equal(t, 2, report.Passed)
	require.EqualValues(t, 100, report.Coverage)
}
