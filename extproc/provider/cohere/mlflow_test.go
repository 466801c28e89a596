package cohere_test

import (
	"testing"

	"sluice/extproc/provider/cohere"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, cohere.Provider, "testdata/mlflow.jsonl", nil)
}
