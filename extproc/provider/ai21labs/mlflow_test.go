package ai21labs_test

import (
	"net/http"
	"testing"

	"sluice/extproc/provider/ai21labs"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, ai21labs.Provider, "testdata/mlflow.jsonl", map[string]func(*testing.T, kit.Reply){
		"completions stream": providertest.Status(http.StatusNotImplemented),
	})
}
