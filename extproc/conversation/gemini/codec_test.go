package gemini_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
)

func parse(t testing.TB, d dialect.Dialect, body []byte) *dialect.Request {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: dialect.Chat, Endpoint: "e"}, dialect.Chat, "application/json", body)
	require.Nil(t, e, "%+v", e)
	return req
}

func meta(t testing.TB, d dialect.Dialect, stream bool) conversation.Meta {
	call := `{"contents":[{"parts":[{"text":"hi"}]}]}`
	if d == dialect.OpenAI {
		call = `{"model":"e","messages":[{"role":"user","content":"hi"}]}`
	}
	req := parse(t, d, []byte(call))
	req.Stream, req.IncludeUsage = stream, true
	return conversation.Meta{Request: req, Form: &conversation.Request{}, ExchangeID: "ex-1", Created: 1700000000, Model: "m"}
}

// modelOf is the model that a case is about: its op, or one without habits.
func modelOf(c *codectest.Case) string {
	if c.Op == "" {
		return "gemini-2.0-flash"
	}
	return string(c.Op)
}

// TestToGemini: calls of OpenAI's and Anthropic's clients as Gemini gets them.
func TestToGemini(t *testing.T) {
	codectest.Each(t, "testdata/to_gemini.json", func(t *testing.T, c *codectest.Case) []byte {
		d, client := dialect.OpenAI, openai.ChatClient
		if strings.HasPrefix(c.Name, "anthropic ") {
			d, client = dialect.Anthropic, anthropic.Client
		}
		form, e := client.Read(parse(t, d, c.In))
		var body []byte
		if e == nil {
			body, e = gemini.Provider.Write(form, modelOf(c))
		}
		if c.Param != "" {
			c.Refused(t, e)
			return nil
		}
		require.Nil(t, e, "%+v", e)
		require.True(t, json.Valid(body), "%s", body)
		return body
	})
}

// TestFromGemini: calls of Gemini's clients as a server of OpenAI's API, with
// reasoning and topK, gets them.
func TestFromGemini(t *testing.T) {
	server := openai.NewChatProvider(openai.Traits{CompletionTokens: true, TopK: true})
	codectest.Each(t, "testdata/from_gemini.json", func(t *testing.T, c *codectest.Case) []byte {
		form, e := gemini.Client.Read(parse(t, dialect.Gemini, c.In))
		var body []byte
		if e == nil {
			body, e = server.Write(form, "m")
		}
		if c.Param != "" {
			c.Refused(t, e)
			return nil
		}
		require.Nil(t, e, "%+v", e)
		return body
	})
}

// TestReplies: Gemini's replies as OpenAI's clients get them.
func TestReplies(t *testing.T) {
	codectest.Each(t, "testdata/replies.json", func(t *testing.T, c *codectest.Case) []byte {
		r, err := gemini.Provider.Read(c.In)
		if c.Code != "" {
			checkFailure(t, c, err)
			return nil
		}
		require.NoError(t, err)
		return openai.ChatClient.AppendReply(nil, r, meta(t, dialect.OpenAI, false))
	})
}

// checkFailure: code is "reply" for what is no reply at all, "cut" for a stream
// that was cut off, else the kind of what the provider told.
func checkFailure(t *testing.T, c *codectest.Case, err error) {
	t.Helper()
	require.Error(t, err)
	var told *conversation.Failure
	switch {
	case errors.As(err, &told):
		require.Equal(t, c.Code, told.Kind)
		require.Equal(t, c.Param, told.Message)
	case errors.Is(err, conversation.ErrTruncated):
		require.Equal(t, "cut", c.Code)
	default:
		require.Equal(t, "reply", c.Code)
	}
}

// TestStreams: Gemini's streams as OpenAI's clients get them.
func TestStreams(t *testing.T) {
	codectest.Each(t, "testdata/streams.json", func(t *testing.T, c *codectest.Case) []byte {
		stream := codectest.Stream(t, c.In)
		m := meta(t, dialect.OpenAI, true)
		codectest.CutAnywhere(t, gemini.Provider, openai.ChatClient, m, stream)
		out, err := codectest.Carry(gemini.Provider, openai.ChatClient, m, stream)
		if c.Code != "" {
			checkFailure(t, c, err)
			return nil
		}
		require.NoError(t, err)
		return codectest.Data(t, out)
	})
}

// TestClientReplies: a server of OpenAI's API answers Gemini's clients.
func TestClientReplies(t *testing.T) {
	codectest.Each(t, "testdata/client_replies.json", func(t *testing.T, c *codectest.Case) []byte {
		r, err := openai.ChatProvider.Read(c.In)
		require.NoError(t, err)
		return gemini.Client.AppendReply(nil, r, meta(t, dialect.Gemini, false))
	})
}

// TestClientStreams is the same for streams.
func TestClientStreams(t *testing.T) {
	codectest.Each(t, "testdata/client_streams.json", func(t *testing.T, c *codectest.Case) []byte {
		stream := codectest.Stream(t, c.In)
		m := meta(t, dialect.Gemini, true)
		codectest.CutAnywhere(t, openai.ChatProvider, gemini.Client, m, stream)
		out, err := codectest.Carry(openai.ChatProvider, gemini.Client, m, stream)
		require.NoError(t, err)
		return codectest.Data(t, out)
	})
}
