package mistral_test

import (
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/mistral"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "mistral", Model: "mistral-x", Config: map[string]string{"mistral_api_key": "mi-Zq8vT3mLx0Yc5RbN7dKw"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, mistral.Provider, target, "testdata/clients.json")
}
