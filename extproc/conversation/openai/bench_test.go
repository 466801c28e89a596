package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/openai"
)

// benchBody is a call of about 1.5 KB with a system prompt, turns and a tool.
var benchBody = []byte(`{"model":"e","messages":[{"role":"system","content":"` + strings.Repeat("Be kind. ", 20) + `"},` +
	`{"role":"user","content":"` + strings.Repeat("lorem ipsum ", 35) + `"},{"role":"assistant","content":"` + strings.Repeat("dolor sit ", 20) + `"},` +
	`{"role":"user","content":[{"type":"text","text":"` + strings.Repeat("amet ", 40) + `"}]}],"temperature":0.7,"max_tokens":256,` +
	`"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather.","parameters":{"type":"object",` +
	`"properties":{"city":{"type":"string"}},"required":["city"]}}}]}`)

func BenchmarkRequest(b *testing.B) {
	req := parse(b, "", benchBody)
	b.SetBytes(int64(len(benchBody)))
	b.ReportAllocs()
	for b.Loop() {
		form, e := openai.ChatClient.Read(req)
		require.Nil(b, e)
		if _, e := openai.ChatProvider.Write(form, "gpt-x"); e != nil {
			b.Fatal(e)
		}
	}
}

func BenchmarkReply(b *testing.B) {
	body := []byte(`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("lorem ipsum ", 120) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":13,"completion_tokens":7,"total_tokens":20}}`)
	m := meta(b, &codectest.Case{})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := openai.ChatProvider.Read(body)
		require.NoError(b, err)
		openai.ChatClient.AppendReply(nil, r, m)
	}
}

// BenchmarkChunk tells the cost of one chunk in streams of different lengths:
// it must not grow with the stream.
func BenchmarkChunk(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			chunk := []byte(`data: {"id":"id-1","object":"chat.completion.chunk","created":5,"model":"gpt-y","choices":[{"index":0,"delta":{"content":" lorem"},"finish_reason":null}]}` + "\n\n")
			m := meta(b, &codectest.Case{})
			out := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			chunks := 0
			for b.Loop() {
				reader, writer := openai.ChatProvider.NewReader(), openai.ChatClient.NewWriter(m)
				fn := func(ev *conversation.Event) { out = writer.Append(out[:0], ev) }
				for range n {
					require.NoError(b, reader.Feed(chunk, fn))
				}
				chunks += n
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(chunks), "ns/chunk")
		})
	}
}
