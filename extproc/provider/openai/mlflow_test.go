package openai_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

var testEnv = provider.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

// mlflowCase is one of testdata/cases.json, observed on MLflow's server.
type mlflowCase struct {
	Name     string
	Provider string
	Type     string `json:"endpoint_type"`
	Endpoint struct {
		Model struct {
			Name   string
			Config map[string]string
		}
	} `json:"endpoint_config"`
	Request struct {
		Method, Path string
		Body         json.RawMessage
	} `json:"client_request"`
	Upstream *struct {
		Method, URL string
		Headers     map[string]string
		Body        json.RawMessage
	} `json:"expected_upstream"`
	Answer struct {
		Status int
		Type   string `json:"content_type"`
		Body   json.RawMessage
	} `json:"upstream_response"`
	Client struct {
		Status int
		Type   string `json:"content_type"`
		Body   json.RawMessage
		RawSSE string `json:"raw_sse"`
	} `json:"expected_client_response"`
}

// TestMLflowCases runs what was observed on MLflow's own server.
func TestMLflowCases(t *testing.T) {
	text, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var cases []mlflowCase
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Len(t, cases, 12)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { c.run(t) })
	}
}

func (c *mlflowCase) run(t *testing.T) {
	target := provider.Target{Provider: c.Provider, Model: c.Endpoint.Model.Name, Config: c.Endpoint.Model.Config}
	assert.Empty(t, provider.Check(target, c.Type))
	route, ok := dialect.Match(c.Request.Method, c.Request.Path)
	require.True(t, ok)
	req, e := dialect.Parse(route, provider.OperationOf(c.Type), "application/json", c.Request.Body)
	var call provider.Call
	if e == nil {
		call, e = provider.Open(target, req, testEnv)
	}
	if c.Upstream == nil {
		require.NotNil(t, e)
		status, ctype, body, _ := dialect.Render(dialect.MLflow, e, "ex-1")
		c.check(t, status, ctype, body)
		return
	}
	require.Nil(t, e)
	c.checkUpstream(t, target, call.Upstream())
	header := func(name string) string { return map[string]string{"content-type": c.Answer.Type}[name] }
	if c.Client.RawSSE != "" {
		var stream string
		require.NoError(t, json.Unmarshal(c.Answer.Body, &stream))
		out, done := call.Chunk([]byte(stream), false)
		assert.True(t, done)
		assert.Equal(t, c.Client.RawSSE, string(out))
		assert.Equal(t, c.Client.Type, call.StreamContentType())
		return
	}
	reply := call.Complete(c.Answer.Status, header, c.Answer.Body)
	c.check(t, reply.Status, reply.ContentType, reply.Body)
}

func (c *mlflowCase) checkUpstream(t *testing.T, target provider.Target, up provider.Upstream) {
	want, err := url.Parse(c.Upstream.URL)
	require.NoError(t, err)
	address, err := provider.AddressOf(target)
	require.NoError(t, err)
	assert.Equal(t, want.Hostname(), address.Host)
	assert.Equal(t, want.Scheme == "https", address.TLS)
	assert.Equal(t, want.RequestURI(), up.Path)
	assert.Equal(t, c.Upstream.Method, up.Method)
	assert.JSONEq(t, string(c.Upstream.Body), string(up.Body))
	sent := http.Header{}
	for _, h := range up.Headers {
		assert.Equal(t, strings.ToLower(h[0]), h[0], "Envoy takes lower-case names only")
		sent.Add(h[0], h[1])
	}
	for name, value := range c.Upstream.Headers {
		assert.Equal(t, []string{value}, sent.Values(name), name)
	}
}

// check compares a reply; code and exchange id may stand beside detail.
func (c *mlflowCase) check(t *testing.T, status int, ctype string, body []byte) {
	assert.Equal(t, c.Client.Status, status)
	assert.Equal(t, c.Client.Type, ctype)
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &got))
	if status != http.StatusUnprocessableEntity && status >= 400 {
		delete(got, "code")
		delete(got, "exchange_id")
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	assert.JSONEq(t, string(c.Client.Body), string(text))
}

// TestMLflowReplies holds replies and chunks against MLflow's own adapter.
func TestMLflowReplies(t *testing.T) {
	f, err := os.Open("testdata/replies.jsonl")
	require.NoError(t, err)
	defer f.Close()
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		var c struct {
			Op    string
			Reply json.RawMessage
			Want  json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		op, streamed := strings.CutSuffix(c.Op, "_stream")
		call := openMLflow(t, dialect.Operation(op), streamed)
		var got []byte
		if streamed {
			out, _ := call.Chunk(append(append([]byte("data: "), c.Reply...), "\n\n"...), false)
			require.Nil(t, call.Err(), lines.Text())
			got = bytes.TrimSuffix(bytes.TrimPrefix(out, []byte("data: ")), []byte("\n\n"))
		} else {
			reply := call.Complete(200, jsonHead, c.Reply)
			require.Equal(t, 200, reply.Status, lines.Text())
			got = reply.Body
		}
		require.True(t, json.Valid(got), "%s\n%s", lines.Text(), got)
		if c.Want != nil {
			require.JSONEq(t, string(c.Want), string(got), lines.Text())
		}
	}
	assert.Greater(t, count, 100)
}

func openMLflow(t testing.TB, op dialect.Operation, stream bool) provider.Call {
	body := map[dialect.Operation]string{
		dialect.Chat: `{"messages":[{"role":"user","content":"x"}]}`, dialect.Completions: `{"prompt":"x"}`, dialect.Embeddings: `{"input":"x"}`,
	}[op]
	if stream {
		body = body[:len(body)-1] + `,"stream":true}`
	}
	return openCall(t, dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}, op, body)
}

// openCall opens a call of testTarget.
func openCall(t testing.TB, route dialect.Route, op dialect.Operation, body string) provider.Call {
	req, e := dialect.Parse(route, op, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	call, e := provider.Open(testTarget, req, testEnv)
	require.Nil(t, e, "%+v", e)
	return call
}

const testKey = "sk-proj-Zq8vT3mLx0Yc5RbN7dKw"

var testTarget = provider.Target{Provider: "openai", Model: "gpt-x", Config: map[string]string{"openai_api_key": testKey}}

func jsonHead(name string) string {
	if name == "content-type" {
		return "application/json"
	}
	return ""
}
