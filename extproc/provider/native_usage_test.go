package provider_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider"
)

// nativeReplies are replies as providers send them, with what they took.
var nativeReplies = map[string]struct {
	ctype, body, input string // input: a header of InvokeModel's
	want               dialect.Usage
}{
	"OpenAI": {jsonType, `{"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2},` +
		`"completion_tokens_details":{"reasoning_tokens":3}}}`, "", dialect.Usage{Input: 5, Output: 7, Cached: 2, Reasoning: 3, CacheWrite: -1}},
	"Anthropic": {jsonType, `{"usage":{"input_tokens":5,"cache_read_input_tokens":20,"cache_creation_input_tokens":100,"output_tokens":7}}`, "",
		dialect.Usage{Input: 125, Output: 7, Cached: 20, Reasoning: -1, CacheWrite: 100}},
	"Gemini": {jsonType, `{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3,"cachedContentTokenCount":2}}`, "",
		dialect.Usage{Input: 5, Output: 10, Cached: 2, Reasoning: 3, CacheWrite: -1}},
	"Cohere": {jsonType, `{"usage":{"billed_units":{"input_tokens":1},"tokens":{"input_tokens":5,"output_tokens":7}}}`, "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"Cohere 1": {jsonType, `{"meta":{"tokens":{"input_tokens":5,"output_tokens":7}}}`, "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"Converse": {jsonType, `{"usage":{"inputTokens":5,"outputTokens":7,"cacheReadInputTokens":20,"cacheWriteInputTokens":0}}`, "",
		dialect.Usage{Input: 25, Output: 7, Cached: 20, Reasoning: -1, CacheWrite: 0}},
	"a model of InvokeModel's": {jsonType, `{"embedding":[1]}`, "5", dialect.Usage{Input: 5, Output: -1, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"nothing":                  {jsonType, `{"usage":"none"}`, "-1", dialect.NoUsage},
	"no JSON":                  {jsonType, `{"usage":`, "x", dialect.NoUsage},

	"OpenAI's stream": {"text/event-stream", "data: {\"usage\":null}\r\n\r\ndata:{\"usage\":{\"prompt_tokens\":5,\r\ndata: \"completion_tokens\":7}}\r\n\r\ndata: [DONE]\r\n\r\n", "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"Anthropic's stream": {"text/event-stream; charset=utf-8", "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":20,\"output_tokens\":1}}}\n\n" +
		"event: message_delta\ndata: {\"delta\":{},\"usage\":{\"output_tokens\":7}}\n\n", "", dialect.Usage{Input: 25, Output: 7, Cached: 20, Reasoning: -1, CacheWrite: -1}},
	"no blank line at the end": {"text/event-stream", `data: {"usage":{"input_tokens":5,"output_tokens":7}}`, "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"ConverseStream": {eventstream.ContentType, frames(`{"delta":{"text":"a"}}`, `{"metrics":{},"usage":{"inputTokens":5,"outputTokens":7}}`), "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"InvokeModel's stream": {eventstream.ContentType, frames(piece(`{"type":"x"}`), piece(`{"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":7}}`)), "",
		dialect.Usage{Input: 5, Output: 7, Cached: -1, Reasoning: -1, CacheWrite: -1}},
	"a broken frame": {eventstream.ContentType, "\x00\x00\x00\x20garbage that is no frame", "", dialect.NoUsage},
}

func frames(payloads ...string) string {
	var b []byte
	for _, p := range payloads {
		b = eventstream.Append(b, eventstream.Event, "chunk", []byte(p))
	}
	return string(b)
}

func piece(s string) string {
	return `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`
}

// TestNativeUsage: what passes untouched is counted, however it is cut.
func TestNativeUsage(t *testing.T) {
	target := provider.Target{Provider: "openai", Model: "m", Config: map[string]string{"openai_api_key": "sk-0123456789abcdef"}}
	for name, c := range nativeReplies {
		for size := 1; size <= len(c.body); size = size*2 + 1 {
			call, e := provider.OpenNative(target, provider.NativeRequest{Method: "POST", Rest: "/v1/x"}, provider.Env{})
			require.Nil(t, e)
			if call.IsStream(c.ctype) {
				out := ""
				for at := 0; at < len(c.body); at += size {
					end := min(at+size, len(c.body))
					b, _ := call.Chunk([]byte(c.body[at:end]), end == len(c.body))
					out += string(b)
				}
				require.Equal(t, c.body, out, name)
			} else {
				header := func(name string) string {
					return map[string]string{"content-type": c.ctype, "x-amzn-bedrock-input-token-count": c.input}[name]
				}
				require.Equal(t, c.body, string(call.Complete(200, header, []byte(c.body)).Body), name)
			}
			require.Equal(t, c.want, call.Usage(), "%s in pieces of %d", name, size)
		}
	}
}
