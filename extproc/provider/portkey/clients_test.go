package portkey_test

import (
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/portkey"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "portkey", Model: "gpt-x", Config: map[string]string{"api_key": "pk", "provider_api_key": "up"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, portkey.Provider, target, "testdata/clients.json")
}
