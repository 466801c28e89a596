package anthropic_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
)

// TestRequests: what a client calls, by way of the form, as a server is called.
func TestRequests(t *testing.T) {
	each(t, "requests.json", func(t *testing.T, c *testCase) []byte {
		req := parse(t, c.In)
		form, e := anthropic.Client.Read(req)
		var body []byte
		if e == nil {
			body, e = anthropic.Provider.Write(form, "claude-x")
		}
		if c.Param == "" {
			require.Nil(t, e, "%+v", e)
			require.Equal(t, req.Stream, form.Stream)
			return body
		}
		require.NotNil(t, e)
		require.Equal(t, 400, e.Status)
		require.Equal(t, c.Param, e.Param)
		require.True(t, strings.HasPrefix(e.Message, "'"+c.Param+"' "), e.Message)
		require.Equal(t, c.Code, e.Code)
		return nil
	})
}

// TestForm: what stands where in the form.
func TestForm(t *testing.T) {
	form, e := anthropic.Client.Read(parse(t, []byte(`{"model":"e","max_tokens":9,"stream":true,"temperature":0.50,"top_p":1,"top_k":3,
		"stop_sequences":["a"],"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
		"thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"xhigh","format":{"type":"json_schema","schema":{"type":"object"}}},
		"metadata":{"user_id":"u"},"service_tier":"auto","tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
		"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}],
		"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
			{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hé"},"title":"n"}]},
			{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"redacted_thinking","data":"x"},
				{"type":"tool_use","id":"t1","name":"f","input":{"a": 1}},{"type":"redacted_thinking","data":"tool_use_signature:sg"}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r","is_error":true}]},
			{"role":"system","content":"later"}]}`)))
	require.Nil(t, e, "%+v", e)
	text := func(s string) []conversation.Block { return []conversation.Block{{Kind: conversation.Text, Text: s}} }
	require.Equal(t, &conversation.Request{
		System:    []conversation.Block{{Kind: conversation.Text, Text: "s", Cache: `{"type":"ephemeral"}`}},
		MaxTokens: 9, Stream: true, Temperature: "0.50", TopP: "1", TopK: "3", Stop: []string{"a"},
		Reasoning: conversation.Reasoning{Budget: 2000, Effort: "xhigh", Show: true},
		Format:    conversation.Format{Kind: conversation.FormatSchema, Name: "answer", Schema: `{"type":"object"}`, Strict: "true"},
		User:      "u", ServiceTier: "auto", ToolChoice: conversation.ChooseTool, ToolName: "f", SingleTool: true,
		Tools: []conversation.Tool{{Name: "f", Description: "d", Schema: `{"type":"object"}`, Strict: "true", Cache: `{"type":"ephemeral","ttl":"1h"}`}},
		Messages: []conversation.Message{
			{Role: conversation.User, Number: 1, Blocks: []conversation.Block{
				{Kind: conversation.Image, MediaType: "image/png", Data: "AA=="},
				{Kind: conversation.Document, MediaType: "text/plain", Data: "aMOp", Name: "n"}}},
			{Role: conversation.Assistant, Number: 2, Blocks: []conversation.Block{
				{Kind: conversation.Thinking, Text: "h", Signature: "s"}, {Kind: conversation.Redacted, Data: "x"},
				{Kind: conversation.ToolUse, ID: "t1", Name: "f", Input: `{"a": 1}`, Signature: "sg"}}},
			{Role: conversation.User, Number: 3, Blocks: []conversation.Block{
				{Kind: conversation.ToolResult, ID: "t1", Name: "f", Blocks: text("r"), IsError: true}}},
			{Role: conversation.System, Number: 4, Blocks: text("later")},
		},
	}, form)
}

// TestWrite: what other clients' forms hold that Anthropic's can't.
func TestWrite(t *testing.T) {
	hi := []conversation.Message{{Role: conversation.User, Number: 3, Blocks: []conversation.Block{{Kind: conversation.Text, Text: "hi"}}}}
	for name, c := range map[string]struct {
		form        conversation.Request
		want, param string // what the body holds; or whose refusal
	}{
		"json":             {conversation.Request{Format: conversation.Format{Kind: conversation.FormatJSON}}, `"system":"Respond with only a single valid JSON object.`, ""},
		"off":              {conversation.Request{Reasoning: conversation.Reasoning{Off: true}}, `"thinking":{"type":"disabled"}`, ""},
		"room for answers": {conversation.Request{Reasoning: conversation.Reasoning{Budget: 10000}}, `"max_tokens":18192`, ""},
		"no tools, auto":   {conversation.Request{ToolChoice: conversation.ChooseAuto, SingleTool: true}, `"messages":[{"role":"user","content":"hi"}]}`, ""},
		"zero penalty":     {conversation.Request{FrequencyPen: "0.0"}, `}]}`, ""},
		"description": {conversation.Request{Format: conversation.Format{Kind: conversation.FormatSchema, Schema: ` {"a":1}`, Description: "d"}},
			`"schema":{"description":"d","a":1}`, ""},
		"extra":         {conversation.Request{Extra: []conversation.Member{{Name: "inference_geo", Value: `"eu"`}}}, `"inference_geo":"eu"`, ""},
		"unknown extra": {conversation.Request{Extra: []conversation.Member{{Name: "logprobs", Value: `true`}}}, "", "logprobs"},
		"candidates":    {conversation.Request{Candidates: 2}, "", "n"},
		"seed":          {conversation.Request{Seed: "1"}, "", "seed"},
		"penalty":       {conversation.Request{PresencePen: "0.1"}, "", "presence_penalty"},
		"hot":           {conversation.Request{Temperature: "1.1"}, "", "temperature"},
		"minimal":       {conversation.Request{Reasoning: conversation.Reasoning{Effort: "minimal"}}, "", "reasoning_effort"},
		"tier":          {conversation.Request{ServiceTier: "flex"}, "", "service_tier"},
		"schema":        {conversation.Request{Format: conversation.Format{Kind: conversation.FormatSchema}}, "", "response_format.json_schema.schema"},
		"name":          {conversation.Request{Messages: []conversation.Message{{Role: conversation.User, Number: 3, Name: "bob"}}}, "", "messages[2].name"},
		"audio": {conversation.Request{Messages: []conversation.Message{{Role: conversation.User, Number: 3, Blocks: []conversation.Block{{Kind: conversation.Audio}}}}},
			"", "messages[2].content[0]"},
		"not numbered": {conversation.Request{Messages: []conversation.Message{{Role: conversation.User, Blocks: []conversation.Block{{Kind: conversation.Audio}}}}},
			"", "messages.content[0]"},
		"arguments": {conversation.Request{Messages: []conversation.Message{{Role: conversation.Assistant, Number: 1, Blocks: []conversation.Block{
			{Kind: conversation.ToolUse, Input: `{}{}`}}}}}, "", "messages[0].content[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.form.Messages == nil {
				c.form.Messages = hi
			}
			body, e := anthropic.Provider.Write(&c.form, "m")
			if c.param != "" {
				require.NotNil(t, e)
				require.Equal(t, c.param, e.Param)
				require.True(t, strings.HasPrefix(e.Message, "'"+c.param+"' "), e.Message)
				return
			}
			require.Nil(t, e)
			require.True(t, json.Valid(body), "%s", body)
			require.Contains(t, string(body), c.want)
		})
	}
}

// TestReplies: a server's message, by way of the form, as a client gets it.
func TestReplies(t *testing.T) {
	each(t, "replies.json", func(t *testing.T, c *testCase) []byte {
		r, err := anthropic.Provider.Read(c.In)
		require.NoError(t, err)
		return anthropic.Client.AppendReply(nil, r, meta)
	})
}

// TestReplyOfOthers: what other providers' replies hold.
func TestReplyOfOthers(t *testing.T) {
	got := anthropic.Client.AppendReply(nil, &conversation.Reply{
		Blocks: []conversation.Block{
			{Kind: conversation.ToolUse, ID: "c", Name: "f", Input: `{"a": 1}`, Signature: "sg"},
			{Kind: conversation.Image, MediaType: "image/png", Data: "AA=="},
			{Kind: conversation.Refusal, Text: "no"},
		},
		Stop: conversation.StopEnd, Usage: conversation.NoUsage,
	}, meta)
	require.JSONEq(t, `{"id":"msg_ex-1","type":"message","role":"assistant","model":"claude-x","content":[
		{"type":"tool_use","id":"c","name":"f","input":{"a":1}},{"type":"redacted_thinking","data":"tool_use_signature:sg"},
		{"type":"text","text":"[The model answered with image/png, which the Messages API can't carry.]"},
		{"type":"text","text":"no"}],"stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}`, string(got))
}

// TestStreamOfOthers: a stream of another provider, with a signed tool call.
func TestStreamOfOthers(t *testing.T) {
	w := anthropic.Client.NewWriter(meta)
	var out []byte
	for _, ev := range []conversation.Event{
		{Kind: conversation.Start, Usage: conversation.NoUsage},
		{Kind: conversation.BlockStart, Block: conversation.Block{Kind: conversation.ToolUse, ID: "c", Name: "f"}},
		{Kind: conversation.Delta, Text: "{}"},
		{Kind: conversation.BlockStop, Block: conversation.Block{Signature: "sg"}},
		{Kind: conversation.BlockStart, Block: conversation.Block{Kind: conversation.Image, MediaType: "image/png", Data: "AA=="}},
		{Kind: conversation.BlockStop},
		{Kind: conversation.Finish, Stop: conversation.StopTools},
		{Kind: conversation.End, Usage: conversation.Usage{Input: 5, Output: 6, CacheRead: 2, CacheWrite: -1, Reasoning: -1}},
	} {
		out = w.Append(out, &ev)
	}
	require.JSONEq(t, `[
		{"type":"message_start","message":{"id":"msg_ex-1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,
			"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}},
		{"type":"ping"},
		{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}},
		{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}},
		{"type":"content_block_stop","index":0},
		{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"tool_use_signature:sg"}},
		{"type":"content_block_stop","index":1},
		{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}},
		{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"[The model answered with image/png, which the Messages API can't carry.]"}},
		{"type":"content_block_stop","index":2},
		{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":6}},
		{"type":"message_stop"}]`, string(unframed(t, out)))
}

// TestStreams: a server's stream, by way of the form, as a client gets it;
// wherever it is cut.
func TestStreams(t *testing.T) {
	each(t, "streams.json", func(t *testing.T, c *testCase) []byte {
		stream := framed(t, c.In)
		out, usage, err := carry(stream)
		require.NoError(t, err)
		for i := range stream {
			cut, again, err := carry(stream[:i], stream[i:])
			require.NoError(t, err)
			require.Equal(t, string(out), string(cut), "cut at %d", i)
			require.Equal(t, usage, again)
		}
		lines, _, err := carry([]byte(strings.ReplaceAll(": hi\n\n"+string(stream), "\n", "\r\n")))
		require.NoError(t, err)
		require.Equal(t, string(out), string(lines))
		return unframed(t, out)
	})
}

// TestFailures: what a provider tells in a 2xx, and what is none of its replies.
func TestFailures(t *testing.T) {
	const overloaded = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`
	_, err := anthropic.Provider.Read([]byte(overloaded))
	require.Equal(t, &conversation.Failure{Kind: "overloaded_error", Message: "Overloaded"}, err)
	for _, body := range []string{`{}`, `[]`, `"x"`, `{"type":"message"}`, `{"type":"message","content":{}}`} {
		_, err := anthropic.Provider.Read([]byte(body))
		require.Error(t, err, body)
	}
	const begin = "data: {\"type\":\"message_start\",\"message\":{}}\n\n"
	for in, want := range map[string]error{
		"":                                      conversation.ErrTruncated,
		begin:                                   conversation.ErrTruncated,
		begin + "data: {\"type\":\"me":          conversation.ErrTruncated,
		"data: " + overloaded + "\n\n":          &conversation.Failure{Kind: "overloaded_error", Message: "Overloaded"},
		begin + "data: <html>\n\n":              nil,
		"data: {\"type\":\"message_stop\"}\n\n": nil,
		begin + "data: " + strings.Repeat("x", 9<<20): nil,
	} {
		_, _, err := carry([]byte(in))
		require.Error(t, err)
		var told *conversation.Failure
		switch {
		case want == nil:
			require.False(t, errors.As(err, &told) || errors.Is(err, conversation.ErrTruncated), "%v", err)
		default:
			require.Equal(t, want, err)
		}
	}
	// Only the last blank line is missing.
	out, _, err := carry([]byte(begin + "data: {\"type\":\"message_stop\"}\n"))
	require.NoError(t, err)
	require.Contains(t, string(out), "event: message_stop")
}
