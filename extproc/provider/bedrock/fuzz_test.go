package bedrock_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider/kit"
)

// exchanges are one of each kind.
func exchanges(t testing.TB) map[string]func() kit.Call {
	begin := func(model string, req *dialect.Request) func() kit.Call {
		return func() kit.Call {
			call, e := open(target(model), req)
			if e != nil {
				panic(e.Message)
			}
			return call
		}
	}
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	return map[string]func() kit.Call{
		"mlflow chat":       begin(claude, mlflowRequest(dialect.Chat, []byte("{"+messages+"}"), true)),
		"mlflow titan":      begin("amazon.titan-tg1-large", mlflowRequest(dialect.Completions, []byte(`{"prompt":"hi"}`), false)),
		"mlflow claude":     begin("anthropic.claude-v2:1", mlflowRequest(dialect.Completions, []byte(`{"prompt":"hi"}`), false)),
		"mlflow embeddings": begin("amazon.titan-embed-text-v2:0", mlflowRequest(dialect.Embeddings, []byte(`{"input":["a","b"]}`), false)),
		"openai chat":       begin(claude, parsed(t, dialect.OpenAI, dialect.Chat, `{"model":"e","stream":true,`+messages+"}")),
		"anthropic":         begin(claude, parsed(t, dialect.Anthropic, dialect.Chat, `{"model":"e","stream":true,"max_tokens":5,`+messages+"}")),
		"nova embeddings":   begin("amazon.nova-2-multimodal-embeddings-v1:0", parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":"a","encoding_format":"base64"}`)),
		"cohere embeddings": begin("cohere.embed-english-v3", parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":"a"}`)),
		"count":             begin(claude, parsed(t, dialect.Anthropic, dialect.CountTokens, `{"model":"e",`+messages+"}")),
	}
}

// FuzzReply checks that no reply of any kind panics, and that clients get JSON.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		converseReply, `{"results":[{"outputText":"a","tokenCount":1}],"inputTextTokenCount":2}`, `{"completion":"a","stop_reason":"x"}`,
		`[{"embedding":[1]},{"embedding":[2]}]`, `{"embeddings":[{"embedding":[1]}]}`, `{"embeddings":{"float":[[1,2]]}}`, `{"inputTokens":1}`,
		`{"message":"no"}`, `{"__type":"a#ThrottlingException"}`, `{"output":{"message":{"content":[{"text":null},{"toolUse":{"input":[]}}]}}}`,
	} {
		f.Add([]byte(s), 200, "")
		f.Add([]byte(s), 400, "ValidationException:x")
	}
	all := exchanges(f)
	f.Fuzz(func(t *testing.T, body []byte, status int, kind string) {
		for name, begin := range all {
			r := begin().Complete((status&0x1ff)+100, headers("content-type", "application/json", "x-amzn-errortype", kind), body)
			require.True(t, json.Valid(r.Body), "%s: %s", name, r.Body)
		}
	})
}

// FuzzStream checks that no stream panics, ends twice, or depends on its cuts.
func FuzzStream(f *testing.F) {
	f.Add("messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`, "messageStop", `{"stopReason":"end_turn"}`, uint16(9), []byte{})
	f.Add("chunk", `{"bytes":"eyJ0eXBlIjoicGluZyJ9"}`, "chunk", `{"bytes":"e30="}`, "throttlingException", `{"message":"x"}`, uint16(9), []byte("\x00\x00"))
	f.Add("metadata", `{"usage":{"inputTokens":1}}`, "contentBlockStart", `{"start":{"toolUse":{}}}`, "contentBlockDelta", `{"delta":{"toolUse":{"input":"{"}}}`, uint16(3), []byte{})
	all := exchanges(f)
	f.Fuzz(func(t *testing.T, k1, p1, k2, p2, k3, p3 string, size uint16, rest []byte) {
		var stream []byte
		for _, e := range [][2]string{{k1, p1}, {k2, p2}, {k3, p3}} {
			kind := eventstream.Event
			if strings.HasSuffix(e[0], "Exception") {
				kind = eventstream.Exception
			}
			stream = eventstream.Append(stream, kind, e[0], []byte(e[1]))
		}
		stream = append(stream, rest...)
		for _, name := range []string{"mlflow chat", "openai chat", "anthropic"} {
			want, done := feed(all[name](), stream, len(stream))
			require.True(t, done, name)
			got, done := feed(all[name](), stream, 1+int(size)%len(stream))
			require.True(t, done, name)
			require.Equal(t, string(want), string(got), name)
		}
	})
}

// BenchmarkRequest measures Open for a call of 1.5 KB.
func BenchmarkRequest(b *testing.B) {
	turn := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 8)
	messages := fmt.Sprintf(`"messages":[{"role":"user","content":%q},{"role":"assistant","content":%q},{"role":"user","content":%q},{"role":"assistant","content":%q},{"role":"user","content":"and?"}],"temperature":0.5,"max_tokens":100`, turn, turn, turn, turn)
	for name, req := range map[string]*dialect.Request{
		"mlflow":    mlflowRequest(dialect.Chat, []byte("{"+messages+"}"), false),
		"openai":    parsed(b, dialect.OpenAI, dialect.Chat, `{"model":"e",`+messages+"}"),
		"anthropic": parsed(b, dialect.Anthropic, dialect.Chat, `{"model":"e",`+messages+"}"),
	} {
		b.Run(name, func(b *testing.B) {
			tgt := target(claude)
			b.ReportAllocs()
			for b.Loop() {
				if _, e := open(tgt, req); e != nil {
					b.Fatal(e)
				}
			}
		})
	}
}

// BenchmarkReply measures Complete for a reply of 1.5 KB.
func BenchmarkReply(b *testing.B) {
	s, _ := json.Marshal(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 30))
	body := []byte(`{"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":` + string(s) + `}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`)
	all := exchanges(b)
	for _, name := range []string{"mlflow chat", "openai chat"} {
		b.Run(name, func(b *testing.B) {
			call := all[name]()
			b.ReportAllocs()
			for b.Loop() {
				call.Complete(200, jsonHeaders, body)
			}
		})
	}
}

// BenchmarkChunk shows that a chunk costs the same in short and long streams.
func BenchmarkChunk(b *testing.B) {
	all := exchanges(b)
	start := eventstream.Append(nil, eventstream.Event, "messageStart", []byte(`{"role":"assistant"}`))
	text := eventstream.Append(nil, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"Hello there"},"p":"abcdefghijkl"}`))
	for name, parts := range map[string][2][]byte{
		"mlflow chat": {start, text}, "openai chat": {start, text}, "anthropic": {chunks(messageEvents[:2]...), chunks(messageEvents[2])},
	} {
		for _, n := range []int{100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					call := all[name]()
					call.Chunk(parts[0], false)
					for range n {
						call.Chunk(parts[1], false)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/chunk")
			})
		}
	}
}
