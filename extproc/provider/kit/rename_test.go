package kit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

// TestRefusalsAreInTheCallersWords: what a provider can't carry is named as
// the caller named it.
func TestRefusalsAreInTheCallersWords(t *testing.T) {
	for _, c := range []struct {
		dialect     dialect.Dialect
		body, param string
	}{
		{dialect.OpenAI, `{"model":"m","messages":[{"role":"user","content":"a"}],"seed":1}`, "seed"},
		{dialect.Gemini, `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"seed":1}}`, "generationConfig.seed"},
		{dialect.Gemini, `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"candidateCount":2}}`, "generationConfig.candidateCount"},
	} {
		req, e := dialect.Parse(dialect.Route{Dialect: c.dialect, Operation: dialect.Chat}, dialect.Chat, "application/json", []byte(c.body))
		require.Nil(t, e)
		_, e = provider.Open(provider.Target{Provider: "anthropic", Model: "claude-sonnet-4-5", Config: map[string]string{"anthropic_api_key": "k"}}, req, provider.Env{})
		require.NotNil(t, e, c.body)
		require.Equal(t, c.param, e.Param)
		require.Contains(t, e.Message, "'"+c.param+"'")
	}
}
