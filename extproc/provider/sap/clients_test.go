package sap_test

import (
	"testing"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/sap"
)

var target = kit.Target{Provider: "sap-ai-core", Model: "gpt-x", Config: map[string]string{"sap_ai_core_api_base": "https://api.ai.example.com", "sap_ai_core_deployment_id": "d1", "sap_ai_core_token_url": "https://auth.example.com", "sap_ai_core_client_id": "ci", "sap_ai_core_client_secret": "cs"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, sap.Provider, target, "testdata/clients.json")
}
