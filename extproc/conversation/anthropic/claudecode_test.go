package anthropic_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/conversation/converse"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/conversation/openai"
)

// TestClaudeCode: a call as Claude Code of today sends it, in the middle of its
// work, reaches providers of every format.
func TestClaudeCode(t *testing.T) {
	body, err := os.ReadFile("testdata/claude_code.json")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		codec conversation.Provider
		model string
		holds []string // paths of what must be there
	}{
		"anthropic": {anthropic.Provider, "claude-sonnet-5", []string{
			`tools.0.input_schema.\$schema`, "tools.2.name", `messages.1.content.#(type=="tool_use")#|1`, "messages.2.content.1.is_error",
			"messages.1.content.0.signature", "thinking.type", "metadata.user_id"}},
		"openai": {openai.NewChatProvider(openai.Traits{CompletionTokens: true}), "gpt-5", []string{
			"max_completion_tokens", "tools.2.function.name", `messages.#(role=="assistant").tool_calls.1`,
			`messages.#(role=="tool")#|1`, `messages.#(role=="user").content.2.image_url.url`}},
		"converse of a model that can't reason": {converse.Provider, "amazon.nova-pro-v1:0", []string{"inferenceConfig.maxTokens"}},
		"converse": {converse.Provider, "amazon.nova-2-lite-v1:0", []string{
			"toolConfig.tools.2.toolSpec.name", "inferenceConfig.maxTokens", `messages.#(role=="user")#|1.content.1.toolResult.status`}},
		"gemini": {gemini.Provider, "gemini-3-pro", []string{
			"tools.0.functionDeclarations.2.name", "contents.0.parts.2.inlineData.data"}},
	} {
		t.Run(name, func(t *testing.T) {
			form, e := anthropic.Client.Read(parse(t, body))
			require.Nil(t, e, "%+v", e)
			out, e := c.codec.Write(form, c.model)
			require.Nil(t, e, "%+v", e)
			require.True(t, json.Valid(out), "%s", out)
			for _, path := range c.holds {
				require.True(t, gjson.GetBytes(out, path).Exists(), "%s: %s", path, out)
			}
			text := string(out)
			require.NotContains(t, text, "x-anthropic-billing-header")
			require.NotContains(t, text, "reasoning_effort", "the effort high is the default, which models that can't reason refuse")
			for _, words := range []string{"official CLI", "MCP Server Instructions", "is the picture right", "I'll look at both", "func main()", "ls: cannot access"} {
				require.True(t, strings.Contains(text, words), "%s: %s", words, out)
			}
			user := gjson.GetBytes(out, "user").Str
			require.LessOrEqual(t, len(user), 64, "OpenAI refuses longer ones")
		})
	}
}
