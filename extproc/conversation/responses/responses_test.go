package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/conversation/responses"
	"sluice/extproc/dialect"
)

// server is a provider that takes back all that can go back.
var server = openai.NewChatProvider(openai.Traits{Reasoning: openai.ReasoningObject, Echo: openai.EchoDetails})

func parse(t testing.TB, body []byte) *dialect.Request {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.Responses, Operation: dialect.Chat}, dialect.Chat, "application/json", body)
	require.Nil(t, e, "%+v", e)
	return req
}

func meta(t testing.TB, call []byte) conversation.Meta {
	if call == nil {
		call = []byte(`{"model":"e","input":"hi"}`)
	}
	req := parse(t, call)
	form, e := responses.Client.Read(req)
	require.Nil(t, e, "%+v", e)
	return conversation.Meta{Request: req, Form: form, ExchangeID: "ex-1", Created: 1700000000, Model: "m"}
}

// TestRequests: what becomes of calls at a provider of chat completions.
func TestRequests(t *testing.T) {
	codectest.Each(t, "testdata/requests.json", func(t *testing.T, c *codectest.Case) []byte {
		req := parse(t, c.In)
		form, e := responses.Client.Read(req)
		require.Nil(t, e, "%+v", e)
		form.Stream = req.Stream
		body, e := server.Write(form, "gpt-x")
		require.Nil(t, e, "%+v", e)
		return body
	})
}

func TestRefusals(t *testing.T) {
	codectest.Each(t, "testdata/refusals.json", func(t *testing.T, c *codectest.Case) []byte {
		_, e := responses.Client.Read(parse(t, c.In))
		c.Refused(t, e)
		return nil
	})
}

func TestReplies(t *testing.T) {
	codectest.Each(t, "testdata/replies.json", func(t *testing.T, c *codectest.Case) []byte {
		r, err := server.Read(c.In)
		require.NoError(t, err)
		return responses.Client.AppendReply(nil, r, meta(t, c.Call))
	})
}

// TestStreams: the published sequence of events, however the provider's stream
// is cut; and what the stream adds up to is what a whole reply would have been.
func TestStreams(t *testing.T) {
	codectest.Each(t, "testdata/streams.json", func(t *testing.T, c *codectest.Case) []byte {
		m, stream := meta(t, c.Call), codectest.Stream(t, c.In)
		out, err := codectest.Carry(server, responses.Client, m, stream)
		require.NoError(t, err)
		codectest.CutAnywhere(t, server, responses.Client, m, stream)
		events := codectest.Data(t, out)
		sequence(t, out, events)
		return events
	})
}

// sequence checks what holds for every stream.
func sequence(t *testing.T, out, events []byte) {
	list := gjson.ParseBytes(events).Array()
	names := strings.Split(string(out), "\n\n")
	for i, ev := range list {
		require.Equal(t, int64(i), ev.Get("sequence_number").Int())
		require.True(t, strings.HasPrefix(names[i], "event: "+ev.Get("type").Str+"\n"), names[i])
	}
	require.Equal(t, "response.created", list[0].Get("type").Str)
	last := list[len(list)-1].Get("response")
	for i, item := range last.Get("output").Array() {
		done := gjson.ParseBytes(events).Get(`#(type=="response.output_item.done")#`).Array()
		require.Equal(t, done[i].Get("item").Raw, item.Raw)
	}
}

// TestSignatures: what proves reasoning and tool calls goes back as it came.
func TestSignatures(t *testing.T) {
	reply := &conversation.Reply{Stop: conversation.StopTools, Usage: conversation.NoUsage, Blocks: []conversation.Block{
		{Kind: conversation.Thinking, Text: "h.m", Signature: "s.i/g=="},
		{Kind: conversation.Redacted, Data: "d.a=="},
		{Kind: conversation.Text, Text: "a"},
		{Kind: conversation.ToolUse, ID: "c.1", Name: "f", Input: `{"a":1}`, Signature: "t.s="},
		{Kind: conversation.ToolUse, ID: "c2", Name: "f", Input: `{}`},
	}}
	for _, summary := range []string{"auto", "none"} {
		call := `{"model":"e","input":"hi","include":["reasoning.encrypted_content"],"reasoning":{"summary":"` + summary + `"}}`
		body := responses.Client.AppendReply(nil, reply, meta(t, []byte(call)))
		output := gjson.GetBytes(body, "output").Raw
		again := `{"model":"e","input":[{"role":"user","content":"hi"},` + output[1:len(output)-1] +
			`,{"type":"function_call_output","call_id":"c.1","output":"r"},{"type":"function_call_output","call_id":"c2","output":"r"}]}`
		form, e := responses.Client.Read(parse(t, []byte(again)))
		require.Nil(t, e, "%+v", e)
		require.Len(t, form.Messages, 3)
		require.Equal(t, reply.Blocks, form.Messages[1].Blocks, summary)
		require.Len(t, form.Messages[2].Blocks, 2)
	}
	plain := responses.Client.AppendReply(nil, reply, meta(t, nil))
	require.NotContains(t, string(plain), "encrypted_content", "the client did not ask")
}

// TestLongNames: a tool whose name is too long within its namespace is called
// by another, and the client does not see that.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("n", 40)
	call := `{"model":"e","input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"c","namespace":"` + long + `","name":"` + long +
		`","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"r"}],"tools":[{"type":"namespace","name":"` + long +
		`","description":"d","tools":[{"type":"function","name":"` + long + `"},{"type":"function","name":"` + long + `2"}]}]}`
	m := meta(t, []byte(call))
	names := []string{m.Form.Tools[0].Name, m.Form.Tools[1].Name}
	require.Len(t, names[0], 64)
	require.NotEqual(t, names[0], names[1])
	require.Equal(t, names[0], m.Form.Messages[1].Blocks[0].Name)
	body := responses.Client.AppendReply(nil, &conversation.Reply{Blocks: []conversation.Block{{Kind: conversation.ToolUse, ID: "d", Name: names[1], Input: "{}"}}}, m)
	require.Equal(t, long, gjson.GetBytes(body, "output.0.namespace").Str)
	require.Equal(t, long+"2", gjson.GetBytes(body, "output.0.name").Str)
}

// TestFailures: a stream that breaks ends as the API's do.
func TestFailures(t *testing.T) {
	e := &dialect.Error{Status: 529, Code: dialect.CodeProviderOverloaded, Message: "The provider is overloaded."}
	for _, begun := range []bool{true, false} {
		w := responses.Client.NewWriter(meta(t, nil))
		var out []byte
		if begun {
			out = w.Append(out, &conversation.Event{Kind: conversation.Start, Model: "gpt-y"})
			out = w.Append(out, &conversation.Event{Kind: conversation.BlockStart, Block: conversation.Block{Kind: conversation.Text}})
			out = w.Append(out, &conversation.Event{Kind: conversation.Delta, Text: "a"})
		}
		out = w.(interface {
			AppendFailure([]byte, *dialect.Error) []byte
		}).AppendFailure(out, e)
		events := codectest.Data(t, out)
		require.True(t, json.Valid(events), "%s", events)
		sequence(t, out, events)
		last := gjson.GetBytes(events, "@reverse.0")
		require.Equal(t, "response.failed", last.Get("type").Str)
		require.Equal(t, "failed", last.Get("response.status").Str)
		require.Equal(t, "server_error", last.Get("response.error.code").Str)
		require.Equal(t, "ex-1", last.Get("response.error.exchange_id").Str)
	}
	for status, code := range map[int]string{429: "rate_limit_exceeded", 400: "invalid_prompt", 503: "server_error"} {
		out := responses.AppendFailed(nil, &dialect.Error{Status: status, Message: "m"}, responses.Failed{})
		require.Contains(t, string(out), `"error":{"code":"`+code+`","message":"m"}`)
	}
	out := responses.AppendFailed(nil, &dialect.Error{Status: 400, ProviderCode: "context_length_exceeded"}, responses.Failed{})
	require.Contains(t, string(out), `"code":"context_length_exceeded"`)
}
