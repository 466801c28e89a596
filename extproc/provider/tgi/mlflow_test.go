package tgi_test

import (
	"net/http"
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/tgi"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, tgi.Provider, "testdata/mlflow.jsonl", map[string]func(*testing.T, kit.Reply){
		"completions stream": providertest.Status(http.StatusNotImplemented),
	})
}
