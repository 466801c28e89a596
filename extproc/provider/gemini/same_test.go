package gemini_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
)

const geminiChat = "/v1beta/models/e:generateContent"

// TestSameBody: a Gemini client's body goes on as it came, byte for byte, but
// for a model that it names, and for ids at Vertex AI.
func TestSameBody(t *testing.T) {
	ids := `{ "contents": [{"role":"user","parts":[{"text":"\"id\""}]},{"role":"model","parts":[{"functionCall":{"id": "x","name":"f","args":{"id":1}}, "thoughtSignature":"s"}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"f","id":"x","response":{"id":2}}}]}], "labels": {"id":"y"}}`
	without := strings.NewReplacer(`"id": "x",`, "", `,"id":"x"`, "").Replace(ids)
	for name, c := range map[string]struct{ path, in, gemini, vertex string }{
		"as it came": {geminiChat, `{ "contents" : [ {"parts":[{"text":"é\u00e9"}]} ] , "newThing":{"a":1.50}}`, "", ""},
		"a model":    {geminiChat, `{"model":"models/other","contents":[{"parts":[{"text":"a"}]}]}`, `{"contents":[{"parts":[{"text":"a"}]}]}`, `{"contents":[{"parts":[{"text":"a"}]}]}`},
		"ids":        {geminiChat, ids, "", without},
		"space":      {geminiChat, "\n\t " + ids, "", "\n\t " + without},
		"count":      {"/v1beta/models/e:countTokens", `{"contents":[{"parts":[{"text":"a"}]}]}`, "", ""},
		"count a call": {"/v1beta/models/e:countTokens", `{"generateContentRequest":{"model":"models/e","contents":[{"parts":[{"text":"a"}]}]}}`,
			`{"generateContentRequest":{"model":"models/gemini-x","contents":[{"parts":[{"text":"a"}]}]}}`, `{"contents":[{"parts":[{"text":"a"}]}]}`},
		"count a call without model": {"/v1beta/models/e:countTokens", `{"generate_content_request":{"contents":[]}}`,
			`{"generate_content_request":{"contents":[],"model":"models/gemini-x"}}`, `{"contents":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			for place, want := range map[string]string{"gemini": c.gemini, "vertex": c.vertex} {
				if want == "" {
					want = c.in
				}
				req := request(t, c.path, c.in)
				call, e := open(req)
				if place == "vertex" {
					call, e = gemini.Open(gemini.Provider, target, req, frozen, vertexPlace)
				}
				require.Nil(t, e)
				require.Equal(t, want, string(call.Upstream().Body), place)
			}
		})
	}
	_, e := open(request(t, "/v1beta/models/e:countTokens", `{"generateContentRequest":[]}`))
	require.Equal(t, "generateContentRequest", e.Param)
}

// TestSameReply: replies come back as they are, usage is counted, and what is
// no answer is told as such.
func TestSameReply(t *testing.T) {
	call, e := open(request(t, geminiChat, `{"contents":[{"parts":[{"text":"a"}]}]}`))
	require.Nil(t, e)
	require.Equal(t, "/v1beta/models/gemini-x:generateContent", call.Upstream().Path)
	body := `{ "candidates":[{"content":{"parts":[{"executableCode":{}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"toolUsePromptTokenCount":2,"candidatesTokenCount":4,"thoughtsTokenCount":5,"cachedContentTokenCount":1}}`
	r := call.Complete(200, jsonHeaders, []byte(body))
	require.True(t, r.Unchanged)
	require.Equal(t, body, string(r.Body))
	require.Equal(t, dialect.Usage{Input: 5, Output: 9, Cached: 1, Reasoning: 5, CacheWrite: -1}, call.Usage())
	for body, code := range map[string]string{
		`{}`: dialect.CodeProviderReply, `[1]`: dialect.CodeProviderReply, `{`: dialect.CodeProviderReply, `"x"`: dialect.CodeProviderReply,
		`{"error":{"code":429,"message":"m ` + canary + `","status":"RESOURCE_EXHAUSTED"}}`: dialect.CodeProviderRateLimited,
	} {
		r := call.Complete(200, jsonHeaders, []byte(body))
		require.NotNil(t, r.Error, body)
		require.Equal(t, code, r.Error.Code, body)
		require.NotContains(t, string(r.Body), canary)
		require.Contains(t, string(r.Body), `{"error":{"code":`)
	}
	count, e := open(request(t, "/v1beta/models/e:countTokens", `{"contents":[{"parts":[{"text":"a"}]}]}`))
	require.Nil(t, e)
	require.Equal(t, "/v1beta/models/gemini-x:countTokens", count.Upstream().Path)
	require.Nil(t, count.Complete(200, jsonHeaders, []byte(`{"totalTokens":3}`)).Error)
	require.NotNil(t, count.Complete(200, jsonHeaders, []byte(`{"candidates":[]}`)).Error)
}

// TestSameStream: events come back as they are, the last one when the stream
// is known to be whole.
func TestSameStream(t *testing.T) {
	const first, last = "data: {\"candidates\": [{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
		"data: {\"candidates\": [{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4}}\r\n\r\n"
	begin := func() kit.Call {
		call, e := open(request(t, "/v1beta/models/e:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"a"}]}]}`))
		require.Nil(t, e)
		return call
	}
	require.Equal(t, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse", begin().Upstream().Path)
	call, out := chunked(t, begin, []byte(first+": wait\r\n\r\n"+last))
	require.Equal(t, first+": wait\r\n\r\n"+last, string(out))
	require.Nil(t, call.Err())
	require.Equal(t, int64(4), call.Usage().Output)

	call = begin()
	out, done := call.Chunk([]byte(first+last), false)
	require.False(t, done)
	require.Equal(t, first, string(out), "the last event waits for the end")
	out, done = call.Chunk(nil, true)
	require.True(t, done)
	require.Equal(t, last, string(out))

	for stream, code := range map[string]string{
		first: dialect.CodeStreamTruncated, "": dialect.CodeStreamTruncated, first + "data: {\"cand": dialect.CodeStreamTruncated,
		first + "data: nope\r\n\r\n": dialect.CodeProviderReply,
		first + "data: [{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]\r\n\r\n": dialect.CodeProviderError,
		first + last + "data: {\"error\":{\"code\":500,\"message\":\"" + canary + "\"}}\r\n\r\n":          dialect.CodeProviderError,
	} {
		call, out := chunked(t, begin, []byte(stream))
		require.NotNil(t, call.Err(), stream)
		require.Equal(t, code, call.Err().Code, stream)
		require.NotContains(t, string(out), canary)
		data := dataOf(t, []byte(strings.ReplaceAll(string(out), "\r\n", "\n")))
		require.Contains(t, data[len(data)-1], `{"error":{"code":`)
	}
	call, out = chunked(t, begin, []byte(strings.TrimSuffix(first+last, "\r\n")))
	require.Nil(t, call.Err(), "only the last blank line is missing")
	require.Contains(t, string(out), "STOP")
}

// TestModels: the path names the model, whatever its name.
func TestModels(t *testing.T) {
	for model, want := range map[string]string{
		"gemini-2.5-flash": "/v1beta/models/gemini-2.5-flash", "models/x": "/v1beta/models/x", "tunedModels/mine": "/v1beta/tunedModels/mine",
		"a?b#c d": "/v1beta/models/a%3Fb%23c%20d", "../x": "", "a//b": "", "models/..": "",
	} {
		m := kit.Target{Provider: "gemini", Model: model, Config: target.Config}
		errs := gemini.Provider.CheckTarget(m, kit.TypeChat)
		call, e := gemini.Provider.Open(gemini.Provider, m, request(t, geminiChat, `{"contents":[{"parts":[{"text":"a"}]}]}`), frozen)
		if want == "" {
			require.NotEmpty(t, errs, model)
			require.NotNil(t, e, model)
			continue
		}
		require.Empty(t, errs, model)
		require.Nil(t, e)
		require.Equal(t, want+":generateContent", call.Upstream().Path)
	}
}

func TestNative(t *testing.T) {
	n, err := gemini.Provider.Native(gemini.Provider, target)
	require.NoError(t, err)
	require.Equal(t, kit.Native{Headers: [][2]string{{"x-goog-api-key", canary}}, Dialect: dialect.Gemini}, n)
	address, err := gemini.Provider.Address(target)
	require.NoError(t, err)
	require.Equal(t, kit.Address{TLS: true, Host: "generativelanguage.googleapis.com", Port: 443}, address)
}

// TestOneCall: a client that asks for one tool call at a time gets one.
func TestOneCall(t *testing.T) {
	reply := `{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"text":"b"}]},"finishReason":"STOP"}]}`
	for stream, body := range map[bool]string{false: "", true: `"stream":true,`} {
		call, e := open(request(t, "/v1/chat/completions", `{"model":"e",`+body+`"parallel_tool_calls":false,"messages":[{"role":"user","content":"hi"}],`+openAITools+`}`))
		require.Nil(t, e)
		var out []byte
		if stream {
			out, _ = call.Chunk([]byte("data: "+reply+"\n\n"), true)
		} else {
			out = call.Complete(200, jsonHeaders, []byte(reply)).Body
		}
		require.Contains(t, string(out), `"name":"f"`)
		require.NotContains(t, string(out), `"name":"g"`)
		require.Contains(t, string(out), `tool_calls"`)
	}
}

// FuzzReply: whatever Google replies, clients get JSON, and never the key.
func FuzzReply(f *testing.F) {
	for _, c := range mlflowCases(f) {
		if strings.HasSuffix(c.Kind, "_reply") {
			f.Add(200, []byte(c.In))
		}
	}
	f.Add(429, []byte(`[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"`+canary+`","details":[{"@type":"x/google.rpc.RetryInfo","retryDelay":"3s"}]}}]`))
	f.Add(400, []byte(`{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid `+canary+`"}}`))
	requests := []*dialect.Request{
		mlflowRequest(dialect.Chat, []byte(`{"n":1,"messages":[{"role":"user","content":"hi"}]}`), false),
		mlflowRequest(dialect.Completions, []byte(`{"n":1,"prompt":"hi"}`), false),
		mlflowRequest(dialect.Embeddings, []byte(`{"input":"hi"}`), false),
		request(f, "/v1/embeddings", `{"model":"e","input":"hi","encoding_format":"base64"}`),
		request(f, "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"hi"}]}`),
		request(f, geminiChat, `{"contents":[{"parts":[{"text":"a"}]}]}`),
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		for _, req := range requests {
			call, e := open(req)
			require.Nil(t, e)
			r := call.Complete(status, jsonHeaders, body)
			require.True(t, json.Valid(r.Body), "%s", r.Body)
			require.Equal(t, r.Error == nil, r.Status == 200, "%d", r.Status)
			if !r.Unchanged {
				require.False(t, r.Error != nil && strings.Contains(string(r.Body), canary))
			}
		}
		predict, e := gemini.OpenPredict(gemini.Provider, target, requests[3], frozen, vertexPlace)
		require.Nil(t, e)
		require.True(t, json.Valid(predict.Complete(status, jsonHeaders, body).Body))
	})
}

// FuzzStream: a stream cut anywhere gives the same bytes as whole, and they
// are events of JSON.
func FuzzStream(f *testing.F) {
	for _, c := range mlflowCases(f) {
		if strings.HasSuffix(c.Kind, "_stream") {
			f.Add(googleSSE(f, c.In), uint16(40), uint16(200))
		}
	}
	requests := []*dialect.Request{
		mlflowRequest(dialect.Chat, []byte(`{"n":1,"messages":[{"role":"user","content":"hi"}]}`), true),
		mlflowRequest(dialect.Completions, []byte(`{"n":1,"prompt":"hi"}`), true),
		request(f, "/v1/chat/completions", `{"model":"e","stream":true,"messages":[{"role":"user","content":"hi"}]}`),
		request(f, "/v1/messages", `{"model":"e","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`),
		request(f, "/v1beta/models/e:streamGenerateContent", `{"contents":[{"parts":[{"text":"a"}]}]}`),
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		i, j := int(a)%(len(stream)+1), int(b)%(len(stream)+1)
		i, j = min(i, j), max(i, j)
		for _, req := range requests {
			whole, e := open(req)
			require.Nil(t, e)
			cut, _ := open(req)
			want, done := whole.Chunk(append([]byte(nil), stream...), true)
			require.True(t, done)
			var got []byte
			for k, part := range [][]byte{stream[:i], stream[i:j], stream[j:]} {
				piece := append([]byte(nil), part...)
				out, _ := cut.Chunk(piece, k == 2)
				got = append(got, out...)
				for n := range piece { // its memory is used again
					piece[n] = '!'
				}
			}
			require.Equal(t, string(want), string(got))
			require.Equal(t, whole.Usage(), cut.Usage())
			require.Equal(t, whole.Err(), cut.Err())
		}
	})
}

// FuzzRequest: whatever clients call becomes JSON or a refusal that names the
// field.
func FuzzRequest(f *testing.F) {
	for _, c := range calls {
		f.Add(c.path, []byte(c.body))
	}
	for _, c := range mlflowCases(f) {
		if c.Kind == "chat" {
			f.Add("/gateway/e/invocations", []byte(c.In))
		}
	}
	f.Add(geminiChat, []byte(`{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"}}]}]}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		route, ok := dialect.Match("POST", path)
		if !ok || route.Dialect == dialect.Native {
			return
		}
		op := route.Operation
		if op == "" || op == dialect.CountTokens {
			op = dialect.Chat
		}
		req, e := dialect.Parse(route, op, "application/json", body)
		if e != nil {
			return
		}
		for _, place := range []gemini.Place{places["gemini"], vertexPlace} {
			call, e := gemini.Open(gemini.Provider, target, req, frozen, place)
			if e != nil {
				require.True(t, e.Param != "" || e.Status == 501 || e.Status == 422, "%+v", e)
				continue
			}
			require.True(t, json.Valid(call.Upstream().Body), "%s", call.Upstream().Body)
		}
	})
}
