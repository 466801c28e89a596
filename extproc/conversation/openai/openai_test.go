package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
)

var clients = map[dialect.Operation]conversation.Client{
	"": openai.ChatClient, dialect.Chat: openai.ChatClient, dialect.Completions: openai.CompletionsClient,
}

// servers are the codecs by the word that a case has in "code".
var servers = map[string]conversation.Provider{
	"":       openai.ChatProvider,
	"openai": openai.NewChatProvider(openai.Traits{CompletionTokens: true}),
	"openrouter": openai.NewChatProvider(openai.Traits{
		TopK: true, Reasoning: openai.ReasoningObject, Echo: openai.EchoDetails}),
	"deepseek": openai.NewChatProvider(openai.Traits{
		NoStreamOptions: true, Reasoning: openai.ThinkingSwitch, Echo: openai.EchoContent}),
}

func parse(t testing.TB, op dialect.Operation, body []byte) *dialect.Request {
	t.Helper()
	if op == "" {
		op = dialect.Chat
	}
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op}, op, "application/json", body)
	require.Nil(t, e, "%+v", e)
	return req
}

func meta(t testing.TB, c *codectest.Case) conversation.Meta {
	req := parse(t, c.Op, map[dialect.Operation][]byte{
		"":                  []byte(`{"model":"e","messages":[{"role":"user","content":"hi"}]}`),
		dialect.Completions: []byte(`{"model":"e","prompt":"hi"}`),
	}[c.Op])
	req.Stream, req.IncludeUsage = true, c.Usage
	form, e := clients[c.Op].Read(req)
	require.Nil(t, e)
	return conversation.Meta{Request: req, Form: form, ExchangeID: "ex-1", Created: 1700000000, Model: "m"}
}

// TestRequests reads calls and writes them again: what they mean is kept.
func TestRequests(t *testing.T) {
	codectest.Each(t, "testdata/requests.json", func(t *testing.T, c *codectest.Case) []byte {
		req := parse(t, c.Op, c.In)
		form, e := clients[c.Op].Read(req)
		require.Nil(t, e, "%+v", e)
		form.Stream = req.Stream
		body, e := servers[c.Code].Write(form, "gpt-x")
		require.Nil(t, e, "%+v", e)
		require.True(t, json.Valid(body), "%s", body)
		if c.Op == "" && c.Code == "" {
			again, e := openai.ChatClient.Read(parse(t, "", body))
			require.Nil(t, e, "%+v", e)
			twice, e := openai.ChatProvider.Write(withStream(again, req), "gpt-x")
			require.Nil(t, e)
			require.Equal(t, string(body), string(twice), "what was written reads as what it was written from")
		}
		return body
	})
}

func withStream(form *conversation.Request, req *dialect.Request) *conversation.Request {
	form.Stream = req.Stream
	return form
}

// TestRefusals: what has no place in the form is refused by name.
func TestRefusals(t *testing.T) {
	codectest.Each(t, "testdata/refusals.json", func(t *testing.T, c *codectest.Case) []byte {
		form, e := clients[c.Op].Read(parse(t, c.Op, c.In))
		if e == nil {
			_, e = openai.ChatProvider.Write(form, "gpt-x")
		}
		c.Refused(t, e)
		return nil
	})
}

// TestForms: what other formats' clients say that OpenAI's can't.
func TestForms(t *testing.T) {
	user := conversation.Message{Role: conversation.User, Blocks: []conversation.Block{{Kind: conversation.Text, Text: "hi"}}}
	turn := func(role conversation.Role, blocks ...conversation.Block) []conversation.Message {
		return []conversation.Message{user, {Role: role, Blocks: blocks}}
	}
	use := conversation.Block{Kind: conversation.ToolUse, ID: "c1", Name: "f", Input: `{"a":1}`}
	result := func(failed bool, blocks ...conversation.Block) conversation.Block {
		return conversation.Block{Kind: conversation.ToolResult, ID: "c1", IsError: failed, Blocks: blocks}
	}
	image := conversation.Block{Kind: conversation.Image, MediaType: "image/png", Data: "AA=="}
	words := func(s string) conversation.Block { return conversation.Block{Kind: conversation.Text, Text: s} }
	const head = `{"model":"m","messages":[{"role":"user","content":"hi"},`
	for _, c := range []struct {
		name  string
		form  conversation.Request
		want  string
		param string
	}{
		{"images of a result follow it", conversation.Request{Messages: append(turn(conversation.Assistant, use), conversation.Message{
			Role: conversation.User, Blocks: []conversation.Block{words("so?"), result(false, words("a"), image, words("b"))}})},
			head + `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},` +
				`{"role":"tool","tool_call_id":"c1","content":"a\n\nb"},` +
				`{"role":"user","content":[{"type":"text","text":"Result of the tool call c1:"},` +
				`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"so?"}]}]}`, ""},
		{"only an image", conversation.Request{Messages: turn(conversation.User, result(false, image))},
			head + `{"role":"tool","tool_call_id":"c1","content":"The result is in the next message."},` +
				`{"role":"user","content":[{"type":"text","text":"Result of the tool call c1:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}`, ""},
		{"a failed tool", conversation.Request{Messages: turn(conversation.User, result(true, words("no file")))},
			head + `{"role":"tool","tool_call_id":"c1","content":"Error: no file"}]}`, ""},
		{"a failed tool that says so", conversation.Request{Messages: turn(conversation.User, result(true, words("error 5")))},
			head + `{"role":"tool","tool_call_id":"c1","content":"error 5"}]}`, ""},
		{"texts are paragraphs, an assistant's are one", conversation.Request{
			System:   []conversation.Block{words("s1"), words(""), words("s2")},
			Messages: append(turn(conversation.Assistant, words("a"), words("b")), conversation.Message{Role: conversation.User, Blocks: []conversation.Block{words("c"), words("d")}})},
			`{"model":"m","messages":[{"role":"system","content":"s1\n\ns2"},{"role":"user","content":"hi"},{"role":"assistant","content":"ab"},{"role":"user","content":"c\n\nd"}]}`, ""},
		{"reasoning alone does not go back", conversation.Request{Messages: turn(conversation.Assistant, conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: "s"})},
			`{"model":"m","messages":[{"role":"user","content":"hi"}]}`, ""},
		{"budgets become efforts", conversation.Request{Messages: turn(conversation.Assistant, words("a")), Reasoning: conversation.Reasoning{Budget: 10000}},
			head + `{"role":"assistant","content":"a"}],"reasoning_effort":"medium"}`, ""},
		{"off by another way than effort is the default", conversation.Request{Messages: turn(conversation.Assistant, words("a")), Reasoning: conversation.Reasoning{Off: true}},
			head + `{"role":"assistant","content":"a"}]}`, ""},
		{"a schema without a name", conversation.Request{Messages: turn(conversation.Assistant, words("a")), Format: conversation.Format{Kind: conversation.FormatSchema, Schema: `{"type":"object"}`}},
			head + `{"role":"assistant","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}}`, ""},
		{"data that needs escapes", conversation.Request{Messages: turn(conversation.User, conversation.Block{Kind: conversation.Image, MediaType: "image/png", Data: "A\"\\\n"})},
			head + `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,A\"\\\n"}}]}]}`, ""},
		{"a user's id that is too long", conversation.Request{Messages: turn(conversation.Assistant, words("a")), User: strings.Repeat("u", 65), ServiceTier: "auto"},
			head + `{"role":"assistant","content":"a"}],"user":"f20e249d15fa4b9f44ba21d154f62e1efa76ddfdce5d25139a33a4787cee5a8b"}`, ""},
		{"gs URL", conversation.Request{Messages: turn(conversation.User, conversation.Block{Kind: conversation.Image, URL: "gs://b/o"})}, "", "messages[1].content[0].url"},
		{"document elsewhere", conversation.Request{Messages: turn(conversation.User, conversation.Block{Kind: conversation.Document, URL: "https://x/a.pdf"})}, "", "messages[1].content[0].url"},
		{"audio of another kind", conversation.Request{Messages: turn(conversation.User, conversation.Block{Kind: conversation.Audio, MediaType: "audio/ogg"})}, "", "messages[1].content[0].type"},
		{"an image by the assistant", conversation.Request{Messages: turn(conversation.Assistant, image)}, "", "messages[1].content[0].type"},
		{"a call by the user", conversation.Request{Messages: turn(conversation.User, use)}, "", "messages[1].content[0].type"},
		{"thinking in a result", conversation.Request{Messages: turn(conversation.User, result(false, conversation.Block{Kind: conversation.Thinking}))}, "", "messages[1].content[0].content[0].type"},
		{"top_k", conversation.Request{Messages: turn(conversation.Assistant, words("a")), TopK: "5"}, "", "top_k"},
		{"several answers", conversation.Request{Messages: turn(conversation.Assistant, words("a")), Candidates: 2}, "", "n"},
		{"another format's member", conversation.Request{Messages: turn(conversation.Assistant, words("a")), Extra: []conversation.Member{{Name: "mcp_servers", Value: "[]"}}}, "", "mcp_servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, e := openai.ChatProvider.Write(&c.form, "m")
			if c.param != "" {
				(&codectest.Case{Param: c.param}).Refused(t, e)
				return
			}
			require.Nil(t, e, "%+v", e)
			require.Equal(t, c.want, string(body))
		})
	}
}

// TestReplies carries whole answers from chat completions to both kinds of
// clients.
func TestReplies(t *testing.T) {
	codectest.Each(t, "testdata/replies.json", func(t *testing.T, c *codectest.Case) []byte {
		r, err := openai.ChatProvider.Read(c.In)
		require.NoError(t, err)
		return clients[c.Op].AppendReply(nil, r, meta(t, c))
	})
}

// TestStreams carries streams, cut anywhere.
func TestStreams(t *testing.T) {
	codectest.Each(t, "testdata/streams.json", func(t *testing.T, c *codectest.Case) []byte {
		m, stream := meta(t, c), codectest.Stream(t, c.In)
		out, err := codectest.Carry(openai.ChatProvider, clients[c.Op], m, stream)
		require.NoError(t, err)
		require.Contains(t, string(out), "data: [DONE]\n\n")
		codectest.CutAnywhere(t, openai.ChatProvider, clients[c.Op], m, stream)
		return codectest.Data(t, out)
	})
}

// TestFailures: errors in replies and streams, and streams that are no whole.
func TestFailures(t *testing.T) {
	var told *conversation.Failure
	for body, want := range map[string]conversation.Failure{
		`{"error":{"message":"m","type":"overloaded_error","code":"c"}}`:                                {Kind: "overloaded_error", Code: "c", Message: "m"},
		`{"error":{"message":"m","code":429}}`:                                                          {Status: 429, Message: "m"},
		`{"error":"words"}`:                                                                             {Message: "words"},
		`{"choices":[{"error":{"message":"m","code":502},"finish_reason":"error"}]}`:                    {Status: 502, Message: "m"},
		`{"error":null,"choices":[{"index":0,"error":{"message":"x"},"message":{"content":"partly"}}]}`: {Message: "x"},
	} {
		_, err := openai.ChatProvider.Read([]byte(body))
		require.ErrorAs(t, err, &told, body)
		require.Equal(t, want, *told, body)
	}
	for _, body := range []string{`{}`, `[]`, `{"choices":[]}`, `{"choices":[{"text":"x"}]}`, `"x"`} {
		_, err := openai.ChatProvider.Read([]byte(body))
		require.Error(t, err, body)
		require.False(t, errors.As(err, &told), body)
	}
	const chunk = `{"choices":[{"index":0,"delta":{"content":"a"}}]}`
	for stream, want := range map[string]any{
		`["[DONE]"]`:      conversation.ErrTruncated,
		`[]`:              conversation.ErrTruncated,
		`[` + chunk + `]`: conversation.ErrTruncated,
		`[` + chunk + `,{"error":{"message":"m","type":"rate_limit_error"}}]`: &conversation.Failure{Kind: "rate_limit_error", Message: "m"},
		`[` + chunk + `,"<html>"]`: nil,
		`[{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"b","function":{"name":"f","arguments":"{}"}},{"index":0,"function":{"arguments":"x"}}]}}]}]`: nil,
	} {
		m := meta(t, &codectest.Case{})
		_, err := codectest.Carry(openai.ChatProvider, openai.ChatClient, m, codectest.Stream(t, json.RawMessage(stream)))
		require.Error(t, err, stream)
		if want != nil {
			require.Equal(t, want, err, stream)
		}
		codectest.CutAnywhere(t, openai.ChatProvider, openai.ChatClient, m, codectest.Stream(t, json.RawMessage(stream)))
	}
}
