package togetherai_test

import (
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/togetherai"
)

var target = kit.Target{Provider: "togetherai", Model: "org/m", Config: map[string]string{"togetherai_api_key": "key"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, togetherai.Provider, target, "testdata/clients.json")
}
