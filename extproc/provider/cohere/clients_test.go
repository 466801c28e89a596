package cohere_test

import (
	"testing"

	"sluice/extproc/provider/cohere"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "cohere", Model: "command-x", Config: map[string]string{"cohere_api_key": "co-Zq8vT3mLx0Yc5RbN7dKw"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, cohere.Provider, target, "testdata/clients.json")
}
