package converse_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	c "sluice/extproc/conversation"
	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect/eventstream"
)

func TestRead(t *testing.T) {
	const usage = `"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":4,"cacheWriteInputTokens":3}`
	counted := c.Usage{Input: 17, Output: 5, CacheRead: 4, CacheWrite: 3, Reasoning: -1}
	message := func(content, stop string) string {
		return `{"output":{"message":{"role":"assistant","content":` + content + `}},"stopReason":"` + stop + `",` + usage + `,"metrics":{"latencyMs":1}}`
	}
	for name, q := range map[string]struct {
		body string
		want c.Reply
	}{
		"text":    {message(`[{"text":"a\n"},{"text":"b"}]`, "end_turn"), c.Reply{Blocks: []c.Block{text("a\n"), text("b")}, Stop: c.StopEnd, Usage: counted}},
		"nothing": {`{"output":{"message":{"content":[]}}}`, c.Reply{Stop: c.StopUnknown, Usage: c.NoUsage}},
		"tools": {message(`[{"text":"a"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a": 1}}},{"toolUse":{"toolUseId":"t2","name":"g","input":{}}}]`, "tool_use"),
			c.Reply{Blocks: []c.Block{text("a"), use("t1", "f", `{"a": 1}`), use("t2", "g", "{}")}, Stop: c.StopTools, Usage: counted}},
		"input that is none": {message(`[{"toolUse":{"toolUseId":"t1","name":"f","input":"x"}}]`, "tool_use"), c.Reply{Blocks: []c.Block{use("t1", "f", "{}")}, Stop: c.StopTools, Usage: counted}},
		"reasoning": {message(`[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"AA=="}},{"text":"a"}]`, "max_tokens"),
			c.Reply{Blocks: []c.Block{{Kind: c.Thinking, Text: "hm", Signature: "s"}, {Kind: c.Redacted, Data: "AA=="}, text("a")}, Stop: c.StopLength, Usage: counted}},
		"answer by tool": {message(`[{"toolUse":{"toolUseId":"t1","name":"answer_as_json_8c1f","input":{"a":1}}}]`, "tool_use"),
			c.Reply{Blocks: []c.Block{text(`{"a":1}`)}, Stop: c.StopEnd, Usage: counted}},
		"citations": {message(`[{"citationsContent":{"content":[{"text":"a"}],"citations":[]}}]`, "end_turn"), c.Reply{Blocks: []c.Block{text("a")}, Stop: c.StopEnd, Usage: counted}},
		"image":     {message(`[{"image":{"format":"png","source":{"bytes":"AA=="}}}]`, "end_turn"), c.Reply{Blocks: []c.Block{{Kind: c.Image, MediaType: "image/png", Data: "AA=="}}, Stop: c.StopEnd, Usage: counted}},
		"new block": {message(`[{"news":{}},{"text":"a"}]`, "end_turn"), c.Reply{Blocks: []c.Block{text("a")}, Stop: c.StopEnd, Usage: counted}},
		"stop text": {`{"output":{"message":{"content":[]}},"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}`, c.Reply{Stop: c.StopSequence, StopText: "END", Usage: c.NoUsage}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := converse.Provider.Read([]byte(q.body))
			require.NoError(t, err)
			require.Equal(t, &q.want, got)
		})
	}
	for reason, want := range map[string]c.StopReason{
		"model_context_window_exceeded": c.StopLength, "guardrail_intervened": c.StopFilter, "content_filtered": c.StopFilter, "refusal": c.StopRefusal,
		"pause_turn": c.StopPause, "malformed_tool_use": c.StopUnknown, "malformed_model_output": c.StopUnknown, "news": c.StopUnknown,
	} {
		got, err := converse.Provider.Read([]byte(message(`[]`, reason)))
		require.NoError(t, err)
		require.Equal(t, want, got.Stop, reason)
	}
	for _, body := range []string{`{}`, `[]`, `"x"`, `{"output":{"message":{"content":"x"}}}`, `{"message":"no"}`} {
		_, err := converse.Provider.Read([]byte(body))
		require.Error(t, err, body)
	}
}

// told renders events, one a line.
func told(list *[]string) func(*c.Event) {
	return func(ev *c.Event) {
		s := []string{"?", "start", "block", "delta", "stop", "finish", "end"}[ev.Kind]
		switch ev.Kind {
		case c.BlockStart, c.BlockStop:
			s += fmt.Sprintf(" %d %d %s%s%s%s", ev.Index, ev.Block.Kind, ev.Block.ID, ev.Block.Name, ev.Block.Signature, ev.Block.Data)
		case c.Delta:
			s += fmt.Sprintf(" %d %s", ev.Index, ev.Text)
		case c.Finish:
			s += " " + string(ev.Stop) + ev.StopText
		case c.End:
			s += fmt.Sprint(" ", ev.Usage)
		}
		*list = append(*list, s)
	}
}

// stream reads a stream in pieces of some size.
func stream(b []byte, size int) (events []string, err error) {
	r := converse.Provider.NewReader()
	fn := told(&events)
	for at := 0; at < len(b); at += size {
		if err := r.Feed(b[at:min(at+size, len(b))], fn); err != nil {
			return events, err
		}
	}
	return events, r.Close(fn)
}

const counted = "end {17 5 4 3 -1}"

// streamed is what testdata/streams.json, which streams.py wrote and botocore
// read, is to us.
var streamed = map[string][]string{
	"text": {"start", "block 0 1 ", "delta 0 Hel", "delta 0 lo é😀", "stop 0 1 ", "finish end", counted},
	"reasoning, text, tools": {
		"start", "block 0 7 ", "delta 0 hm", "delta 0  so", "stop 0 7 c2ln", "block 1 8 ", "stop 1 8 cmVk", "block 2 1 ", "delta 2 I look.", "stop 2 1 ",
		"block 3 5 tooluse_1f", `delta 3 {"a":`, `delta 3 "x"}`, "stop 3 5 ", "block 4 5 tooluse_2g", "stop 4 5 ", "finish tools", counted,
	},
	"length":         {"start", "block 0 1 ", "delta 0 cut", "stop 0 1 ", "finish length", counted},
	"stop sequence":  {"start", "block 0 1 ", "delta 0 a", "stop 0 1 ", "finish stopEND", counted},
	"answer by tool": {"start", "block 0 1 ", `delta 0 {"a":1}`, "stop 0 1 ", "finish end", counted},
	"throttled":      {"start", "block 0 1 ", "delta 0 a"},
	"model failed":   nil,
	"broken off":     {"start", "block 0 1 ", "delta 0 a"},
}

func TestStream(t *testing.T) {
	b, err := os.ReadFile("testdata/streams.json")
	require.NoError(t, err)
	var streams []struct {
		Name, Frames, Error string
		Events              []map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(b, &streams))
	require.Len(t, streams, len(streamed))
	for _, s := range streams {
		t.Run(s.Name, func(t *testing.T) {
			frames, err := base64.StdEncoding.DecodeString(s.Frames)
			require.NoError(t, err)
			checkFrames(t, frames, s.Events)
			for size := 1; size < 64; size++ {
				got, err := stream(frames, size)
				checkStream(t, s.Name, s.Error, got, err)
			}
			got, err := stream(frames, len(frames))
			checkStream(t, s.Name, s.Error, got, err)
		})
	}
}

func checkStream(t *testing.T, name, exception string, got []string, err error) {
	t.Helper()
	require.Equal(t, streamed[name], got)
	var failure *c.Failure
	switch {
	case exception != "":
		require.ErrorAs(t, err, &failure)
		require.Equal(t, strings.ToUpper(exception[:1])+exception[1:], failure.Code)
		require.NotEmpty(t, failure.Message)
	case name == "broken off":
		require.ErrorIs(t, err, c.ErrTruncated)
	default:
		require.NoError(t, err)
	}
}

// checkFrames holds our framer against botocore's.
func checkFrames(t *testing.T, frames []byte, want []map[string]json.RawMessage) {
	var r eventstream.Reader
	i := 0
	require.NoError(t, r.Feed(frames, func(m eventstream.Message) error {
		if m.Kind != eventstream.Event {
			return nil
		}
		require.Contains(t, want[i], m.Type)
		i++
		return nil
	}))
	require.NoError(t, r.End())
	require.Equal(t, len(want), i)
}

// TestCutAnywhere cuts the longest stream in two at every byte.
func TestCutAnywhere(t *testing.T) {
	b, err := os.ReadFile("testdata/streams.json")
	require.NoError(t, err)
	frames, err := base64.StdEncoding.DecodeString(gjson.GetBytes(b, `#(name="reasoning, text, tools").frames`).Str)
	require.NoError(t, err)
	for i := range frames {
		var got []string
		r := converse.Provider.NewReader()
		require.NoError(t, r.Feed(frames[:i], told(&got)))
		require.NoError(t, r.Feed(frames[i:], told(&got)))
		require.NoError(t, r.Close(told(&got)))
		require.Equal(t, streamed["reasoning, text, tools"], got, "cut at %d", i)
	}
}

func events(list ...string) []byte {
	var b []byte
	for i := 0; i < len(list); i += 2 {
		b = eventstream.Append(b, eventstream.Event, list[i], []byte(list[i+1]))
	}
	return b
}

// TestOddStreams are streams that Bedrock does not send, or not yet.
func TestOddStreams(t *testing.T) {
	const start, stop, meta = `{"role":"assistant"}`, `{"stopReason":"end_turn"}`, `{"usage":{"inputTokens":1,"outputTokens":2}}`
	const a0, b1 = `{"contentBlockIndex":0,"delta":{"text":"a"}}`, `{"contentBlockIndex":1,"delta":{"text":"b"}}`
	for name, q := range map[string]struct {
		stream []byte
		want   []string
		bad    bool
	}{
		"no usage":           {events("messageStart", start, "messageStop", stop), []string{"start", "finish end", "end {-1 -1 -1 -1 -1}"}, false},
		"usage first":        {events("messageStart", start, "metadata", meta, "messageStop", stop), []string{"start", "finish end", "end {1 2 -1 -1 -1}"}, false},
		"more after the end": {events("messageStart", start, "messageStop", stop, "metadata", meta, "messageStart", start), []string{"start", "finish end", "end {1 2 -1 -1 -1}"}, false},
		"new event":          {events("messageStart", start, "news", `{}`, "messageStop", stop), []string{"start", "finish end", "end {-1 -1 -1 -1 -1}"}, false},
		"no block stops":     {events("messageStart", start, "contentBlockDelta", a0, "contentBlockDelta", b1, "messageStop", stop), []string{"start", "block 0 1 ", "delta 0 a", "stop 0 1 ", "block 1 1 ", "delta 1 b", "stop 1 1 ", "finish end", "end {-1 -1 -1 -1 -1}"}, false},
		"text start":         {events("messageStart", start, "contentBlockStart", `{"contentBlockIndex":0,"start":{}}`, "contentBlockDelta", a0, "messageStop", stop), []string{"start", "block 0 1 ", "delta 0 a", "stop 0 1 ", "finish end", "end {-1 -1 -1 -1 -1}"}, false},
		"new delta":          {events("messageStart", start, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"citation":{}}}`, "messageStop", stop), []string{"start", "finish end", "end {-1 -1 -1 -1 -1}"}, false},
		"arguments first":    {events("messageStart", start, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{"}}}`), []string{"start"}, true},
		"no start":           {events("contentBlockDelta", a0), nil, true},
		"two starts":         {events("messageStart", start, "messageStart", start), []string{"start"}, true},
		"after the stop":     {events("messageStart", start, "messageStop", stop, "contentBlockDelta", a0), []string{"start", "finish end"}, true},
		"not JSON":           {events("messageStart", `{"role":`), nil, true},
		"not frames":         {[]byte("event: x\ndata: {}\n\nevent: y\n"), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := stream(q.stream, len(q.stream))
			require.Equal(t, q.want, got)
			if q.bad {
				require.Error(t, err)
				require.NotErrorIs(t, err, c.ErrTruncated)
				var failure *c.Failure
				require.False(t, errors.As(err, &failure))
				return
			}
			require.NoError(t, err)
		})
	}
	cut := events("messageStart", start, "messageStop", stop, "metadata", meta)
	_, err := stream(cut[:len(cut)-1], 10)
	require.ErrorIs(t, err, c.ErrTruncated)
	got, err := stream(eventstream.Append(nil, eventstream.Exception, "internalServerException", []byte("not json")), 99)
	require.Empty(t, got)
	require.Equal(t, &c.Failure{Kind: "InternalServerException", Code: "InternalServerException"}, err)
}
