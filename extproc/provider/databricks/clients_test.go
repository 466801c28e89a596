package databricks_test

import (
	"testing"

	"sluice/extproc/provider/databricks"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "databricks", Model: "m", Config: map[string]string{"host": "https://w.cloud.databricks.com", "token": "dapiZq8vT3mLx0Yc5RbN7dKw"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, databricks.Provider, target, "testdata/clients.json")
}
