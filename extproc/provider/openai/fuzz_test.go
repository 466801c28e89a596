package openai_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

var fuzzDialects = []dialect.Dialect{dialect.MLflow, dialect.OpenAI}

// FuzzOpenAIReply: no reply makes a call fail in an undue way, and what the
// client gets is JSON without the key.
func FuzzOpenAIReply(f *testing.F) {
	f.Add(200, "application/json", []byte(`{"id":"1","choices":[{"message":{"content":"x","tool_calls":[{"id":"c","function":{}}]}}],"usage":{"prompt_tokens":1}}`))
	f.Add(200, "application/json", []byte(`{"data":[{"embedding":[1,2]}],"usage":null}`))
	f.Add(401, "application/json", []byte(`{"error":{"message":"bad `+testKey+`","code":3,"param":[],"type":{}}}`))
	f.Add(500, "text/plain", []byte("x\xff"))
	f.Add(400, "application/json", []byte(`{"`+testKey+`":"`+testKey+`"}`))
	f.Fuzz(func(t *testing.T, status int, ctype string, body []byte) {
		header := func(name string) string { return map[string]string{"content-type": ctype}[name] }
		for _, d := range fuzzDialects {
			for _, op := range []dialect.Operation{dialect.Chat, dialect.Completions, dialect.Embeddings} {
				reply := openOne(t, d, op, false).Complete(status, header, body)
				require.True(t, json.Valid(reply.Body), "%s %s: %s", d, op, reply.Body)
				if reply.Error != nil {
					require.GreaterOrEqual(t, reply.Status, 300)
					require.NotContains(t, string(reply.Body), testKey)
				}
			}
		}
	})
}

// FuzzOpenAIStream: a stream cut anywhere gives what it gives whole, and every
// event that MLflow's client gets is JSON.
func FuzzOpenAIStream(f *testing.F) {
	f.Add([]byte(sseOf(chunkA, chunkStop, chunkUsage, "[DONE]")), uint16(7))
	f.Add([]byte(": c\r\n\r\ndata: {\"usage\":null,\r\ndata: \"choices\":[ ]}\r\n\r\nevent: error\ndata: {\"error\":{\"message\":\"x\",\"code\":429}}\n\n"), uint16(1))
	f.Add([]byte("\xef\xbb\xbfdata: "+chunkStop+"\n\ndata:[DONE]"), uint16(3))
	f.Add([]byte(`data: {"choices":[{"delta":{"tool_calls":[{}]},"text":1}],"usage":{"a": [ 1 ],"prompt_tokens_details":{"x":1}}}`+"\n\n"), uint16(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		for _, d := range fuzzDialects {
			for _, op := range []dialect.Operation{dialect.Chat, dialect.Completions} {
				whole, cut := openOne(t, d, op, true), openOne(t, d, op, true)
				want := feed(whole, string(stream), len(stream)+1)
				require.Equal(t, want, feed(cut, string(stream), int(size)+1))
				require.Equal(t, whole.Usage(), cut.Usage())
				require.Equal(t, whole.Err(), cut.Err())
				if d == dialect.MLflow && want != "" {
					for _, event := range strings.Split(strings.TrimSuffix(want, "\n\n"), "\n\n") {
						data, ok := strings.CutPrefix(event, "data: ")
						require.True(t, ok && json.Valid([]byte(data)), event)
					}
				}
			}
		}
	})
}

func openOne(t testing.TB, d dialect.Dialect, op dialect.Operation, stream bool) provider.Call {
	input := map[dialect.Operation]string{dialect.Chat: `"messages":[{"role":"u","content":"x"}]`, dialect.Completions: `"prompt":"x"`, dialect.Embeddings: `"input":"x"`}[op]
	if d == dialect.MLflow {
		return openCall(t, dialect.Route{Dialect: d, Endpoint: "e"}, op, fmt.Sprintf(`{%s,"stream":%v}`, input, stream))
	}
	return openCall(t, dialect.Route{Dialect: d, Operation: op}, op, fmt.Sprintf(`{"model":"e",%s,"stream":%v}`, input, stream))
}

func benchmarkExchange(b *testing.B, d dialect.Dialect, size int) {
	text := strings.Repeat("lorem ipsum ", size/24)
	input := `"messages":[{"role":"user","content":"` + text + `"}]}`
	route, body := dialect.Route{Dialect: d, Endpoint: "e"}, `{`+input
	if d == dialect.OpenAI {
		route, body = openAIChat, `{"model":"e",`+input
	}
	req, e := dialect.Parse(route, dialect.Chat, "application/json", []byte(body))
	if e != nil {
		b.Fatal(e)
	}
	answer := []byte(`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":13,"completion_tokens":7,"total_tokens":20}}`)
	b.SetBytes(int64(len(body) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		call, e := provider.Open(testTarget, req, testEnv)
		if e != nil {
			b.Fatal(e)
		}
		if call.Complete(200, jsonHead, answer).Error != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkOpenAIToOpenAI1500(b *testing.B) { benchmarkExchange(b, dialect.OpenAI, 1500) }
func BenchmarkOpenAIToOpenAI64K(b *testing.B)  { benchmarkExchange(b, dialect.OpenAI, 64<<10) }
func BenchmarkMLflowToOpenAI1500(b *testing.B) { benchmarkExchange(b, dialect.MLflow, 1500) }
func BenchmarkMLflowToOpenAI64K(b *testing.B)  { benchmarkExchange(b, dialect.MLflow, 64<<10) }

// benchmarkStream measures one chunk, in a stream that never ends: the work
// per chunk must not grow.
func benchmarkStream(b *testing.B, d dialect.Dialect) {
	call := openOne(b, d, dialect.Chat, true)
	chunk := []byte(sseOf(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" rabbits"},"logprobs":null,"finish_reason":null}],"usage":null}`))
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		call.Chunk(chunk, false)
	}
}

func BenchmarkOpenAIChunk(b *testing.B) { benchmarkStream(b, dialect.OpenAI) }
func BenchmarkMLflowChunk(b *testing.B) { benchmarkStream(b, dialect.MLflow) }
