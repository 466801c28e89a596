package anthropic_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
)

// call is a conversation of about size bytes.
func call(size int) []byte {
	turn := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 10)
	var messages []string
	for n := 0; n < size; n += len(turn) + 40 {
		messages = append(messages, fmt.Sprintf(`{"role":%q,"content":%q}`, []string{"user", "assistant"}[len(messages)%2], turn))
	}
	return []byte(`{"model":"e","max_tokens":100,"messages":[` + strings.Join(messages, ",") + `],"temperature":0.5}`)
}

func BenchmarkClientRead(b *testing.B) {
	req := parse(b, call(1500))
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, e := anthropic.Client.Read(req); e != nil {
			b.Fatal(e)
		}
	}
}

func BenchmarkProviderWrite(b *testing.B) {
	req := parse(b, call(1500))
	form, _ := anthropic.Client.Read(req)
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, e := anthropic.Provider.Write(form, "claude-x"); e != nil {
			b.Fatal(e)
		}
	}
}

// BenchmarkChunks reads and writes a stream of n text deltas, each in a chunk
// of its own: the time per chunk must not depend on n.
func BenchmarkChunks(b *testing.B) {
	delta := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello there, this is some\"}}\n\n")
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, w := anthropic.Provider.NewReader(), anthropic.Client.NewWriter(meta)
				var out []byte
				event := func(ev *conversation.Event) { out = w.Append(out[:0], ev) }
				_ = r.Feed([]byte("data: {\"type\":\"message_start\",\"message\":{}}\n\n"+
					"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\"}}\n\n"), event)
				for range n {
					_ = r.Feed(delta, event)
				}
				if len(out) == 0 {
					b.Fatal("nothing came out")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/chunk")
		})
	}
}
