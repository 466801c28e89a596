package vertex_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/vertex"
	"sluice/internal/simulate"
)

const token = "ya29.canary-0123456789"

var frozen = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

func target(model string, config ...string) kit.Target {
	t := kit.Target{Provider: "vertex_ai", Model: model, Config: map[string]string{"vertex_project": "my-project"}}
	for i := 0; i < len(config); i += 2 {
		t.Config[config[i]] = config[i+1]
	}
	return t
}

func open(t kit.Target, req *dialect.Request) (kit.Call, *dialect.Error) {
	return vertex.Provider.Open(vertex.Provider, t, req, frozen)
}

func request(t testing.TB, path, body string) *dialect.Request {
	t.Helper()
	route, ok := dialect.Match("POST", path)
	require.True(t, ok, path)
	op := route.Operation
	if op == dialect.CountTokens {
		op = dialect.Chat
	}
	req, e := dialect.Parse(route, op, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return req
}

func mlflow(op dialect.Operation, payload string) *dialect.Request {
	return &dialect.Request{Route: dialect.Route{Dialect: dialect.MLflow, Operation: op}, Body: []byte(payload), Payload: []byte(payload), IncludeUsage: true}
}

const (
	openAIChat = `{"model":"e","messages":[{"role":"user","content":"hi"}],"max_tokens":50}`
	mlflowChat = `{"n":1,"messages":[{"role":"user","content":"hi"}]}`
)

// TestPlaces: hosts by location, paths by the maker of the model, as MLflow's
// own provider has them.
func TestPlaces(t *testing.T) {
	for _, c := range []struct{ model, location, host, path string }{
		{"gemini-2.5-flash", "", "aiplatform.googleapis.com", "/v1/projects/my-project/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"},
		{"gemini-2.5-flash", "global", "aiplatform.googleapis.com", "/v1/projects/my-project/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"},
		{"gemini-2.5-flash", "europe-west1", "europe-west1-aiplatform.googleapis.com", "/v1/projects/my-project/locations/europe-west1/publishers/google/models/gemini-2.5-flash:generateContent"},
		{"text-bison", "eu", "aiplatform.eu.rep.googleapis.com", "/v1/projects/my-project/locations/eu/publishers/google/models/text-bison:generateContent"},
		{"claude-sonnet-4@20250514", "us", "aiplatform.us.rep.googleapis.com", "/v1/projects/my-project/locations/us/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict"},
		{"Claude-x", "", "aiplatform.googleapis.com", "/v1/projects/my-project/locations/global/publishers/anthropic/models/Claude-x:rawPredict"},
		{"meta/llama-4-maas", "", "us-central1-aiplatform.googleapis.com", "/v1/projects/my-project/locations/us-central1/endpoints/openapi/chat/completions"},
		{"mistral-medium-3", "us-east5", "us-east5-aiplatform.googleapis.com", "/v1/projects/my-project/locations/us-east5/endpoints/openapi/chat/completions"},
		{"jamba-1.5", "", "us-central1-aiplatform.googleapis.com", "/v1/projects/my-project/locations/us-central1/endpoints/openapi/chat/completions"},
		{"deepseek-r1-maas", "", "us-central1-aiplatform.googleapis.com", "/v1/projects/my-project/locations/us-central1/endpoints/openapi/chat/completions"},
	} {
		t.Run(c.model+" "+c.location, func(t *testing.T) {
			to := target(c.model)
			if c.location != "" {
				to.Config["vertex_location"] = c.location
			}
			require.Empty(t, vertex.Provider.CheckTarget(to, kit.TypeChat))
			address, err := vertex.Provider.Address(to)
			require.NoError(t, err)
			require.Equal(t, kit.Address{TLS: true, Host: c.host, Port: 443}, address)
			for _, req := range []*dialect.Request{request(t, "/v1/chat/completions", openAIChat), mlflow(dialect.Chat, mlflowChat)} {
				call, e := open(to, req)
				require.Nil(t, e, "%+v", e)
				require.Equal(t, c.path, call.Upstream().Path)
			}
		})
	}
}

// TestCheck: project and location become parts of host and path.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		target kit.Target
		field  string
	}{
		"project":        {target("gemini-x", "vertex_project", "a/../b"), "vertex_project"},
		"project dots":   {target("gemini-x", "vertex_project", ".."), "vertex_project"},
		"project upper":  {target("gemini-x", "vertex_project", "Mine"), "vertex_project"},
		"location host":  {target("gemini-x", "vertex_location", "evil.example/"), "vertex_location"},
		"location port":  {target("gemini-x", "vertex_location", "x:1"), "vertex_location"},
		"location dots":  {target("gemini-x", "vertex_location", "a.b"), "vertex_location"},
		"model":          {target("a/../b"), "model"},
		"no JSON":        {target("gemini-x", "vertex_credentials", "/etc/key.json"), "vertex_credentials"},
		"JSON of what":   {target("gemini-x", "vertex_credentials", `{"a":1}`), "vertex_credentials"},
		"embeddings":     {target("claude-x"), "endpoint_type"},
		"domain project": {target("gemini-x", "vertex_project", "example.com:mine"), ""},
		"credentials":    {target("gemini-x", "vertex_credentials", "{\n\"type\":\"service_account\"\n}"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			kind := kit.TypeChat
			if c.field == "endpoint_type" {
				kind = kit.TypeEmbeddings
			}
			errs := vertex.Provider.CheckTarget(c.target, kind)
			if c.field == "" {
				require.Empty(t, errs)
				return
			}
			require.Len(t, errs, 1)
			require.Equal(t, c.field, errs[0].Field)
			if strings.HasPrefix(c.field, "vertex_p") || strings.HasPrefix(c.field, "vertex_l") {
				_, e := open(c.target, request(t, "/v1/chat/completions", openAIChat))
				require.Equal(t, 500, e.Status, "it goes nowhere")
			}
			if c.field == "vertex_location" {
				_, err := vertex.Provider.Address(c.target)
				require.Error(t, err)
			}
		})
	}
}

func TestCredential(t *testing.T) {
	c, ok := vertex.Provider.Credential(target("gemini-x", "vertex_credentials", "{}"))
	require.True(t, ok)
	require.Equal(t, kit.Credential{Kind: kit.Google, Params: map[string]string{"credentials": "{}"}}, c)
	for model, d := range map[string]dialect.Dialect{"gemini-x": dialect.Gemini, "claude-x": dialect.Anthropic, "a/b": dialect.OpenAI} {
		n, err := vertex.Provider.Native(vertex.Provider, target(model))
		require.NoError(t, err)
		require.Equal(t, kit.Native{Dialect: d, Below: n.Below}, n)
		require.True(t, n.Serves("/v1/projects/my-project/locations/global/publishers/google/models/"+model+":generateContent"))
		require.True(t, n.Serves("/v1beta1/publishers/google/models"))
		require.False(t, n.Serves("/v1/projects/my-project-of-others/locations/global/publishers/google/models/"+model+":generateContent"))
	}
}

// TestClaude: the model is in the path, the version in the body, and the betas
// that the endpoint allows go along.
func TestClaude(t *testing.T) {
	call, e := open(target("claude-x"), mlflow(dialect.Chat, mlflowChat))
	require.Nil(t, e)
	require.JSONEq(t, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":8192,"anthropic_version":"vertex-2023-10-16"}`, string(call.Upstream().Body))
	for given, want := range map[string]string{"": "", "a-1": "a-1", " b-2 ,a-1": "a-1,b-2", "-": "a-1,b-2,c-3"} {
		to := target("claude-x", "vertex_anthropic_betas", given)
		if given == "-" {
			delete(to.Config, "vertex_anthropic_betas")
		}
		req := request(t, "/v1/messages", `{"model":"e","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)
		req.ClientHeader = func(name string) string { return map[string]string{"anthropic-beta": "a-1,b-2,c-3"}[name] }
		call, e := open(to, req)
		require.Nil(t, e)
		require.True(t, strings.HasSuffix(call.Upstream().Path, "/claude-x:streamRawPredict"))
		require.JSONEq(t, `{"max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`, string(call.Upstream().Body))
		got := ""
		for _, h := range call.Upstream().Headers {
			if h[0] == "anthropic-beta" {
				got = h[1]
			}
			require.NotEqual(t, "x-api-key", h[0])
		}
		require.Equal(t, want, strings.ReplaceAll(got, " ", ""))
	}
	count, e := open(target("claude-x"), request(t, "/v1/messages/count_tokens", `{"model":"e","messages":[{"role":"user","content":"hi"}]}`))
	require.Nil(t, e)
	require.True(t, strings.HasSuffix(count.Upstream().Path, "/publishers/anthropic/models/count-tokens:rawPredict"))
	require.Contains(t, string(count.Upstream().Body), `"model":"claude-x"`)
}

// TestMLflowCompletions are MLflow's words for models that have none.
func TestMLflowCompletions(t *testing.T) {
	for _, model := range []string{"claude-x", "meta/llama"} {
		_, e := open(target(model), mlflow(dialect.Completions, `{"n":1,"prompt":"hi"}`))
		require.Equal(t, 501, e.Status)
		require.Equal(t, "The completions endpoint is not supported for "+model+" on Vertex AI. Use the chat endpoint instead.", e.Message)
	}
	call, e := open(target("gemini-x"), mlflow(dialect.Completions, `{"n":1,"prompt":"hi"}`))
	require.Nil(t, e)
	require.True(t, strings.HasSuffix(call.Upstream().Path, "/gemini-x:generateContent"))
	_, e = open(target("claude-x"), mlflow(dialect.Embeddings, `{"input":"hi"}`))
	require.Equal(t, 501, e.Status)
}

// TestEmbeddings: Gemini's models are asked as MLflow asks them; the others, by
// OpenAI's clients, by the API that they have.
func TestEmbeddings(t *testing.T) {
	for _, c := range []struct{ model, in, method, want string }{
		{"gemini-embedding-001", `"a"`, "embedContent", `{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"outputDimensionality":8}}`},
		{"gemini-embedding-001", `["a","b"]`, "batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"outputDimensionality":8}},{"content":{"parts":[{"text":"b"}]},"embedContentConfig":{"outputDimensionality":8}}]}`},
		{"text-embedding-005", `["a","b"]`, "predict", `{"instances":[{"content":"a"},{"content":"b"}],"parameters":{"outputDimensionality":8}}`},
	} {
		call, e := open(target(c.model), request(t, "/v1/embeddings", `{"model":"e","input":`+c.in+`,"dimensions":8}`))
		require.Nil(t, e)
		require.True(t, strings.HasSuffix(call.Upstream().Path, "/models/"+c.model+":"+c.method), call.Upstream().Path)
		require.JSONEq(t, c.want, string(call.Upstream().Body))
	}
	call, e := open(target("text-embedding-005"), mlflow(dialect.Embeddings, `{"input":"a"}`))
	require.Nil(t, e)
	require.True(t, strings.HasSuffix(call.Upstream().Path, "/text-embedding-005:embedContent"))
}

// TestStandIn plays calls of each dialect to each maker's models against the
// stand-in, with the token that the gateway adds.
func TestStandIn(t *testing.T) {
	server := httptest.NewServer(simulate.NewGemini(simulate.Options{Keys: []string{token}}))
	defer server.Close()
	for model, voice := range map[string]string{"gemini-2.5-flash": "Gemini", "claude-sonnet-4@20250514": "Vertex", "meta/llama-4-maas": "MaaS"} {
		for _, c := range []struct{ path, body string }{
			{"/v1/chat/completions", openAIChat},
			{"/v1/completions", `{"model":"e","prompt":"hi","max_tokens":50}`},
			{"/v1/responses", `{"model":"e","input":"hi"}`},
			{"/v1/messages", openAIChat},
			{"/v1beta/models/e:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
			{"mlflow", mlflowChat},
		} {
			for _, stream := range []bool{false, true} {
				t.Run(model+c.path+map[bool]string{true: " streamed"}[stream], func(t *testing.T) {
					out := play(t, server.URL, target(model), called(t, c.path, c.body, stream))
					require.Contains(t, out, voice)
				})
			}
		}
	}
	for _, model := range []string{"gemini-embedding-001", "text-embedding-005", "intfloat/e5-maas"} {
		out := play(t, server.URL, target(model), request(t, "/v1/embeddings", `{"model":"e","input":["a","b"],"encoding_format":"base64"}`))
		require.Contains(t, out, `"index":1`)
	}
}

func called(t *testing.T, path, body string, stream bool) *dialect.Request {
	t.Helper()
	if path == "mlflow" {
		req := mlflow(dialect.Chat, body)
		if stream {
			req = mlflow(dialect.Chat, strings.TrimSuffix(body, "}")+`,"stream":true}`)
		}
		req.Stream = stream
		return req
	}
	if stream && strings.Contains(path, ":generate") {
		path = strings.Replace(path, ":g", ":streamG", 1)
	} else if stream {
		body = strings.TrimSuffix(body, "}") + `,"stream":true}`
	}
	return request(t, path, body)
}

func play(t *testing.T, base string, to kit.Target, asked *dialect.Request) string {
	t.Helper()
	call, e := open(to, asked)
	require.Nil(t, e, "%+v", e)
	up := call.Upstream()
	req, err := http.NewRequest(up.Method, base+up.Path, bytes.NewReader(up.Body))
	require.NoError(t, err)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	req.Header.Set("authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if asked.Stream {
		require.True(t, call.IsStream(res.Header.Get("content-type")), "%d %s", res.StatusCode, body)
		out, done := call.Chunk(body, true)
		require.True(t, done)
		require.Nil(t, call.Err(), "%s", body)
		return string(out)
	}
	r := call.Complete(res.StatusCode, res.Header.Get, body)
	require.Nil(t, r.Error, "%s\n%s", up.Body, body)
	require.True(t, json.Valid(r.Body))
	return string(r.Body)
}
