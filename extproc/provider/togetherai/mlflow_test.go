package togetherai_test

import (
	"testing"

	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/togetherai"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, togetherai.Provider, "testdata/mlflow.jsonl", nil)
}
