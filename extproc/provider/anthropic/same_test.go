package anthropic_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
)

// messagesRequest is a call of Anthropic's own dialect.
func messagesRequest(t testing.TB, op dialect.Operation, body string) *dialect.Request {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: op}, dialect.Chat, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return req
}

// allEvents are the data of events that may have names.
func allEvents(t *testing.T, stream []byte) (data []string) {
	t.Helper()
	for _, block := range strings.SplitAfter(string(stream), "\n\n") {
		if block == "" {
			continue
		}
		_, event, ok := strings.Cut(strings.TrimSuffix(block, "\n\n"), "data: ")
		require.True(t, ok && strings.HasSuffix(block, "\n\n"), "%q", block)
		data = append(data, event)
	}
	return data
}

// places are the forms of the API that clouds have.
var places = map[string]anthropic.Place{
	"plain":  {Path: "/v1/messages", CountPath: "/v1/messages/count_tokens"},
	"vertex": {Path: "/m:rawPredict", StreamPath: "/m:streamRawPredict", CountPath: "/count-tokens:rawPredict", Unnamed: true, Version: "vertex-2023-10-16"},
	"bedrock": {Path: "/invoke", StreamPath: "/invoke-with-response-stream", Unnamed: true, Unmarked: true, Version: "bedrock-2023-05-31",
		BetasInBody: true, Beta: func(name string) bool { return name == "known-2025-01-01" },
		Unframe: unframe, IsStream: func(ctype string) bool { return ctype == "framed" }},
}

// TestSameRequests: the body of a client of the API at each place. What need
// not change stays as it is.
func TestSameRequests(t *testing.T) {
	const rest = `"max_tokens":9, "messages":[ {"role":"user","content":"h\u0069"} ],"new_field":{"a":1.50}`
	for _, c := range []struct {
		place, in, betas string
		op               dialect.Operation
		path, want       string
		beta             string // header
	}{
		{"plain", `{"model":"e",` + rest + `}`, "", dialect.Chat, "/v1/messages", `{"model":"claude-x",` + rest + `}`, ""},
		{"plain", `{` + rest + `, "model" : "e" , "stream":true}`, "a-1, b-2", dialect.Chat, "/v1/messages", `{` + rest + `, "model" : "claude-x" , "stream":true}`, "a-1,b-2"},
		{"plain", `{"model":"e",` + rest + `}`, " ,a\r\nx: y,ok", dialect.Chat, "/v1/messages", `{"model":"claude-x",` + rest + `}`, "ok"},
		{"plain", `{"model":"e",` + rest + `,"stream":true}`, "", dialect.CountTokens, "/v1/messages/count_tokens", `{"model":"claude-x",` + rest + `,"stream":true}`, ""},
		{"vertex", `{"model":"e",` + rest + `}`, "a", dialect.Chat, "/m:rawPredict", `{"anthropic_version":"vertex-2023-10-16",` + rest + `}`, "a"},
		{"vertex", `{` + rest + `, "model":"e", "stream":true}`, "", dialect.Chat, "/m:streamRawPredict", `{"anthropic_version":"vertex-2023-10-16",` + rest + `, "stream":true}`, ""},
		{"vertex", `{"model":"e",` + rest + `}`, "", dialect.CountTokens, "/count-tokens:rawPredict", `{"anthropic_version":"vertex-2023-10-16","model":"claude-x",` + rest + `}`, ""},
		{"bedrock", `{"stream":true, "model":"e", ` + rest + `}`, "known-2025-01-01,new-2026-01-01", dialect.Chat, "/invoke-with-response-stream",
			`{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["known-2025-01-01"],` + rest + `}`, ""},
		{"bedrock", `{` + rest + `,"stream":false,"model":"e"}`, "new-2026-01-01", dialect.Chat, "/invoke", `{"anthropic_version":"bedrock-2023-05-31",` + rest + `}`, ""},
		{"bedrock", `{"model":"e","anthropic_beta":["x"],` + rest + `,"anthropic_version":"2023-06-01","stream":true}`, "known-2025-01-01", dialect.Chat,
			"/invoke-with-response-stream", `{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["known-2025-01-01"],` + rest + `}`, ""},
		{"bedrock", `{"messages":[1],"model":"e","stream":true}`, "", dialect.Chat, "/invoke-with-response-stream", `{"anthropic_version":"bedrock-2023-05-31","messages":[1]}`, ""},
	} {
		t.Run(c.place, func(t *testing.T) {
			req := messagesRequest(t, c.op, c.in)
			req.ClientHeader = headers("anthropic-beta", c.betas)
			call, e := anthropic.Open(anthropic.Provider, targetOf(nil), req, frozen, places[c.place])
			require.Nil(t, e)
			up := call.Upstream()
			require.Equal(t, c.path, up.Path)
			require.JSONEq(t, c.want, string(up.Body))
			require.Equal(t, squeeze(c.want), squeeze(string(up.Body)))
			got := ""
			for _, h := range up.Headers {
				if h[0] == "anthropic-beta" {
					got = h[1]
				}
			}
			require.Equal(t, c.beta, got)
			require.Equal(t, c.in, string(req.Body), "a request never changes")
		})
	}
}

func squeeze(s string) string { return strings.ReplaceAll(s, " ", "") }

// TestForeignHistory: what another provider's answers left in a conversation
// is taken out.
func TestForeignHistory(t *testing.T) {
	const head = `{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"a \"signature\":\"\" tool_use_signature:"}, `
	for in, want := range map[string]string{
		`{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":""}, {"type":"text","text":"b"} ]}`:                                                  `{"role":"assistant","content":[{"type":"text","text":"b"}]}`,
		`{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"redacted_thinking","data":"tool_use_signature:x"}], "new":1}`:          `{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}], "new":1}`,
		`{"role":"assistant","content":[{"type":"text","text":"b"},{"signature": "","type":"thinking","thinking":""},{"type":"thinking","thinking":"h","signature":"s"}]}`: `{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"thinking","thinking":"h","signature":"s"}]}`,
		`{"role":"assistant","content":"b"}`: `{"role":"assistant","content":"b"}`,
	} {
		call, e := open(targetOf(nil), messagesRequest(t, dialect.Chat, head+in+`],"system":"s"}`), frozen)
		require.Nil(t, e)
		require.JSONEq(t, strings.Replace(head, `"e"`, `"claude-x"`, 1)+want+`],"system":"s"}`, string(call.Upstream().Body))
	}
}

// TestSameTarget: a client of the API chooses its version.
func TestSameTarget(t *testing.T) {
	for asked, want := range map[string]string{"": "2024-01-01", "2023-06-01": "2023-06-01", "x\r\ny: z": "2024-01-01"} {
		req := messagesRequest(t, dialect.Chat, `{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`)
		req.ClientHeader = headers("anthropic-version", asked, "anthropic-beta", "b-1")
		call, e := open(targetOf(map[string]string{"anthropic_version": "2024-01-01"}), req, frozen)
		require.Nil(t, e)
		require.Equal(t, "/v1/messages", call.Upstream().Path)
		require.ElementsMatch(t, [][2]string{{"x-api-key", canary}, {"anthropic-version", want}, {"anthropic-beta", "b-1"},
			{"content-type", "application/json"}, {"accept", "text/event-stream"}}, call.Upstream().Headers)
	}
	native, err := anthropic.Provider.Native(anthropic.Provider, targetOf(map[string]string{"anthropic_api_base": "https://h/a/v1"}))
	require.NoError(t, err)
	require.Equal(t, kit.Native{Root: "/a", Headers: [][2]string{{"x-api-key", canary}, {"anthropic-version", "2023-06-01"}}, Dialect: dialect.Anthropic}, native)
}

// TestSameReply: a reply goes on as it came.
func TestSameReply(t *testing.T) {
	call := callOf(t, dialect.Anthropic, false)
	body := `{"type":"message", "id":"msg_1","content":[{"type":"text","text":"\u0068i"}],"new":1,"usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":2}}`
	r := call.Complete(200, jsonHeaders, []byte(body))
	require.Nil(t, r.Error)
	require.True(t, r.Unchanged)
	require.Equal(t, body, string(r.Body))
	require.Equal(t, dialect.Usage{Input: 5, Output: 4, Cached: 2, Reasoning: -1, CacheWrite: -1}, call.Usage())
}

func TestCountTokens(t *testing.T) {
	req := messagesRequest(t, dialect.CountTokens, `{"model":"e","messages":[{"role":"user","content":"hi"}]}`)
	call, e := open(targetOf(nil), req, frozen)
	require.Nil(t, e)
	require.Equal(t, "/v1/messages/count_tokens", call.Upstream().Path)
	r := call.Complete(200, jsonHeaders, []byte(`{"input_tokens": 14}`))
	require.Nil(t, r.Error)
	require.Equal(t, `{"input_tokens": 14}`, string(r.Body))
	require.Equal(t, dialect.NoUsage, call.Usage(), "counting is no use of the model")
	r = call.Complete(200, jsonHeaders, []byte(`{"type":"message","content":[]}`))
	require.Equal(t, dialect.CodeProviderReply, r.Error.Code)

	_, e = anthropic.Open(anthropic.Provider, targetOf(nil), req, frozen, places["bedrock"])
	require.NotNil(t, e)
	require.Equal(t, 501, e.Status)
	require.Equal(t, "The count_tokens route is not implemented for Anthropic models.", e.Message)
}

// TestSameStream: a stream goes on byte for byte, wherever it is cut, and is
// counted.
func TestSameStream(t *testing.T) {
	stream := ": hi\r\n\r\nevent: ping\ndata: {\"type\": \"ping\"}\n\n" + startEvent + "data: {\"type\":\"news\"}\nid: 7\n\n" + textEvents + deltaEvent + stopEvent
	for i := range stream {
		call := callOf(t, dialect.Anthropic, true)
		require.True(t, call.IsStream("text/event-stream; charset=utf-8"))
		out, _ := call.Chunk([]byte(stream[:i]), false)
		rest, done := call.Chunk([]byte(stream[i:]), false)
		require.True(t, done)
		require.Nil(t, call.Err())
		require.Equal(t, stream, string(out)+string(rest))
		require.Equal(t, dialect.Usage{Input: 3, Output: 9, Cached: -1, Reasoning: -1, CacheWrite: -1}, call.Usage())
	}
}

// unframe reads events of the API behind their length in two bytes; length 0
// is broken.
func unframe() func([]byte, bool) ([]byte, error) {
	var held []byte
	return func(b []byte, _ bool) (out []byte, err error) {
		for held = append(held, b...); len(held) >= 2; {
			n := int(binary.BigEndian.Uint16(held))
			if n == 0 {
				return out, errors.New("broken")
			}
			if len(held) < 2+n {
				break
			}
			out = append(append(append(out, "data: "...), held[2:2+n]...), "\n\n"...)
			held = held[2+n:]
		}
		return out, nil
	}
}

func frames(stream string) (b []byte) {
	for _, block := range strings.Split(strings.TrimSpace(stream), "\n\n") {
		_, data, _ := strings.Cut(block, "data: ")
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
	}
	return b
}

// TestFraming: at a place with a framing of its own, streams reach the clients
// of every dialect as elsewhere.
func TestFraming(t *testing.T) {
	stream := startEvent + textEvents + deltaEvent + stopEvent
	for _, req := range []*dialect.Request{
		messagesRequest(t, dialect.Chat, `{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`),
		openAIRequest(t, dialect.Chat, []byte(`{"model":"e","messages":[{"role":"user","content":"hi"}],"stream":true}`)),
		mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}]}`), true),
	} {
		t.Run(string(req.Dialect), func(t *testing.T) {
			open := func() kit.Call {
				call, e := anthropic.Open(anthropic.Provider, targetOf(nil), req, frozen, places["bedrock"])
				require.Nil(t, e)
				return call
			}
			up := open().Upstream()
			require.Equal(t, "/invoke-with-response-stream", up.Path)
			var body map[string]any
			require.NoError(t, json.Unmarshal(up.Body, &body))
			require.NotContains(t, body, "model")
			require.NotContains(t, body, "stream")
			require.Equal(t, "bedrock-2023-05-31", body["anthropic_version"])
			require.Contains(t, up.Headers, [2]string{"accept", "application/json"})

			call := open()
			require.True(t, call.IsStream("framed"))
			require.False(t, call.IsStream("text/event-stream"))
			in := frames(stream)
			var out []byte
			done := false
			for i := range in {
				var part []byte
				part, done = call.Chunk(in[i:i+1], false)
				out = append(out, part...)
			}
			require.True(t, done)
			require.Nil(t, call.Err())
			require.Contains(t, string(out), "Hello")
			require.EqualValues(t, 9, call.Usage().Output)

			call = open()
			out, done = call.Chunk(append(in[:len(in)-20:len(in)-20], 0, 0, 0, 0), true)
			require.True(t, done)
			require.NotNil(t, call.Err(), "%s", out)
			call = open()
			_, done = call.Chunk([]byte{0, 0}, false)
			require.True(t, done)
			require.Equal(t, dialect.CodeProviderReply, call.Err().Code)
		})
	}
}

// FuzzSame: whatever a client of the API calls, the body that leaves differs in
// what the place wants only.
func FuzzSame(f *testing.F) {
	f.Add([]byte(`{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`), "a,b")
	f.Add([]byte(`{"model":"e","messages":[{"role":"assistant","content":[{"type":"thinking","signature":""},1]},"signature: "]}`), "")
	f.Add([]byte(` {"stream" : true , "messages":[1] ,"model":"e" } `), "known-2025-01-01")
	f.Fuzz(func(t *testing.T, body []byte, betas string) {
		req, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat}, dialect.Chat, "", body)
		if e != nil {
			return
		}
		req.ClientHeader = headers("anthropic-beta", betas)
		for name, place := range places {
			call, e := anthropic.Open(anthropic.Provider, targetOf(nil), req, frozen, place)
			require.Nil(t, e)
			up := call.Upstream()
			require.True(t, json.Valid(up.Body), "%s: %s", name, up.Body)
			var in, out map[string]any
			decode(t, body, &in)
			decode(t, up.Body, &out)
			for _, m := range []map[string]any{in, out} {
				delete(m, "model")
				delete(m, "stream")
				delete(m, "anthropic_version")
				delete(m, "anthropic_beta")
			}
			if !bytes.Contains(body, []byte("signature")) {
				require.Equal(t, in, out)
			}
			for _, h := range up.Headers {
				require.False(t, strings.ContainsAny(h[1], "\r\n\x00"), "%q", h)
			}
		}
	})
}

func decode(t *testing.T, b []byte, v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	require.NoError(t, d.Decode(v))
}
