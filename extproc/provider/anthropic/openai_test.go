package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted; then check.py, and your eyes, must agree")

// openAICase is one line of the openai_*.json files. Their wanted values are
// held against the types of the real SDKs by testdata/check.py.
type openAICase struct {
	Name  string            `json:"name"`
	Op    dialect.Operation `json:"op,omitempty"`    // chat if empty
	Usage bool              `json:"usage,omitempty"` // the client asked for usage
	In    json.RawMessage   `json:"in"`
	Want  json.RawMessage   `json:"want,omitempty"`
	Param string            `json:"param,omitempty"` // wanted of a refusal
	Code  string            `json:"code,omitempty"`
}

func (c *openAICase) operation() dialect.Operation {
	if c.Op == "" {
		return dialect.Chat
	}
	return c.Op
}

// eachOpenAI runs fn for the cases of a file; fn returns what comes out.
func eachOpenAI(t *testing.T, file string, fn func(*testing.T, *openAICase) []byte) {
	path := "testdata/" + file
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var cases []*openAICase
	require.NoError(t, json.Unmarshal(b, &cases))
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			switch got := fn(t, c); {
			case got == nil:
			case *update:
				c.Want = got
			default:
				requireSameTokens(t, c.Want, got)
			}
		})
	}
	if !*update {
		return
	}
	var out bytes.Buffer
	for i, c := range cases {
		out.WriteString(map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		require.NoError(t, e.Encode(c))
		out.Write(bytes.TrimSpace(line.Bytes()))
	}
	require.NoError(t, os.WriteFile(path, append(out.Bytes(), "\n]\n"...), 0o644))
}

func openAIRequest(t testing.TB, op dialect.Operation, body []byte) *dialect.Request {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op}, op, "application/json", body)
	require.Nil(t, e, "%+v", e)
	return req
}

func openAICall(t testing.TB, op dialect.Operation, stream, usage bool) kit.Call {
	t.Helper()
	req := openAIRequest(t, op, map[dialect.Operation][]byte{
		dialect.Chat:        []byte(`{"model":"e","messages":[{"role":"user","content":"hi"}]}`),
		dialect.Completions: []byte(`{"model":"e","prompt":"hi"}`),
	}[op])
	req.Stream, req.IncludeUsage = stream, usage
	call, e := open(targetOf(nil), req, frozen)
	require.Nil(t, e)
	return call
}

func TestOpenAIRequests(t *testing.T) {
	eachOpenAI(t, "openai_requests.json", func(t *testing.T, c *openAICase) []byte {
		req := openAIRequest(t, c.operation(), c.In)
		call, e := open(targetOf(nil), req, frozen)
		if c.Param == "" {
			require.Nil(t, e, "%+v", e)
			require.Equal(t, "/v1/messages", call.Upstream().Path)
			return call.Upstream().Body
		}
		require.NotNil(t, e)
		require.Equal(t, 400, e.Status)
		require.Equal(t, c.Param, e.Param)
		require.Contains(t, e.Message, "'"+c.Param+"'")
		if c.Code == "" {
			c.Code = dialect.CodeUnsupportedField
		}
		require.Equal(t, c.Code, e.Code)
		return nil
	})
}

func TestOpenAIReplies(t *testing.T) {
	eachOpenAI(t, "openai_replies.json", func(t *testing.T, c *openAICase) []byte {
		r := openAICall(t, c.operation(), false, false).Complete(200, jsonHeaders, c.In)
		require.Nil(t, r.Error)
		require.Equal(t, 200, r.Status)
		require.Equal(t, "application/json", r.ContentType)
		return r.Body
	})
}

func TestOpenAIStreams(t *testing.T) {
	eachOpenAI(t, "openai_streams.json", func(t *testing.T, c *openAICase) []byte {
		call := openAICall(t, c.operation(), true, c.Usage)
		out, done := call.Chunk(anthropicSSE(t, c.In), false)
		require.True(t, done)
		require.Nil(t, call.Err())
		list := events(t, out)
		require.Equal(t, "[DONE]", list[len(list)-1])
		joined := []byte("[\n")
		for i, e := range list[:len(list)-1] {
			if i > 0 {
				joined = append(joined, ",\n"...)
			}
			joined = append(joined, e...)
		}
		return append(joined, ']')
	})
}

// TestSDK holds the openai_*.json files against the types of the real SDKs.
func TestSDK(t *testing.T) {
	clients, err := filepath.Abs("../../../.tools/clients")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(clients, "ok")); err != nil {
		t.Skip("the SDKs are not installed: make test installs them")
	}
	out, err := exec.Command(filepath.Join(clients, "bin/python"), "testdata/check.py").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
