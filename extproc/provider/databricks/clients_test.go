package databricks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/databricks"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/providertest"
)

var target = kit.Target{Provider: "databricks", Model: "m", Config: map[string]string{"host": "https://w.cloud.databricks.com", "token": "dapiZq8vT3mLx0Yc5RbN7dKw"}}

// TestClients holds the dialects of other clients against testdata/clients.json.
func TestClients(t *testing.T) {
	providertest.Clients(t, databricks.Provider, target, "testdata/clients.json")
}

// TestVersion: Anthropic's own API wants its version, the client's if it has one.
func TestVersion(t *testing.T) {
	body := []byte(`{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	claude := target
	claude.Model = "databricks-claude-x"
	for client, want := range map[string]string{"": "2023-06-01", "2026-10-21": "2026-10-21", "a b": "2023-06-01"} {
		req, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat}, dialect.Chat, "application/json", body)
		require.Nil(t, e)
		req.ClientHeader = func(string) string { return client }
		call, e := databricks.Provider.Open(databricks.Provider, claude, req, providertest.Env)
		require.Nil(t, e)
		require.Contains(t, call.Upstream().Headers, [2]string{"anthropic-version", want})
	}
}
