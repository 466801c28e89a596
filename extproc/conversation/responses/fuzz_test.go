package responses_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/responses"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// FuzzRequest: a call is refused by name, or becomes JSON; and answers to it
// are JSON.
func FuzzRequest(f *testing.F) {
	for _, file := range []string{"requests.json", "refusals.json"} {
		b, err := os.ReadFile("testdata/" + file)
		require.NoError(f, err)
		var cases []codectest.Case
		require.NoError(f, json.Unmarshal(b, &cases))
		for _, c := range cases {
			f.Add([]byte(c.In))
		}
	}
	reply := &conversation.Reply{Stop: conversation.StopTools, Usage: conversation.NoUsage, Blocks: []conversation.Block{
		{Kind: conversation.Thinking, Text: "hm", Signature: "s"},
		{Kind: conversation.ToolUse, ID: "c", Name: "f", Input: `{"input":"x"}`, Signature: "t"},
		{Kind: conversation.ToolUse, ID: "d", Name: "apply_patch", Input: `{"input":"x"}`},
	}}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, e := dialect.Parse(dialect.Route{Dialect: dialect.Responses, Operation: dialect.Chat}, dialect.Chat, "application/json", body)
		if e != nil {
			return
		}
		form, e := responses.Client.Read(req)
		if e != nil {
			require.NotEmpty(t, e.Param)
			require.Contains(t, e.Message, e.Param)
			return
		}
		if out, e := server.Write(form, "m"); e == nil {
			require.True(t, jsontext.Valid(out), "%s", out)
		}
		out := responses.Client.AppendReply(nil, reply, conversation.Meta{Request: req, Form: form})
		require.True(t, json.Valid(out), "%s", out)
	})
}

func BenchmarkRequest(b *testing.B) {
	body := []byte(`{"model":"e","instructions":"` + strings.Repeat("Be kind. ", 20) + `","input":[` +
		`{"role":"user","content":"` + strings.Repeat("lorem ipsum ", 35) + `"},{"role":"assistant","content":"` + strings.Repeat("dolor sit ", 20) + `"},` +
		`{"role":"user","content":[{"type":"input_text","text":"` + strings.Repeat("amet ", 40) + `"}]}],"temperature":0.7,"max_output_tokens":256,` +
		`"tools":[{"type":"function","name":"weather","description":"Tells the weather.","parameters":{"type":"object",` +
		`"properties":{"city":{"type":"string"}},"required":["city"]}}]}`)
	req := parse(b, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		form, e := responses.Client.Read(req)
		require.Nil(b, e)
		if _, e := server.Write(form, "gpt-x"); e != nil {
			b.Fatal(e)
		}
	}
}

// BenchmarkChunk tells the cost of one chunk in streams of different lengths.
func BenchmarkChunk(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			chunk := []byte(`data: {"id":"id-1","object":"chat.completion.chunk","created":5,"model":"gpt-y","choices":[{"index":0,"delta":{"content":" lorem"},"finish_reason":null}]}` + "\n\n")
			m := meta(b, nil)
			out := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			chunks := 0
			for b.Loop() {
				reader, writer := server.NewReader(), responses.Client.NewWriter(m)
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
