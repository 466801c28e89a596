package mosaicml_test

import (
	"testing"

	"sluice/extproc/provider/mosaicml"
	"sluice/extproc/provider/providertest"
)

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, mosaicml.Provider, target, "testdata/clients.json")
}
