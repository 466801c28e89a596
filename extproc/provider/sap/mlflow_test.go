package sap_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/sap"
)

// TestMLflow holds the requests of MLflow's clients against MLflow's adapter.
func TestMLflow(t *testing.T) {
	f, err := os.Open("testdata/mlflow.jsonl")
	require.NoError(t, err)
	defer f.Close()
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		var c struct {
			Name       string
			Body, Want json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		call, e := providertest.Open(t, sap.Provider, target, dialect.MLflow, dialect.Chat, string(c.Body))
		require.Nil(t, e, c.Name)
		require.JSONEq(t, string(c.Want), string(call.Upstream().Body), c.Name)
	}
	require.Greater(t, count, 20)
}
