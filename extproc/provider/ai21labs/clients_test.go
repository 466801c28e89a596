package ai21labs_test

import (
	"testing"

	"sluice/extproc/provider/ai21labs"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "ai21labs", Model: "j2-ultra", Config: map[string]string{"ai21labs_api_key": "key"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, ai21labs.Provider, target, "testdata/clients.json")
}
