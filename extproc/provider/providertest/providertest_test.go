package providertest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

// TestReference runs what was observed on MLflow's server when its reference
// was written, by way of the table of providers.
func TestReference(t *testing.T) {
	providertest.MLflowOf(t, func(id string) *kit.Provider {
		p, ok := provider.Lookup(id)
		require.True(t, ok, id)
		return p
	}, "testdata/cases.jsonl", nil)
}
