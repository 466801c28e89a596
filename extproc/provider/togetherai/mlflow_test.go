package togetherai_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/togetherai"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	// MLflow lets a client call any model with the endpoint's key.
	refused := func(t *testing.T, r kit.Reply) {
		require.Equal(t, 422, r.Status)
		require.Contains(t, string(r.Body), "The parameter 'model' is not permitted to be passed.")
	}
	providertest.MLflow(t, togetherai.Provider, "testdata/mlflow.jsonl", map[string]func(*testing.T, kit.Reply){
		"chat model": refused, "completions model": refused, "embeddings model": refused,
	})
}
