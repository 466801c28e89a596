package databricks_test

import (
	"testing"

	"sluice/extproc/provider/databricks"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, databricks.Provider, "testdata/mlflow.jsonl", nil)
}

func TestMLflowOfTheCatalog(t *testing.T) {
	providertest.MLflow(t, databricks.Provider, "testdata/mlflow_catalog.jsonl", nil)
}
