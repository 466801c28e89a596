package mlflowserving_test

import (
	"testing"

	"sluice/extproc/provider/mlflowserving"
	"sluice/extproc/provider/providertest"
)

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, mlflowserving.Provider, target, "testdata/clients.json")
}
