package tgi_test

import (
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/tgi"
)

var target = kit.Target{Provider: "huggingface-text-generation-inference", Model: "tgi", Config: map[string]string{"hf_server_url": "https://tgi.example.com/x"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, tgi.Provider, target, "testdata/clients.json")
}
