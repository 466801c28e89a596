package bedrock_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider/bedrock"
	"sluice/extproc/provider/kit"
)

// golden is a line of testdata/mlflow.jsonl.
type golden struct {
	Name, Kind, Model, Detail string
	In, Want                  json.RawMessage
	Status                    int
}

// TestAsMLflow holds the translation of MLflow's dialect against what MLflow's
// own provider makes of the same; testdata/generate.py ran it.
func TestAsMLflow(t *testing.T) {
	n := eachLine(t, "testdata/mlflow.jsonl", func(c golden) {
		t.Run(c.Kind+"/"+c.Model+"/"+c.Name, func(t *testing.T) { c.check(t) })
	})
	require.Greater(t, n, 150)
}

func (c golden) check(t *testing.T) {
	hi := map[string]string{"chat": `{"messages":[{"role":"user","content":"hi"}]}`, "completions": `{"prompt":"hi"}`, "embeddings": `{"input":"hi"}`}
	op, what, _ := strings.Cut(c.Kind, "_")
	payload := c.In
	if what != "" {
		payload = []byte(hi[op])
	}
	var replies []json.RawMessage
	if c.Kind == "embeddings_reply" {
		require.NoError(t, json.Unmarshal(c.In, &replies))
		payload = []byte(`{"input":["a"` + strings.Repeat(`,"b"`, len(replies)-1) + `]}`)
	}
	call, e := open(target(c.Model), mlflowRequest(dialect.Operation(op), payload, what == "stream"))
	if c.Status != 0 {
		require.NotNil(t, e)
		require.Equal(t, c.Status, e.Status)
		require.Equal(t, c.Detail, e.Message)
		return
	}
	require.Nil(t, e)
	up := call.Upstream()
	switch what {
	case "":
		sent := string(up.Body)
		if op == "embeddings" {
			sent = list(up)
		}
		require.JSONEq(t, string(c.Want), sent)
	case "reply":
		body := []byte(c.In)
		if len(replies) == 1 {
			body = replies[0]
		}
		r := call.Complete(200, jsonHeaders, body)
		require.Nil(t, r.Error)
		requireSameTokens(t, c.Want, r.Body)
	case "stream":
		c.checkStream(t, call)
	}
}

// list are the bodies of a request as a JSON list.
func list(up kit.Upstream) string {
	bodies := up.Batch
	if len(bodies) == 0 {
		bodies = [][]byte{up.Body}
	}
	var all []string
	for _, b := range bodies {
		all = append(all, string(b))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (c golden) checkStream(t *testing.T, call kit.Call) {
	require.True(t, call.IsStream(eventstream.ContentType))
	out, done := call.Chunk(framed(t, c.In), false)
	require.True(t, done)
	require.Nil(t, call.Err())
	var want []json.RawMessage
	require.NoError(t, json.Unmarshal(c.Want, &want))
	got := sseData(t, out)
	require.Len(t, got, len(want), "%s", out)
	for i := range want {
		requireSameTokens(t, want[i], []byte(got[i]))
	}
}

// TestCases runs whole exchanges observed on MLflow's real server.
func TestCases(t *testing.T) {
	b, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var cases []struct {
		Name           string
		EndpointType   string `json:"endpoint_type"`
		EndpointConfig struct {
			Model struct {
				Name   string
				Config struct {
					AWS map[string]string `json:"aws_config"`
				}
			}
		} `json:"endpoint_config"`
		ClientRequest    struct{ Body json.RawMessage } `json:"client_request"`
		ExpectedUpstream struct {
			URL     string
			Headers map[string]string
			Body    json.RawMessage
		} `json:"expected_upstream"`
		UpstreamResponse struct {
			Status int
			Body   json.RawMessage
		} `json:"upstream_response"`
		Want struct {
			Status int
			Body   json.RawMessage
		} `json:"expected_client_response"`
	}
	require.NoError(t, json.Unmarshal(b, &cases))
	require.Len(t, cases, 2)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			op := dialect.Operation(strings.TrimPrefix(c.EndpointType, "llm/v1/"))
			req, e := dialect.Parse(dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"}, op, "application/json", c.ClientRequest.Body)
			require.Nil(t, e)
			target := kit.Target{Provider: "bedrock", Model: c.EndpointConfig.Model.Name, Config: c.EndpointConfig.Model.Config.AWS}
			require.Empty(t, bedrock.Provider.CheckTarget(target, c.EndpointType))
			call, e := open(target, req)
			require.Nil(t, e)

			want, err := url.Parse(c.ExpectedUpstream.URL)
			require.NoError(t, err)
			address, err := bedrock.Provider.Address(target)
			require.NoError(t, err)
			require.Equal(t, kit.Address{TLS: true, Host: want.Host, Port: 443}, address)
			up := call.Upstream()
			require.Equal(t, want.EscapedPath(), up.Path)
			require.JSONEq(t, string(c.ExpectedUpstream.Body), string(up.Body))
			credential, signed := bedrock.Provider.Credential(target)
			for name, value := range c.ExpectedUpstream.Headers {
				if strings.HasPrefix(value, "AWS4-HMAC-SHA256") {
					require.True(t, signed)
					require.Equal(t, kit.AWS, credential.Kind)
					require.Empty(t, headerOf(up, "authorization"))
					continue
				}
				require.Equal(t, value, headerOf(up, strings.ToLower(name)), name)
			}

			r := call.Complete(c.UpstreamResponse.Status, jsonHeaders, c.UpstreamResponse.Body)
			require.Equal(t, c.Want.Status, r.Status)
			requireSameTokens(t, c.Want.Body, r.Body)
		})
	}
}

func headerOf(up kit.Upstream, name string) string {
	for _, h := range up.Headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// TestBetterThanMLflow is where what crashes MLflow's server, or what Bedrock
// refuses, is answered in another way.
func TestBetterThanMLflow(t *testing.T) {
	chat := func(body string, stream bool) (kit.Call, *dialect.Error) {
		return open(keyed(claude), mlflowRequest(dialect.Chat, []byte(body), stream))
	}
	const tools = `{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":`

	call, e := chat(tools+`{"name":"f"}}]}`, false)
	require.Nil(t, e)
	require.JSONEq(t, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],
		"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}}`, string(call.Upstream().Body), "no empty description")

	_, e = chat(tools+`null}]}`, false)
	require.Equal(t, 422, e.Status)
	require.Equal(t, "tools[0].function", e.Param)

	call, e = chat(`{"messages":[{"role":"user","content":"hi"}],"stop":"x","stream":true}`, true)
	require.Nil(t, e, "an API key streams")
	require.Equal(t, "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse-stream", call.Upstream().Path)
	require.JSONEq(t, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"stopSequences":["x"]}}`, string(call.Upstream().Body))

	_, e = open(target("amazon.titan-embed-text-v2:0"), mlflowRequest(dialect.Embeddings, []byte(`{"input":[[1,2]]}`), false))
	require.Equal(t, "input", e.Param)
	call, e = open(target("cohere.embed-english-v3"), mlflowRequest(dialect.Embeddings, []byte(`{"input":["a","b"]}`), false))
	require.Nil(t, e)
	require.JSONEq(t, `{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"]}`, string(call.Upstream().Body))

	_, e = open(target("amazon.titan-tg1-large"), mlflowRequest(dialect.Completions, []byte(`{"prompt":"hi","stream":true}`), true))
	require.Equal(t, 501, e.Status)
	require.Equal(t, "The completions streaming route is not implemented for Amazon Bedrock models.", e.Message)
}

// TestMLflowStream cuts streams anywhere, and ends them in every way.
func TestMLflowStream(t *testing.T) {
	begin := func() kit.Call {
		call, e := open(target(claude), mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}],"stream":true}`), true))
		require.Nil(t, e)
		return call
	}
	const hello = `{"messageStart":{"role":"assistant"}},{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"}}},{"contentBlockStop":{"contentBlockIndex":0}}`
	const usage = `{"metadata":{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":12,"cacheReadInputTokens":5}}}`
	whole := framed(t, []byte(`[`+hello+`,{"messageStop":{"stopReason":"end_turn"}},`+usage+`]`))
	call := begin()
	want, _ := feed(call, whole, len(whole))
	require.Equal(t, dialect.Usage{Input: 8, Output: 4, Cached: 5, Reasoning: -1, CacheWrite: -1}, call.Usage())
	for size := 1; size < len(whole); size++ {
		call := begin()
		got, done := feed(call, whole, size)
		require.True(t, done)
		require.Nil(t, call.Err())
		require.Equal(t, string(want), string(got), "by %d bytes", size)
	}

	ended := framed(t, []byte(`[`+hello+`,{"messageStop":{"stopReason":"end_turn"}}]`))
	call = begin()
	_, done := feed(call, ended, 50)
	require.True(t, done, "without the usage")
	require.Nil(t, call.Err())

	for name, c := range map[string]struct {
		stream []byte
		status int
		code   string
	}{
		"cut":           {whole[:len(whole)-3], 502, dialect.CodeStreamTruncated},
		"cut early":     {framed(t, []byte(`[`+hello+`]`)), 502, dialect.CodeStreamTruncated},
		"within frame":  {framed(t, []byte(`[`+hello+`]`))[:150], 502, dialect.CodeStreamTruncated},
		"throttled":     {framed(t, []byte(`[`+hello+`,{"throttlingException":{"message":"slow canary/secret/0123456789"}}]`)), 429, dialect.CodeProviderRateLimited},
		"model failed":  {framed(t, []byte(`[{"modelStreamErrorException":{"originalStatusCode":500,"originalMessage":"m"}}]`)), 502, dialect.CodeProviderError},
		"unavailable":   {framed(t, []byte(`[{"serviceUnavailableException":{"message":"m"}}]`)), 503, dialect.CodeProviderError},
		"invalid":       {framed(t, []byte(`[{"validationException":{"message":"m"}}]`)), 400, dialect.CodeProviderRejected},
		"not JSON":      {eventstream.Append(nil, eventstream.Event, "messageStart", []byte("{")), 502, dialect.CodeProviderReply},
		"not framed":    {[]byte("data: {\"x\":1}\n\ndata: [DONE]\n\n"), 502, dialect.CodeProviderReply},
		"broken frames": {append([]byte{whole[0] ^ 1}, whole[1:]...), 502, dialect.CodeProviderReply},
	} {
		t.Run(name, func(t *testing.T) {
			call := begin()
			out, done := feed(call, c.stream, 40)
			require.True(t, done)
			require.NotNil(t, call.Err(), "%s", out)
			require.Equal(t, c.status, call.Err().Status)
			require.Equal(t, c.code, call.Err().Code)
			data := sseData(t, out)
			require.Contains(t, data[len(data)-1], `"error"`)
			require.NotContains(t, string(out), "canary")
		})
	}
}
