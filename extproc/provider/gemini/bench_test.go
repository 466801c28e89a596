package gemini_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/extproc/dialect"
)

var turn, _ = json.Marshal(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 15))

// requestsOf are calls of about 1.5 KB in each dialect.
func requestsOf(b *testing.B, stream bool) map[string]*dialect.Request {
	openAI := `"messages":[{"role":"system","content":"s"},{"role":"user","content":` + string(turn) + `},{"role":"user","content":` + string(turn) + `}],"temperature":0.5,"max_tokens":100`
	more, path := "", geminiChat
	if stream {
		more, path = `,"stream":true`, "/v1beta/models/e:streamGenerateContent"
	}
	return map[string]*dialect.Request{
		"openai": request(b, "/v1/chat/completions", `{"model":"e",`+openAI+more+`}`),
		"mlflow": mlflowRequest(dialect.Chat, []byte(`{"n":1,`+openAI+more+`}`), stream),
		"gemini": request(b, path, `{"contents":[{"role":"user","parts":[{"text":`+string(turn)+`},{"text":`+string(turn)+`}]}],"generationConfig":{"temperature":0.5}}`),
	}
}

// BenchmarkRequest measures Open: a checked call becomes a request.
func BenchmarkRequest(b *testing.B) {
	for name, req := range requestsOf(b, false) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(req.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, e := open(req); e != nil {
					b.Fatal(e)
				}
			}
		})
	}
}

// BenchmarkReply measures Complete on a reply of 1.5 KB.
func BenchmarkReply(b *testing.B) {
	body := []byte(`{"candidates":[{"content":{"parts":[{"text":` + string(turn) + `},{"text":` + string(turn) + `}],"role":"model"},"finishReason":"STOP","index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":300,"totalTokenCount":310},"modelVersion":"gemini-x","responseId":"r1"}`)
	for name, req := range requestsOf(b, false) {
		b.Run(name, func(b *testing.B) {
			call, _ := open(req)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				call.Complete(200, jsonHeaders, body)
			}
		})
	}
}

// BenchmarkStream measures a chunk after 100 and after 10,000 others.
func BenchmarkStream(b *testing.B) {
	chunk := []byte(`data: {"candidates":[{"content":{"parts":[{"text":"Hello there, this is some"}],"role":"model"},"index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"modelVersion":"gemini-x","responseId":"r1"}` + "\r\n\r\n")
	for name, req := range requestsOf(b, true) {
		for before, count := range map[string]int{"100": 100, "10000": 10000} {
			b.Run(name+"/after "+before, func(b *testing.B) {
				call, _ := open(req)
				for range count {
					call.Chunk(chunk, false)
				}
				b.ReportAllocs()
				for b.Loop() {
					call.Chunk(chunk, false)
				}
			})
		}
	}
}
