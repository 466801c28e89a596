package openai_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// seeds are what the cases of a file give a codec.
func seeds(f *testing.F, file string) (in []json.RawMessage) {
	b, err := os.ReadFile("testdata/" + file)
	require.NoError(f, err)
	var cases []codectest.Case
	require.NoError(f, json.Unmarshal(b, &cases))
	for _, c := range cases {
		in = append(in, c.In)
	}
	return in
}

// FuzzRequest: a call is refused by name, or becomes JSON that reads as the
// same call.
func FuzzRequest(f *testing.F) {
	for _, file := range []string{"requests.json", "refusals.json"} {
		for _, in := range seeds(f, file) {
			f.Add([]byte(in))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for op, client := range clients {
			if op == "" {
				continue
			}
			req, e := dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op}, op, "application/json", body)
			if e != nil {
				continue
			}
			form, e := client.Read(req)
			if e == nil {
				for _, server := range servers {
					if out, e := server.Write(form, "m"); e == nil {
						require.True(t, jsontext.Valid(out), "%s", out)
					} else {
						require.NotEmpty(t, e.Param)
					}
				}
			} else {
				require.NotEmpty(t, e.Param)
				require.Contains(t, e.Message, e.Param)
			}
		}
	})
}

// FuzzReply: no reply makes the codec fail in an undue way.
func FuzzReply(f *testing.F) {
	for _, in := range seeds(f, "replies.json") {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !jsontext.Valid(body) {
			return
		}
		r, err := openai.ChatProvider.Read(body)
		if err != nil {
			return
		}
		for _, op := range []dialect.Operation{"", dialect.Completions} {
			out := clients[op].AppendReply(nil, r, meta(t, &codectest.Case{Op: op}))
			require.True(t, jsontext.Valid(out), "%s", out)
		}
	})
}

// FuzzStream: a stream cut anywhere gives what it gives whole, every event is
// JSON, and blocks neither overlap nor come before the start.
func FuzzStream(f *testing.F) {
	for _, in := range seeds(f, "streams.json") {
		f.Add(codectest.Stream(f, in), uint16(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		m := meta(t, &codectest.Case{})
		want, wantErr := codectest.Carry(openai.ChatProvider, openai.ChatClient, m, stream)
		var pieces [][]byte
		for rest, n := stream, int(size)+1; len(rest) > 0; {
			n = min(n, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, err := codectest.Carry(openai.ChatProvider, openai.ChatClient, m, pieces...)
		require.Equal(t, string(want), string(got))
		require.Equal(t, wantErr, err)
		for _, event := range strings.Split(strings.TrimSuffix(string(want), "\n\n"), "\n\n") {
			data, ok := strings.CutPrefix(event, "data: ")
			require.True(t, event == "" || ok && (data == "[DONE]" || jsontext.Valid([]byte(data))), event)
		}
		order(t, stream)
	})
}

// order holds the events of a stream against what package conversation says
// of their order.
func order(t *testing.T, stream []byte) {
	begun, open, index, finished := false, false, 0, false
	r := openai.ChatProvider.NewReader()
	fn := func(ev *conversation.Event) {
		switch ev.Kind {
		case conversation.Start:
			require.False(t, begun)
			begun = true
		case conversation.BlockStart:
			require.True(t, begun && !open && !finished)
			require.Equal(t, index, ev.Index)
			open = true
		case conversation.Delta:
			require.True(t, open)
			require.Equal(t, index, ev.Index)
		case conversation.BlockStop:
			require.True(t, open)
			open = false
			index++
		case conversation.Finish:
			require.True(t, begun && !open && !finished)
			finished = true
		case conversation.End:
			require.True(t, finished)
		}
	}
	if r.Feed(stream, fn) == nil {
		_ = r.Close(fn) // only the order counts here
	}
}
