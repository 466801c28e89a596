package openai_test

import (
	"strings"
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

// BenchmarkCarried is a whole exchange, call and reply of 1.5 KB each, whose
// client and provider speak different formats.
func BenchmarkCarried(b *testing.B) {
	text := strings.Repeat("lorem ipsum ", 110)
	answer := []byte(`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":13,"completion_tokens":7,"total_tokens":20}}`)
	target := provider.Target{Provider: "groq", Model: "m", Config: map[string]string{"api_key": testKey}}
	for d, body := range map[dialect.Dialect]string{
		dialect.Responses: `{"model":"e","input":[{"role":"user","content":"` + text + `"}],"max_output_tokens":16}`,
		dialect.Anthropic: `{"model":"e","messages":[{"role":"user","content":"` + text + `"}],"max_tokens":16}`,
		dialect.Gemini:    `{"contents":[{"role":"user","parts":[{"text":"` + text + `"}]}]}`,
	} {
		b.Run(string(d), func(b *testing.B) {
			req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: dialect.Chat, Endpoint: "e"}, dialect.Chat, "application/json", []byte(body))
			if e != nil {
				b.Fatal(e)
			}
			b.ReportAllocs()
			for b.Loop() {
				call, e := provider.Open(target, req, testEnv)
				if e != nil {
					b.Fatal(e)
				}
				if call.Complete(200, jsonHead, answer).Error != nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
