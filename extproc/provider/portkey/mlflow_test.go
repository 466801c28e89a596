package portkey_test

import (
	"testing"

	"sluice/extproc/provider/portkey"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, portkey.Provider, "testdata/mlflow.jsonl", nil)
}
