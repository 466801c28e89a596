package palm_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/palm"
	"sluice/internal/simulate"
)

const canary = "AIza-canary-0123456789-abcdef"

var (
	frozen = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}
	target = kit.Target{Provider: "palm", Model: "bison", Config: map[string]string{"palm_api_key": canary}}
)

func open(req *dialect.Request) (kit.Call, *dialect.Error) {
	return palm.Provider.Open(palm.Provider, target, req, frozen)
}

func mlflow(op dialect.Operation, payload []byte) *dialect.Request {
	return &dialect.Request{Route: dialect.Route{Dialect: dialect.MLflow, Operation: op}, Body: payload, Payload: payload, IncludeUsage: true}
}

func request(t testing.TB, path, body string) *dialect.Request {
	t.Helper()
	route, ok := dialect.Match("POST", path)
	require.True(t, ok)
	req, e := dialect.Parse(route, route.Operation, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return req
}

func jsonHeader(name string) string {
	return map[string]string{"content-type": "application/json"}[name]
}

func tokens(t *testing.T, b []byte) (all []json.Token) {
	t.Helper()
	require.True(t, json.Valid(b), "%s", b)
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, token)
	}
}

// TestAsMLflow holds the translation of MLflow's dialect against what MLflow's
// own provider makes of the same; testdata/generate.py ran it.
func TestAsMLflow(t *testing.T) {
	f, err := os.Open("testdata/mlflow.jsonl")
	require.NoError(t, err)
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var c struct {
			Name, Kind, Detail string
			In, Want           json.RawMessage
			Status             int
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			if kind, reply := strings.CutSuffix(c.Kind, "_reply"); reply {
				call, e := open(mlflow(dialect.Operation(kind), payloads[kind]))
				require.Nil(t, e)
				r := call.Complete(200, jsonHeader, c.In)
				require.Nil(t, r.Error)
				require.Equal(t, tokens(t, c.Want), tokens(t, r.Body), "%s", r.Body)
				return
			}
			call, e := open(mlflow(dialect.Operation(c.Kind), c.In))
			if c.Status != 0 {
				require.NotNil(t, e)
				require.Equal(t, c.Status, e.Status)
				require.Equal(t, c.Detail, e.Message)
				return
			}
			require.Nil(t, e)
			require.JSONEq(t, string(c.Want), string(call.Upstream().Body))
		})
	}
	require.Equal(t, 23, n)
}

var payloads = map[string][]byte{
	"chat": []byte(`{"n":1,"messages":[{"role":"user","content":"hi"}]}`), "completions": []byte(`{"n":1,"prompt":"hi"}`), "embeddings": []byte(`{"input":"hi"}`),
}

func TestNoStreams(t *testing.T) {
	req := mlflow(dialect.Chat, payloads["chat"])
	req.Stream = true
	_, e := open(req)
	require.Equal(t, "The chat streaming route is not implemented for PaLM models.", e.Message)
	require.Equal(t, 501, e.Status)
	_, e = open(request(t, "/v1/chat/completions", `{"model":"e","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	require.Equal(t, 501, e.Status)
	_, e = open(request(t, "/v1/completions", `{"model":"e","stream":true,"prompt":"hi"}`))
	require.Equal(t, 501, e.Status)
}

// TestStandIn: clients of OpenAI's and Anthropic's dialects reach the stand-in.
func TestStandIn(t *testing.T) {
	server := httptest.NewServer(simulate.NewGemini(simulate.Options{Keys: []string{canary}}))
	defer server.Close()
	for _, c := range []struct{ path, body, sent, want string }{
		{"/v1/chat/completions", `{"model":"e","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"a"},{"role":"user","content":"b"}],"temperature":0.5,"top_p":1}`,
			`{"prompt":{"context":"s","messages":[{"author":"0","content":"hi"},{"author":"1","content":"a"},{"author":"0","content":"b"}]},"temperature":0.5,"topP":1}`, `"finish_reason":"stop"`},
		{"/v1/completions", `{"model":"e","prompt":"hi","max_tokens":9,"stop":"x","temperature":0.5}`,
			`{"prompt":{"text":"hi"},"maxOutputTokens":9,"stopSequences":["x"],"temperature":0.5}`, `"text_completion"`},
		{"/v1/embeddings", `{"model":"e","input":["a","b"]}`, `{"texts":["a","b"]}`, `"index":1`},
		{"/v1/embeddings", `{"model":"e","input":"a","encoding_format":"base64"}`, `{"texts":["a"]}`, `"index":0`},
	} {
		t.Run(c.path, func(t *testing.T) {
			call, e := open(request(t, c.path, c.body))
			require.Nil(t, e, "%+v", e)
			up := call.Upstream()
			require.JSONEq(t, c.sent, string(up.Body))
			req, err := http.NewRequest(up.Method, server.URL+up.Path, bytes.NewReader(up.Body))
			require.NoError(t, err)
			for _, h := range up.Headers {
				req.Header.Set(h[0], h[1])
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			r := call.Complete(res.StatusCode, res.Header.Get, body)
			require.Nil(t, r.Error, "%s", body)
			require.Contains(t, string(r.Body), c.want)
		})
	}
}

// TestRefused: what PaLM does not have is refused by name.
func TestRefused(t *testing.T) {
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for param, c := range map[string][2]string{
		"max_tokens":      {"/v1/chat/completions", `{"model":"e",` + hi + `,"max_tokens":3}`},
		"stop":            {"/v1/chat/completions", `{"model":"e",` + hi + `,"stop":["x"]}`},
		"tools":           {"/v1/chat/completions", `{"model":"e",` + hi + `,"tools":[{"type":"function","function":{"name":"f"}}]}`},
		"response_format": {"/v1/chat/completions", `{"model":"e",` + hi + `,"response_format":{"type":"json_object"}}`},
		"messages":        {"/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]}`},
		"temperature":     {"/v1/chat/completions", `{"model":"e",` + hi + `,"temperature":1.5}`},
		"logprobs":        {"/v1/chat/completions", `{"model":"e",` + hi + `,"logprobs":true}`},
		"seed":            {"/v1/completions", `{"model":"e","prompt":"a","seed":1}`},
		"prompt":          {"/v1/completions", `{"model":"e","prompt":["a","b"]}`},
		"input":           {"/v1/embeddings", `{"model":"e","input":[1]}`},
		"dimensions":      {"/v1/embeddings", `{"model":"e","input":"a","dimensions":3}`},
		"encoding_format": {"/v1/embeddings", `{"model":"e","input":"a","encoding_format":"hex"}`},
	} {
		_, e := open(request(t, c[0], c[1]))
		require.NotNil(t, e, param)
		require.Equal(t, 400, e.Status)
		require.Equal(t, param, e.Param)
	}
}

// TestBlocked: a prompt that the filter refused is told as a refusal.
func TestBlocked(t *testing.T) {
	call, e := open(request(t, "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"hi"}]}`))
	require.Nil(t, e)
	r := call.Complete(200, jsonHeader, []byte(`{"filters":[{"reason":"OTHER"}]}`))
	require.Contains(t, string(r.Body), `"finish_reason":"content_filter"`)
	require.NotNil(t, call.Complete(200, jsonHeader, []byte(`{}`)).Error)
	require.Equal(t, dialect.CodeProviderRateLimited,
		call.Complete(200, jsonHeader, []byte(`{"error":{"code":429,"message":"m"}}`)).Error.Code)
}

// FuzzReply: whatever PaLM replies, clients get JSON.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"candidates":[{"author":"1","content":"Hi"}]}`))
	f.Add([]byte(`{"candidates":[{"output":"Hi"}]}`))
	f.Add([]byte(`{"embeddings":[{"value":[1,2.5]}]}`))
	f.Add([]byte(`{"filters":[{"reason":"SAFETY"}]}`))
	requests := []*dialect.Request{
		request(f, "/v1/chat/completions", `{"model":"e","messages":[{"role":"user","content":"hi"}]}`),
		request(f, "/v1/completions", `{"model":"e","prompt":"hi"}`), request(f, "/v1/embeddings", `{"model":"e","input":"hi","encoding_format":"base64"}`),
	}
	for op, payload := range payloads {
		requests = append(requests, mlflow(dialect.Operation(op), payload))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, req := range requests {
			call, e := open(req)
			require.Nil(t, e)
			r := call.Complete(200, jsonHeader, body)
			require.True(t, json.Valid(r.Body), "%s", r.Body)
			require.Equal(t, r.Error == nil, r.Status == 200)
		}
	})
}
