package gemini_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
	"sluice/internal/simulate"
)

const (
	openAITools = `"tools":[{"type":"function","function":{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]`
	openAICall  = `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"sunny"}`
)

// calls are what clients of each dialect call; streams are made of them.
var calls = []struct{ name, path, body, want string }{
	{"chat", "/v1/chat/completions", `{"model":"e","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"temperature":0.5,"stop":["x"],"max_tokens":50}`, `"finish_reason":"stop"`},
	{"chat with an image", "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}`, `"finish_reason":"stop"`},
	{"chat with tools", "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"weather in Oslo?"}],"tool_choice":"required",` + openAITools + `}`, `"get_weather"`},
	{"chat with a result", "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"hi"},` + openAICall + `],` + openAITools + `}`, `"finish_reason":"stop"`},
	{"chat with a schema", "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}}}`, `"finish_reason":"stop"`},
	{"completions", "/v1/completions", `{"model":"e","prompt":"hi","max_tokens":20}`, `"text_completion"`},
	{"responses", "/v1/responses", `{"model":"e","input":"hi"}`, `"output_text"`},
	{"messages", "/v1/messages", `{"model":"e","max_tokens":50,"system":"s","messages":[{"role":"user","content":"hi"}]}`, `"end_turn"`},
	{"generateContent", "/v1beta/models/e:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_ONLY_HIGH"}]}`, `"candidates"`},
}

// places are where the stand-in serves the API.
var places = map[string]gemini.Place{
	"gemini": {Path: "/v1beta/models/gemini-2.5-flash", Headers: [][2]string{{"x-goog-api-key", canary}}},
	"vertex": {Path: "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
		Headers: [][2]string{{"authorization", "Bearer " + canary}}, Vertex: true},
}

func standIn(t *testing.T) string {
	server := httptest.NewServer(simulate.NewGemini(simulate.Options{Keys: []string{canary}}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestStandIn plays the calls of every dialect, whole and streamed, against
// the strict stand-in for Google, at both of its places.
func TestStandIn(t *testing.T) {
	base := standIn(t)
	for place := range places {
		for _, c := range calls {
			for _, stream := range []bool{false, true} {
				t.Run(place+"/"+c.name+map[bool]string{true: " streamed"}[stream], func(t *testing.T) {
					path, body := c.path, c.body
					if stream && strings.HasSuffix(path, ":generateContent") {
						path = strings.Replace(path, ":g", ":streamG", 1)
					} else if stream {
						body = strings.TrimSuffix(body, "}") + `,"stream":true}`
					}
					out, call := play(t, base, places[place], request(t, path, body))
					require.Nil(t, call.Err())
					require.Contains(t, string(out), c.want)
					require.Positive(t, call.Usage().Input)
					require.Positive(t, call.Usage().Output)
				})
			}
		}
	}
}

// TestStandInMLflow sends what MLflow itself would send: all of it is taken.
func TestStandInMLflow(t *testing.T) {
	base := standIn(t)
	for _, c := range mlflowCases(t) {
		if c.Status != 0 || c.Kind != "chat" && c.Kind != "completions" && c.Kind != "embeddings" {
			continue
		}
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			switch c.Name {
			case "audio", "no parts", "only system", "tool after empty", "arguments list", "two", "tool between", "signature", "signature again":
				t.Skip("what MLflow makes of it is one that Google refuses")
			}
			var whole map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(c.In, &whole))
			out, _ := play(t, base, places["gemini"], mlflowRequest(dialect.Operation(c.Kind), c.In, string(whole["stream"]) == "true"))
			require.NotEmpty(t, out)
		})
	}
}

// play sends a call to the stand-in and reads the answer as it comes.
func play(t *testing.T, base string, place gemini.Place, req *dialect.Request) ([]byte, kit.Call) {
	t.Helper()
	target := target
	target.Model = place.Path[strings.LastIndexByte(place.Path, '/')+1:]
	call, e := gemini.Open(gemini.Provider, target, req, frozen, place)
	require.Nil(t, e, "%+v", e)
	res := send(t, base, call.Upstream())
	defer res.Body.Close()
	if call.IsStream(res.Header.Get("content-type")) {
		require.Equal(t, 200, res.StatusCode)
		return streamed(t, call, res.Body), call
	}
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, body)
	require.Nil(t, r.Error, "%s\n%s", call.Upstream().Body, body)
	return r.Body, call
}

func send(t *testing.T, base string, up kit.Upstream) *http.Response {
	t.Helper()
	req, err := http.NewRequest(up.Method, base+up.Path, bytes.NewReader(up.Body))
	require.NoError(t, err)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	return res
}

// streamed passes a body on in small pieces, as it comes.
func streamed(t *testing.T, call kit.Call, body io.Reader) (out []byte) {
	t.Helper()
	buf := make([]byte, 57)
	for {
		n, err := body.Read(buf)
		part, done := call.Chunk(buf[:n], err != nil)
		out = append(out, part...)
		if done || err != nil {
			return out
		}
	}
}

// TestStandInEmbeddings: OpenAI's embeddings, one and several, in both forms.
func TestStandInEmbeddings(t *testing.T) {
	base := standIn(t)
	for name, place := range places {
		for _, input := range []string{`"a"`, `["a"]`, `["a","b"]`} {
			for _, more := range []string{"", `,"dimensions":8`, `,"encoding_format":"base64","dimensions":8`} {
				t.Run(name+input+more, func(t *testing.T) {
					place.Path = strings.ReplaceAll(place.Path, "gemini-2.5-flash", "gemini-embedding-001")
					out, call := play(t, base, place, request(t, "/v1/embeddings", `{"model":"e","input":`+input+more+`}`))
					var reply struct {
						Data []struct {
							Index     int
							Embedding any
						}
					}
					require.NoError(t, json.Unmarshal(out, &reply))
					require.Len(t, reply.Data, strings.Count(input, `"`)/2)
					if strings.Contains(more, "8") && !strings.Contains(more, "base64") {
						require.Len(t, reply.Data[0].Embedding, 8)
					}
					if strings.Contains(more, "base64") {
						require.Len(t, reply.Data[0].Embedding, 44) // 8 × 4 bytes
					}
					require.Zero(t, call.Usage().Output)
				})
			}
		}
	}
	_, e := open(request(t, "/v1/embeddings", `{"model":"e","input":[1,2]}`))
	require.Equal(t, "input", e.Param)
	_, e = open(request(t, "/v1/embeddings", `{"model":"e","input":"a","dimensions":1.5}`))
	require.Equal(t, "dimensions", e.Param)
	_, e = open(request(t, "/v1/embeddings", `{"model":"e","input":"a","truncate":true}`))
	require.Equal(t, "truncate", e.Param)
}

// TestStandInFaults: what the stand-in's failures do to clients.
func TestStandInFaults(t *testing.T) {
	base := standIn(t)
	for model, code := range map[string]string{
		"fault-429": dialect.CodeProviderRateLimited, "fault-500": dialect.CodeProviderError, "fault-503": dialect.CodeProviderError,
		"fault-truncate": dialect.CodeStreamTruncated, "fault-error-event": "", "fault-html": dialect.CodeProviderContentType,
		"fault-garbage": dialect.CodeProviderReply,
	} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1beta/models/e:streamGenerateContent"} {
			t.Run(model+path, func(t *testing.T) {
				body := `{"model":"e","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`
				if strings.Contains(path, "Gen") {
					body = `{"contents":[{"parts":[{"text":"hi"}]}]}`
				}
				place := gemini.Place{Path: "/v1beta/models/" + model, Headers: [][2]string{{"x-goog-api-key", canary}}}
				call, e := gemini.Open(gemini.Provider, target, request(t, path, body), frozen, place)
				require.Nil(t, e)
				res := send(t, base, call.Upstream())
				defer res.Body.Close()
				var got *dialect.Error
				if res.StatusCode == 200 && call.IsStream(res.Header.Get("content-type")) {
					require.NotEmpty(t, streamed(t, call, res.Body))
					got = call.Err()
				} else {
					whole, _ := io.ReadAll(res.Body)
					got = call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, whole).Error
				}
				require.NotNil(t, got)
				if code != "" {
					require.Equal(t, code, got.Code, "%+v", got)
				}
			})
		}
	}
	place := places["gemini"]
	place.Headers = [][2]string{{"x-goog-api-key", "wrong"}}
	call, e := gemini.Open(gemini.Provider, target, request(t, "/v1/chat/completions", calls[0].body), frozen, place)
	require.Nil(t, e)
	res := send(t, base, call.Upstream())
	defer res.Body.Close()
	whole, _ := io.ReadAll(res.Body)
	r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, whole)
	require.Equal(t, dialect.CodeProviderCredentialRejected, r.Error.Code)
	require.Equal(t, 502, r.Status)
}

// TestCountTokens goes to both places; others have no such call.
func TestCountTokens(t *testing.T) {
	base := standIn(t)
	for name, place := range places {
		for _, body := range []string{
			`{"contents":[{"role":"user","parts":[{"text":"hi there"}]}]}`,
			`{"generateContentRequest":{"model":"models/e","contents":[{"role":"user","parts":[{"text":"hi there"}]}]}}`,
		} {
			out, _ := play(t, base, place, request(t, "/v1beta/models/e:countTokens", body))
			require.Contains(t, string(out), `"totalTokens"`, name)
		}
	}
	_, e := open(request(t, "/v1/messages/count_tokens", `{"model":"e","messages":[{"role":"user","content":"hi"}]}`))
	require.Equal(t, 501, e.Status)
}

// TestStandInRounds: a client calls, gets a tool call, and sends it back with
// the result. The newest models want their signature with it, which the
// stand-in verifies; the dialects carry it in their own ways.
func TestStandInRounds(t *testing.T) {
	base := standIn(t)
	for name, c := range map[string]struct {
		path, first string
		second      func(t *testing.T, reply []byte) string
	}{
		"openai": {"/v1/chat/completions",
			`{"model":"e","messages":[{"role":"user","content":"weather?"}],"tool_choice":"required",` + openAITools + `}`,
			func(t *testing.T, reply []byte) string {
				var r struct {
					Choices []struct {
						Message json.RawMessage
					}
				}
				require.NoError(t, json.Unmarshal(reply, &r))
				var m struct {
					Calls []struct{ ID string } `json:"tool_calls"`
				}
				require.NoError(t, json.Unmarshal(r.Choices[0].Message, &m))
				results := ""
				for _, c := range m.Calls {
					results += `,{"role":"tool","tool_call_id":"` + c.ID + `","content":"sunny"}`
				}
				return `{"model":"e","messages":[{"role":"user","content":"weather?"},` + string(r.Choices[0].Message) + results + `],` + openAITools + `}`
			}},
		"anthropic": {"/v1/messages",
			`{"model":"e","max_tokens":999,"messages":[{"role":"user","content":"weather?"}],"tool_choice":{"type":"any"},` + anthropicTools + `}`,
			func(t *testing.T, reply []byte) string {
				var r struct{ Content json.RawMessage }
				require.NoError(t, json.Unmarshal(reply, &r))
				var blocks []struct{ Type, ID string }
				require.NoError(t, json.Unmarshal(r.Content, &blocks))
				var results []string
				for _, b := range blocks {
					if b.Type == "tool_use" {
						results = append(results, `{"type":"tool_result","tool_use_id":"`+b.ID+`","content":"sunny"}`)
					}
				}
				return `{"model":"e","max_tokens":999,"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":` + string(r.Content) +
					`},{"role":"user","content":[` + strings.Join(results, ",") + `]}],` + anthropicTools + `}`
			}},
	} {
		t.Run(name, func(t *testing.T) {
			place := gemini.Place{Path: "/v1beta/models/gemini-3-pro-preview", Headers: places["gemini"].Headers}
			reply, _ := play(t, base, place, request(t, c.path, c.first))
			req := request(t, c.path, c.second(t, reply))
			call, e := gemini.Open(gemini.Provider, target, req, frozen, place)
			require.Nil(t, e)
			require.Contains(t, string(call.Upstream().Body), `"thoughtSignature"`)
			require.NotContains(t, string(call.Upstream().Body), "skip_thought")
			play(t, base, place, req)
		})
	}
}

const anthropicTools = `"tools":[{"name":"get_weather","description":"d","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]`
