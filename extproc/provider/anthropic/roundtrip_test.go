package anthropic_test

import (
	"io"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/extproc/dialect"
	"sluice/internal/simulate"
)

// TestThinkingRoundTrip: the reasoning before a tool call comes back to the
// provider with its signature, which the stand-in verifies, whatever dialect it
// went through; and the second turn answers.
func TestThinkingRoundTrip(t *testing.T) {
	server := httptest.NewServer(simulate.NewAnthropic(simulate.Options{Keys: []string{canary}}))
	defer server.Close()
	const schema = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`
	for d, c := range map[dialect.Dialect]struct {
		route  dialect.Route
		first  string
		second func(t *testing.T, first, reply string) string // the next call
		thinks string                                         // path of the reasoning in the reply
	}{
		dialect.OpenAI: {dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Chat},
			`{"model":"e","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"the weather in Paris"}],
				"tools":[{"type":"function","function":{"name":"get_weather","parameters":` + schema + `}}]}`,
			func(t *testing.T, first, reply string) string {
				message := gjson.Get(reply, "choices.0.message")
				first = set(t, first, "messages.-1", message.Raw)
				return set(t, first, "messages.-1", `{"role":"tool","content":"sun","tool_call_id":`+message.Get("tool_calls.0.id").Raw+`}`)
			}, "choices.0.message.thinking_blocks.0.signature"},
		dialect.Anthropic: {dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat},
			`{"model":"e","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"the weather in Paris"}],
				"tools":[{"name":"get_weather","input_schema":` + schema + `}]}`,
			func(t *testing.T, first, reply string) string {
				content := gjson.Get(reply, "content")
				first = set(t, first, "messages.-1", `{"role":"assistant","content":`+content.Raw+`}`)
				return set(t, first, "messages.-1", `{"role":"user","content":[{"type":"tool_result","content":"sun","tool_use_id":`+
					content.Get(`#(type=="tool_use").id`).Raw+`}]}`)
			}, "content.0.signature"},
		dialect.Gemini: {dialect.Route{Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "e"},
			`{"generationConfig":{"maxOutputTokens":4000,"thinkingConfig":{"thinkingBudget":2048,"includeThoughts":true}},
				"contents":[{"role":"user","parts":[{"text":"the weather in Paris"}]}],
				"tools":[{"functionDeclarations":[{"name":"get_weather","parametersJsonSchema":` + schema + `}]}]}`,
			func(t *testing.T, first, reply string) string {
				content := gjson.Get(reply, "candidates.0.content")
				call := content.Get("parts.#.functionCall").Array()
				require.NotEmpty(t, call)
				first = set(t, first, "contents.-1", content.Raw)
				answer := set(t, `{"name":"get_weather","response":{"output":"sun"}}`, "id", call[0].Get("id").Raw)
				return set(t, first, "contents.-1", `{"role":"user","parts":[{"functionResponse":`+answer+`}]}`)
			}, "candidates.0.content.parts.#.thoughtSignature|0"},
	} {
		t.Run(string(d), func(t *testing.T) {
			ask := func(body string) string {
				req, e := dialect.Parse(c.route, dialect.Chat, "application/json", []byte(body))
				require.Nil(t, e, "%+v", e)
				call, e := open(targetOf(map[string]string{"anthropic_api_base": server.URL + "/v1"}), req, frozen)
				require.Nil(t, e, "%+v", e)
				res := send(t, server.URL, call.Upstream())
				defer res.Body.Close()
				reply, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, reply)
				require.Nil(t, r.Error, "%s\n%s", reply, call.Upstream().Body)
				return string(r.Body)
			}
			first := ask(c.first)
			require.NotEmpty(t, gjson.Get(first, c.thinks).Str, "%s", first)
			second := ask(c.second(t, c.first, first))
			require.Contains(t, second, "sun")
		})
	}
}

func set(t *testing.T, body, path, raw string) string {
	t.Helper()
	out, err := sjson.SetRaw(body, path, raw)
	require.NoError(t, err)
	return out
}

// TestSameStandIn: a client of the API itself, with the strict stand-in: whole,
// streamed, and counting.
func TestSameStandIn(t *testing.T) {
	server := httptest.NewServer(simulate.NewAnthropic(simulate.Options{Keys: []string{canary}}))
	defer server.Close()
	target := targetOf(map[string]string{"anthropic_api_base": server.URL + "/v1"})
	for _, c := range []struct {
		op   dialect.Operation
		body string
		want string
	}{
		{dialect.Chat, `{"model":"e","max_tokens":99,"messages":[{"role":"user","content":"hi there"}]}`, `"type":"message"`},
		{dialect.Chat, `{"model":"e","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi there"}]}`, "event: message_stop\n"},
		{dialect.CountTokens, `{"model":"e","messages":[{"role":"user","content":"hi there"}]}`, `"input_tokens":`},
	} {
		req := messagesRequest(t, c.op, c.body)
		req.ClientHeader = headers("anthropic-version", "2023-06-01", "anthropic-beta", "interleaved-thinking-2025-05-14")
		call, e := open(target, req, frozen)
		require.Nil(t, e)
		res := send(t, server.URL, call.Upstream())
		defer res.Body.Close()
		require.Equal(t, 200, res.StatusCode)
		var out []byte
		if req.Stream {
			out = streamed(t, call, res.Body)
			require.Nil(t, call.Err())
		} else {
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, body)
			require.Nil(t, r.Error, "%s", body)
			out = r.Body
		}
		require.Contains(t, string(out), c.want)
		if c.op == dialect.Chat {
			require.Positive(t, call.Usage().Output)
		}
	}
}
