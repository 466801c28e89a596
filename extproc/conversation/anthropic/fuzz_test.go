package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// FuzzRequest: a call becomes JSON for the provider, or a refusal that names a
// field. What was written reads back as the same form, but for what is left out.
func FuzzRequest(f *testing.F) {
	for _, c := range load(f, "requests.json") {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat}, dialect.Chat, "", body)
		if e != nil {
			return
		}
		form, e := anthropic.Client.Read(req)
		var out []byte
		if e == nil {
			out, e = anthropic.Provider.Write(form, "m")
		}
		if e != nil {
			require.Equal(t, 400, e.Status)
			require.NotEmpty(t, e.Param)
			require.True(t, strings.HasPrefix(e.Message, "'"), e.Message)
			return
		}
		require.True(t, json.Valid(out), "%s", out)
		again, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat}, dialect.Chat, "", out)
		if e != nil {
			return // all messages were left out
		}
		second, e := anthropic.Client.Read(again)
		require.Nil(t, e, "%+v\n%s", e, out)
		second.Reasoning.Show = form.Reasoning.Show // what a client did not say
		twice, e := anthropic.Provider.Write(second, "m")
		require.Nil(t, e, "%+v\n%s", e, out)
		require.JSONEq(t, string(out), string(twice))
	})
}

// FuzzReply: whatever the provider replies, the client gets a message, or an
// error is told.
func FuzzReply(f *testing.F) {
	for _, c := range load(f, "replies.json") {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !jsontext.Valid(body) {
			return
		}
		r, err := anthropic.Provider.Read(body)
		if err != nil {
			return
		}
		out := anthropic.Client.AppendReply(nil, r, meta)
		require.True(t, json.Valid(out), "%s", out)
		again, err := anthropic.Provider.Read(out)
		require.NoError(t, err)
		require.Equal(t, out, anthropic.Client.AppendReply(nil, again, meta))
	})
}

// FuzzStream: a stream cut anywhere gives the same bytes as whole; they are
// events of JSON, in the published order.
func FuzzStream(f *testing.F) {
	for _, c := range load(f, "streams.json") {
		f.Add(framed(f, c.In), uint16(100), uint16(1000))
	}
	f.Add([]byte("data: {\"type\":\"error\",\"error\":{}}\n\n"), uint16(3), uint16(4))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		i, j := int(a)%(len(stream)+1), int(b)%(len(stream)+1)
		i, j = min(i, j), max(i, j)
		out, usage, err := carry(stream)
		cut, again, errAgain := carry(stream[:i], stream[i:j], stream[j:])
		require.Equal(t, err, errAgain)
		require.Equal(t, string(out), string(cut))
		require.Equal(t, usage, again)
		if err == nil {
			requireOrder(t, stream)
		}
		unframed(t, out)
	})
}

// requireOrder holds the form's events to their order.
func requireOrder(t *testing.T, stream []byte) {
	t.Helper()
	r := anthropic.Provider.NewReader()
	last, index := conversation.EventKind(0), -1
	event := func(ev *conversation.Event) {
		follows := map[conversation.EventKind][]conversation.EventKind{
			conversation.Start:      {0, conversation.Start},
			conversation.BlockStart: {conversation.Start, conversation.BlockStop},
			conversation.Delta:      {conversation.BlockStart, conversation.Delta},
			conversation.BlockStop:  {conversation.BlockStart, conversation.Delta},
			conversation.Finish:     {conversation.Start, conversation.BlockStop},
			conversation.End:        {conversation.Finish},
		}[ev.Kind]
		require.Contains(t, follows, last, "before %d", ev.Kind)
		last = ev.Kind
		if ev.Kind == conversation.BlockStart {
			index++
		}
		require.Equal(t, max(index, 0), ev.Index)
	}
	require.NoError(t, r.Feed(stream, event))
	require.NoError(t, r.Close(event))
	require.Equal(t, conversation.End, last)
}
