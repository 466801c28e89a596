package mlflowserving_test

import (
	"net/http"
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/mlflowserving"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server. What is wrong
// with a reply that it refuses is told in other words than pydantic's.
func TestMLflow(t *testing.T) {
	refused := providertest.Status(http.StatusBadGateway)
	better := map[string]func(*testing.T, kit.Reply){"chat stream": providertest.Status(http.StatusNotImplemented)}
	for _, name := range []string{"empty", "numbers", "keys", "empty choices", "string", "dicts", "empty dict", "nothing"} {
		better["completions reply "+name] = refused
	}
	for _, name := range []string{"empty", "empties", "texts", "mixed"} {
		better["embeddings reply "+name] = refused
	}
	providertest.MLflow(t, mlflowserving.Provider, "testdata/mlflow.jsonl", better)
}

var target = kit.Target{Provider: "mlflow-model-serving", Model: "bot", Config: map[string]string{"model_server_url": "http://127.0.0.1:4000"}}
