package converse_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	c "sluice/extproc/conversation"
	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
)

// FuzzRead checks that no reply of a provider panics, and that tool calls are
// objects.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"output":{"message":{"content":[{"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{}}},{"reasoningContent":{"redactedContent":"AA=="}}]}},"stopReason":"end_turn","usage":{"inputTokens":1e99}}`))
	f.Add([]byte(`{"output":{"message":{"content":[1,[],{"citationsContent":{"content":[{}]}},{"image":{"source":{"bytes":1}}}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !jsontext.Valid(body) {
			return
		}
		r, err := converse.Provider.Read(body)
		if err != nil {
			return
		}
		for _, b := range r.Blocks {
			if b.Kind == c.ToolUse {
				require.True(t, strings.HasPrefix(string(b.Input), "{"))
			}
		}
	})
}

// FuzzStream checks that no stream panics, that cuts change nothing, and that
// the order of events holds.
func FuzzStream(f *testing.F) {
	f.Add("messageStart", `{}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`, "messageStop", `{"stopReason":"x"}`, uint16(3))
	f.Add("messageStart", `{}`, "contentBlockStart", `{"start":{"toolUse":{"name":"f"}}}`, "contentBlockDelta", `{"delta":{"toolUse":{"input":"{"}}}`, uint16(3))
	f.Add("messageStart", `{}`, "contentBlockDelta", `{"delta":{"reasoningContent":{"text":"a","signature":"b"}}}`, "metadata", `{"usage":{"inputTokens":1}}`, uint16(3))
	f.Fuzz(func(t *testing.T, k1, p1, k2, p2, k3, p3 string, size uint16) {
		b := events(k1, p1, k2, p2, k3, p3)
		want, wantErr := stream(b, len(b))
		got, err := stream(b, 1+int(size)%len(b))
		require.Equal(t, want, got)
		require.Equal(t, wantErr == nil, err == nil)
		requireOrder(t, got)
	})
}

// requireOrder checks the order of events that conversation promises.
func requireOrder(t *testing.T, events []string) {
	open := false
	for i, ev := range events {
		kind, _, _ := strings.Cut(ev, " ")
		require.Equal(t, kind == "start", i == 0, events)
		switch kind {
		case "block":
			require.False(t, open, events)
			open = true
		case "delta":
			require.True(t, open, events)
		case "stop":
			require.True(t, open, events)
			open = false
		case "finish":
			require.False(t, open, events)
			require.GreaterOrEqual(t, i, len(events)-2)
		case "end":
			require.Equal(t, len(events)-1, i)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	turn := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 8)
	form := withTools(func(r *c.Request) {
		r.Messages = []c.Message{user(text(turn)), assistant(text(turn)), user(text(turn)), assistant(text(turn)), user(text("and?"))}
		r.MaxTokens, r.Temperature = 100, "0.5"
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, e := converse.Provider.Write(form, sonnet45); e != nil {
			b.Fatal(e)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s, _ := json.Marshal(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 30))
	body := []byte(`{"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":` + string(s) + `}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := converse.Provider.Read(body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream shows that a chunk costs the same in short and long streams.
func BenchmarkStream(b *testing.B) {
	one := eventstream.Append(nil, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"Hello there"},"p":"abcdefghijkl"}`))
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d chunks", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := converse.Provider.NewReader()
				fn := func(*c.Event) {}
				_ = r.Feed(events("messageStart", `{}`), fn)
				for range n {
					if err := r.Feed(one, fn); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/chunk")
		})
	}
}
