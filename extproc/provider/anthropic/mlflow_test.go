package anthropic_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
)

// frozen is the clock of every data file here.
var frozen = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

func targetOf(config map[string]string) kit.Target {
	c := map[string]string{"anthropic_api_key": "sk-ant-canary-0123456789"}
	for k, v := range config {
		c[k] = v
	}
	return kit.Target{Provider: "anthropic", Model: "claude-x", Config: c}
}

func mlflowRequest(op dialect.Operation, payload []byte, stream bool) *dialect.Request {
	return &dialect.Request{
		Route: dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"},
		Body:  payload, Payload: payload, Stream: stream, IncludeUsage: true,
	}
}

// headers looks up in a list of names and values.
func headers(list ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(list); i += 2 {
			if list[i] == name {
				return list[i+1]
			}
		}
		return ""
	}
}

var jsonHeaders = headers("content-type", "application/json")

// requireSameTokens compares JSON with the order of keys, but not with the
// way strings are escaped.
func requireSameTokens(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, tokens(t, want), tokens(t, got), "want %s\n got %s", want, got)
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

// events cuts "data" events apart.
func events(t *testing.T, stream []byte) (data []string) {
	t.Helper()
	for _, e := range strings.SplitAfter(string(stream), "\n\n") {
		if e == "" {
			continue
		}
		require.True(t, strings.HasPrefix(e, "data: ") && strings.HasSuffix(e, "\n\n") && strings.Count(e, "\n") == 2, "%q", e)
		data = append(data, strings.TrimSuffix(strings.TrimPrefix(e, "data: "), "\n\n"))
	}
	return data
}

// anthropicSSE writes events as Anthropic does.
func anthropicSSE(t testing.TB, list json.RawMessage) []byte {
	t.Helper()
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal(list, &raw))
	var out bytes.Buffer
	for _, r := range raw {
		var e struct{ Type string }
		require.NoError(t, json.Unmarshal(r, &e))
		out.WriteString("event: " + e.Type + "\ndata: ")
		out.Write(r)
		out.WriteString("\n\n")
	}
	return out.Bytes()
}

// TestAsMLflow holds the translation of MLflow's dialect against what
// MLflow's own provider makes of the same; testdata/generate.py ran it.
func TestAsMLflow(t *testing.T) {
	f, err := os.Open("testdata/mlflow.jsonl")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c struct {
			Name, Kind, Detail string
			In, Want           json.RawMessage
			Status             int
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		n++
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			switch c.Kind {
			case "chat", "completions":
				call, e := open(targetOf(nil), mlflowRequest(dialect.Operation(c.Kind), c.In, false), frozen)
				if c.Status != 0 {
					require.NotNil(t, e)
					require.Equal(t, c.Status, e.Status)
					require.Equal(t, c.Detail, e.Message)
					return
				}
				require.Nil(t, e)
				require.JSONEq(t, string(c.Want), string(call.Upstream().Body))
			case "chat_reply", "completions_reply":
				op, payload := dialect.Chat, `{"messages":[{"role":"user","content":"hi"}]}`
				if c.Kind == "completions_reply" {
					op, payload = dialect.Completions, `{"prompt":"hi"}`
				}
				call, e := open(targetOf(nil), mlflowRequest(op, []byte(payload), false), frozen)
				require.Nil(t, e)
				r := call.Complete(200, jsonHeaders, c.In)
				require.Nil(t, r.Error)
				requireSameTokens(t, c.Want, r.Body)
			case "chat_stream":
				call, e := open(targetOf(nil),
					mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}]}`), true), frozen)
				require.Nil(t, e)
				out, done := call.Chunk(anthropicSSE(t, c.In), false)
				require.True(t, done)
				require.Nil(t, call.Err())
				var want []json.RawMessage
				require.NoError(t, json.Unmarshal(c.Want, &want))
				got := events(t, out)
				require.Len(t, got, len(want), "%s", out)
				for i := range want {
					requireSameTokens(t, want[i], []byte(got[i]))
				}
			default:
				t.Fatal("unknown kind")
			}
		})
	}
	require.NoError(t, lines.Err())
	require.Greater(t, n, 100)
}

// TestCases runs whole exchanges observed on MLflow's real server:
// the client's body through the parser, the provider's reply back.
func TestCases(t *testing.T) {
	b, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var cases []struct {
		Name           string
		EndpointType   string `json:"endpoint_type"`
		EndpointConfig struct {
			Model struct {
				Name   string
				Config map[string]string
			}
		} `json:"endpoint_config"`
		ClientRequest    struct{ Body json.RawMessage } `json:"client_request"`
		ExpectedUpstream struct {
			URL     string
			Headers map[string]string
			Body    json.RawMessage
		} `json:"expected_upstream"`
		UpstreamResponse struct {
			Status      int
			ContentType string `json:"content_type"`
			Body        json.RawMessage
		} `json:"upstream_response"`
		Want struct {
			Status      int
			ContentType string `json:"content_type"`
			Body        json.RawMessage
			RawSSE      string `json:"raw_sse"`
		} `json:"expected_client_response"`
	}
	require.NoError(t, json.Unmarshal(b, &cases))
	require.Len(t, cases, 5)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			op := dialect.Operation(strings.TrimPrefix(c.EndpointType, "llm/v1/"))
			req, e := dialect.Parse(dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"}, op, "application/json", c.ClientRequest.Body)
			require.Nil(t, e)
			target := kit.Target{Provider: "anthropic", Model: c.EndpointConfig.Model.Name, Config: c.EndpointConfig.Model.Config}
			call, e := open(target, req, frozen)
			require.Nil(t, e)

			up := call.Upstream()
			want, err := url.Parse(c.ExpectedUpstream.URL)
			require.NoError(t, err)
			address, err := anthropic.Provider.Address(target)
			require.NoError(t, err)
			require.Equal(t, kit.Address{TLS: true, Host: want.Host, Port: 443, BasePath: "/v1"}, address)
			require.Equal(t, want.Path, up.Path)
			got := map[string]string{}
			for _, h := range up.Headers {
				got[h[0]] = h[1]
			}
			for name, value := range c.ExpectedUpstream.Headers {
				require.Equal(t, value, got[strings.ToLower(name)], name)
			}
			require.JSONEq(t, string(c.ExpectedUpstream.Body), string(up.Body))

			if c.Want.RawSSE != "" {
				var stream string
				require.NoError(t, json.Unmarshal(c.UpstreamResponse.Body, &stream))
				out, done := call.Chunk([]byte(stream), true)
				require.True(t, done)
				require.Nil(t, call.Err())
				require.Equal(t, c.Want.RawSSE, string(out))
				require.Equal(t, c.Want.ContentType, call.StreamContentType())
				require.Equal(t, dialect.Usage{Input: 28, Output: 15, Cached: 3, Reasoning: -1, CacheWrite: -1}, call.Usage())
				return
			}
			r := call.Complete(c.UpstreamResponse.Status, headers("content-type", c.UpstreamResponse.ContentType), c.UpstreamResponse.Body)
			require.Equal(t, c.Want.Status, r.Status)
			require.Equal(t, c.Want.ContentType, r.ContentType)
			requireSameTokens(t, c.Want.Body, r.Body)
		})
	}
}

// open begins an exchange as the table of providers does.
func open(t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	return anthropic.Provider.Open(anthropic.Provider, t, req, env)
}
