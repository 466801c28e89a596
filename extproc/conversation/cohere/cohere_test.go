package cohere_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/cohere"
	"sluice/extproc/dialect/jsontext"
)

func block(kind conversation.Kind, text string) conversation.Block {
	return conversation.Block{Kind: kind, Text: text}
}

// TestWrite is about what clients' codecs, whose cases are with the provider,
// don't come to.
func TestWrite(t *testing.T) {
	said := func(role conversation.Role, blocks ...conversation.Block) *conversation.Request {
		return &conversation.Request{Messages: []conversation.Message{{Role: role, Blocks: blocks}}}
	}
	image := conversation.Block{Kind: conversation.Image, URL: "https://example.com/a.png"}
	for name, c := range map[string]struct {
		form *conversation.Request
		want string // the messages, or what is refused
	}{
		"nothing said": {said(conversation.User), `[{"role":"user","content":""}]`},
		"reasoning": {said(conversation.Assistant, block(conversation.Thinking, "hm"), conversation.Block{Kind: conversation.Redacted, Data: "x"},
			conversation.Block{Kind: conversation.Thinking, Text: "signed elsewhere", Signature: "s"}, block(conversation.Text, "a")),
			`[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]}]`},
		"only sealed":    {said(conversation.Assistant, conversation.Block{Kind: conversation.Redacted, Data: "x"}), `[{"role":"assistant","content":""}]`},
		"refusal":        {said(conversation.Assistant, block(conversation.Refusal, "no")), `[{"role":"assistant","content":[{"type":"text","text":"no"}]}]`},
		"system between": {said(conversation.System, block(conversation.Text, "s")), `[{"role":"system","content":"s"}]`},
		"call without input": {said(conversation.Assistant, conversation.Block{Kind: conversation.ToolUse, ID: "1", Name: "f"}),
			`[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]`},
		"result without text":      {said(conversation.User, conversation.Block{Kind: conversation.ToolResult, ID: "1"}), `[{"role":"tool","tool_call_id":"1","content":""}]`},
		"image":                    {said(conversation.User, image), `[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]`},
		"document":                 {said(conversation.User, block(conversation.Document, "")), "messages[0].content"},
		"image of the assistant's": {said(conversation.Assistant, image), "messages[0].content"},
		"image of a tool":          {said(conversation.User, conversation.Block{Kind: conversation.ToolResult, Blocks: []conversation.Block{image}}), "messages[0].content"},
		"extra":                    {&conversation.Request{Extra: []conversation.Member{{Name: "logit_bias", Value: "{}"}}}, "logit_bias"},
	} {
		body, e := cohere.Provider.Write(c.form, "m")
		if e != nil {
			assert.Equal(t, c.want, e.Param, name)
			continue
		}
		require.True(t, jsontext.Valid(body), "%s: %s", name, body)
		assert.JSONEq(t, c.want, jsontext.View(body).Get("messages").Raw, name)
	}
	body, e := cohere.Provider.Write(&conversation.Request{
		TopP: "0", TopK: "3", Reasoning: conversation.Reasoning{Budget: 100}, Extra: []conversation.Member{{Name: "safety_mode", Value: `"STRICT"`}},
		Tools: []conversation.Tool{{Name: "f", Strict: "true"}}, ToolChoice: conversation.ChooseAuto,
	}, "m")
	require.Nil(t, e)
	assert.JSONEq(t, `{"model":"m","stream":false,"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],
		"strict_tools":true,"p":0.01,"k":3,"thinking":{"type":"enabled","token_budget":100},"safety_mode":"STRICT"}`, string(body))
}

func TestReadWhatIsNoReply(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `1`, `{"message":"no"}`} {
		_, err := cohere.Provider.Read([]byte(body))
		assert.Error(t, err, body)
	}
	for reason, status := range map[string]int{"ERROR": 502, "TIMEOUT": 504} {
		_, err := cohere.Provider.Read([]byte(`{"finish_reason":"` + reason + `","message":{}}`))
		var told *conversation.Failure
		require.True(t, errors.As(err, &told))
		assert.Equal(t, status, told.Status)
	}
	r, err := cohere.Provider.Read([]byte(`{"finish_reason":"NEW","message":{"tool_calls":[{"function":{"arguments":"not JSON"}}]}}`))
	require.NoError(t, err)
	assert.Equal(t, conversation.StopUnknown, r.Stop)
	assert.Equal(t, conversation.Raw("{}"), r.Blocks[0].Input)
}

// read gives the events of a stream as text.
func read(stream string, size int) (string, error) {
	r := cohere.Provider.NewReader()
	var out strings.Builder
	take := func(ev *conversation.Event) { fmt.Fprintf(&out, "%+v\n", *ev) }
	for len(stream) > 0 {
		n := min(size, len(stream))
		if err := r.Feed([]byte(stream[:n]), take); err != nil {
			return out.String(), err
		}
		stream = stream[n:]
	}
	return out.String(), r.Close(take)
}

const (
	begin = `data: {"type":"message-start","id":"r"}` + "\n\n"
	words = `data: {"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}` + "\n\n"
	end   = `data: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`
)

func TestStream(t *testing.T) {
	for stream, want := range map[string]error{
		begin + words + end + "\n\n":             nil,
		begin + words + end:                      nil, // only its line end is missing
		words + end + "\n\n":                     nil,
		begin + words + end + "\n\n" + "data: x": nil,
		begin + words:                            conversation.ErrTruncated,
		"":                                       conversation.ErrTruncated,
		begin + words + end[:len(end)-3]:         conversation.ErrTruncated,
		begin + "data: [DONE]\n\n":               conversation.ErrTruncated,
	} {
		_, err := read(stream, len(stream)+1)
		assert.Equal(t, want, err, stream)
	}
	for _, stream := range []string{
		begin + "data: x\n\n", begin + `data: {"message":"too many"}` + "\n\n", begin + `data: {"type":"tool-call-delta"}` + "\n\n",
		begin + `data: {"type":"message-end","delta":{"error":"x"}}` + "\n\n", begin + `data: {"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}` + "\n\n",
	} {
		_, err := read(stream, len(stream))
		assert.Error(t, err, stream)
	}
}

// FuzzStream: however a stream is cut, its events are the same, and in order.
func FuzzStream(f *testing.F) {
	f.Add(begin+words+end+"\n\n", 3)
	f.Add(begin+`data: {"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"1","function":{"name":"f","arguments":"{}"}}}}}`+"\n\n"+end, 1)
	f.Fuzz(func(t *testing.T, stream string, size int) {
		whole, err := read(stream, len(stream)+1)
		cut, again := read(stream, max(size, 1))
		require.Equal(t, whole, cut)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(again))
	})
}

// FuzzReply: no reply makes Read fail in an undue way.
func FuzzReply(f *testing.F) {
	f.Add(`{"id":"1","finish_reason":"COMPLETE","message":{"content":[{"type":"text","text":"a"}],"tool_calls":[{}],"tool_plan":1},"usage":{"tokens":{"input_tokens":1e400}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if !jsontext.Valid([]byte(body)) {
			return
		}
		r, err := cohere.Provider.Read([]byte(body))
		if err != nil {
			return
		}
		for _, b := range r.Blocks {
			require.True(t, b.Kind != conversation.ToolUse || jsontext.Valid([]byte(b.Input)))
		}
	})
}

func benchmark(b *testing.B, chunks int) {
	stream := begin + strings.Repeat(words, chunks) + end + "\n\n"
	b.ReportAllocs()
	for b.Loop() {
		r := cohere.Provider.NewReader()
		for i := 0; i < len(stream); i += len(words) {
			_ = r.Feed([]byte(stream[i:min(i+len(words), len(stream))]), func(*conversation.Event) {})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*chunks), "ns/chunk")
}

func BenchmarkStream100(b *testing.B)   { benchmark(b, 100) }
func BenchmarkStream10000(b *testing.B) { benchmark(b, 10_000) }
