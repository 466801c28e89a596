package anthropic_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/extproc/dialect"
)

// chatBody is a conversation of about size bytes.
func chatBody(size int, model string) []byte {
	turn := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 10)
	var messages []string
	for n := 0; n < size; n += len(turn) + 40 {
		role := []string{"user", "assistant"}[len(messages)%2]
		messages = append(messages, fmt.Sprintf(`{"role":%q,"content":%q}`, role, turn))
	}
	return []byte(`{` + model + `"messages":[` + strings.Join(messages, ",") + `],"temperature":0.5,"max_tokens":100}`)
}

// BenchmarkRequest measures Open: a checked call becomes a request.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{1500, 64 << 10, 3 << 20} {
		for _, d := range dialects {
			b.Run(fmt.Sprintf("%s/%dKB", d, size/1000), func(b *testing.B) {
				req := mlflowRequest(dialect.Chat, chatBody(size, ""), false)
				switch d {
				case dialect.OpenAI:
					req = openAIRequest(b, dialect.Chat, chatBody(size, `"model":"e",`))
				case dialect.Anthropic:
					req = messagesRequest(b, dialect.Chat, string(chatBody(size, `"model":"e",`)))
				}
				target := targetOf(nil)
				b.SetBytes(int64(len(req.Body)))
				b.ReportAllocs()
				for b.Loop() {
					if _, e := open(target, req, frozen); e != nil {
						b.Fatal(e)
					}
				}
			})
		}
	}
}

// BenchmarkReply measures Complete on a reply of 1.5 KB.
func BenchmarkReply(b *testing.B) {
	text, _ := json.Marshal(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 30))
	body := []byte(`{"id":"msg_01","type":"message","role":"assistant","model":"claude-y","content":[{"type":"text","text":` +
		string(text) + `}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":300}}`)
	for _, d := range dialects {
		b.Run(string(d), func(b *testing.B) {
			call := callOf(b, d, false)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				call.Complete(200, jsonHeaders, body)
			}
		})
	}
}

// BenchmarkStream measures one text delta in a chunk of its own.
func BenchmarkStream(b *testing.B) {
	delta := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello there, this is some\"}}\n\n")
	for _, d := range dialects {
		b.Run(string(d), func(b *testing.B) {
			call := callOf(b, d, true)
			call.Chunk([]byte(startEvent), false)
			b.ReportAllocs()
			for b.Loop() {
				call.Chunk(delta, false)
			}
		})
	}
}

// BenchmarkChunks passes a stream of n text deltas, each in a chunk of its own,
// to a client of each dialect: the time per chunk must not depend on n.
func BenchmarkChunks(b *testing.B) {
	delta := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello there, this is some\"}}\n\n")
	for _, d := range dialects {
		for _, n := range []int{100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", d, n), func(b *testing.B) {
				for b.Loop() {
					call := callOf(b, d, true)
					call.Chunk([]byte(startEvent), false)
					for range n {
						call.Chunk(delta, false)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/chunk")
			})
		}
	}
}
