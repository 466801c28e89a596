package openai_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

// TestNoOtherModelAnswers: gateways behind this one turn to other models by
// members of their own, which the permission for an endpoint does not cover.
func TestNoOtherModelAnswers(t *testing.T) {
	for _, member := range []string{`"models":["a","b"]`, `"fallbacks":[{"model":"b"}]`, `"preset":"mine"`, `"api_base":"https://x.example"`} {
		for _, d := range []dialect.Dialect{dialect.OpenAI, dialect.MLflow, dialect.Responses} {
			ask := map[dialect.Dialect]string{
				dialect.OpenAI:    `{"model":"e","messages":[{"role":"user","content":"hi"}],`,
				dialect.MLflow:    `{"messages":[{"role":"user","content":"hi"}],`,
				dialect.Responses: `{"model":"e","input":"hi",`,
			}[d] + member + "}"
			for id, config := range map[string]map[string]string{
				"openrouter": {"api_key": testKey}, "openai": {"openai_api_key": testKey, "openai_api_base": "https://proxy.example.com/v1"},
			} {
				_, e := openDialect(t, provider.Target{Provider: id, Model: "a", Config: config}, d, dialect.Chat, ask)
				require.NotNil(t, e, "%s %s %s", id, d, member)
				require.Equal(t, 400, e.Status)
			}
		}
	}
}
