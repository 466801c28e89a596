package gemini_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
)

type mlflowCase struct {
	Name, Kind, Detail string
	In, Want           json.RawMessage
	Status             int
}

func mlflowCases(t testing.TB) (cases []mlflowCase) {
	f, err := os.Open("testdata/mlflow.jsonl")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c mlflowCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		cases = append(cases, c)
	}
	return cases
}

// TestAsMLflow holds the translation of MLflow's dialect against what MLflow's
// own provider makes of the same; testdata/generate.py ran it.
func TestAsMLflow(t *testing.T) {
	cases := mlflowCases(t)
	require.Len(t, cases, 178)
	for _, c := range cases {
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			switch c.Kind {
			case "chat", "completions", "embeddings", "vertex":
				testMLflowRequest(t, c)
			case "chat_reply":
				testMLflowReply(t, c, dialect.Chat, `{"messages":[{"role":"user","content":"hi"}],"n":1}`)
			case "completions_reply":
				testMLflowReply(t, c, dialect.Completions, `{"prompt":"hi","n":1}`)
			case "embeddings_reply":
				testMLflowReply(t, c, dialect.Embeddings, `{"input":"a"}`)
			case "chat_stream":
				testMLflowStream(t, c, dialect.Chat, `{"messages":[{"role":"user","content":"hi"}],"n":1}`)
			case "completions_stream":
				testMLflowStream(t, c, dialect.Completions, `{"prompt":"hi","n":1}`)
			default:
				t.Fatal(c.Kind)
			}
		})
	}
}

func testMLflowRequest(t *testing.T, c mlflowCase) {
	var call kit.Call
	var e *dialect.Error
	if c.Kind == "vertex" {
		call, e = gemini.Open(gemini.Provider, target, mlflowRequest(dialect.Chat, c.In, false), frozen, vertexPlace)
	} else {
		call, e = open(mlflowRequest(dialect.Operation(c.Kind), c.In, false))
	}
	if c.Status != 0 {
		require.NotNil(t, e)
		require.Equal(t, c.Status, e.Status)
		require.Equal(t, c.Detail, e.Message)
		return
	}
	require.Nil(t, e, "%+v", e)
	require.JSONEq(t, string(c.Want), string(call.Upstream().Body))
}

func testMLflowReply(t *testing.T, c mlflowCase, op dialect.Operation, payload string) {
	call, e := open(mlflowRequest(op, []byte(payload), false))
	require.Nil(t, e)
	r := call.Complete(200, jsonHeaders, c.In)
	require.Nil(t, r.Error, "%+v", r.Error)
	requireSameTokens(t, c.Want, r.Body)
}

func testMLflowStream(t *testing.T, c mlflowCase, op dialect.Operation, payload string) {
	begin := func() kit.Call {
		call, e := open(mlflowRequest(op, []byte(payload), true))
		require.Nil(t, e)
		return call
	}
	stream := googleSSE(t, c.In)
	call, out := chunked(t, begin, stream)
	require.Nil(t, call.Err())
	require.Equal(t, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse", call.Upstream().Path)
	var want []json.RawMessage
	require.NoError(t, json.Unmarshal(c.Want, &want))
	got := dataOf(t, out)
	require.Len(t, got, len(want))
	for i := range want {
		requireSameTokens(t, want[i], []byte(got[i]))
	}
}

// TestMLflowBetter: what MLflow's server crashes on is refused by name, or
// goes through where nothing is wrong with it.
func TestMLflowBetter(t *testing.T) {
	for name, c := range map[string]struct{ payload, param, want string }{
		"a user without content":   {`{"n":1,"messages":[{"role":"user"}]}`, "messages[0].content", ""},
		"arguments are no JSON":    {`{"n":1,"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{"}}]}]}`, "messages[0].tool_calls[0].function.arguments", ""},
		"a call without a name":    {`{"n":1,"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"arguments":"{}"}}]}]}`, "messages[0].tool_calls[0].function.name", ""},
		"instructions with images": {`{"n":1,"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "messages[0].content", ""},
		"a tool without more":      {`{"n":1,"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, "", `"tools":[{"functionDeclarations":[{"name":"f"}]}]`},
		"stop as a string":         {`{"n":1,"stop":"x","messages":[{"role":"user","content":"a"}]}`, "", `"stopSequences":["x"]`},
		"instructions in parts":    {`{"n":1,"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, "", `"system_instruction":{"parts":[{"text":"a"},{"text":"b"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			call, e := open(mlflowRequest(dialect.Chat, []byte(c.payload), false))
			if c.param != "" {
				require.NotNil(t, e)
				require.Equal(t, 422, e.Status)
				require.Equal(t, c.param, e.Param)
				return
			}
			require.Nil(t, e)
			require.Contains(t, string(call.Upstream().Body), c.want)
		})
	}
	_, e := open(mlflowRequest(dialect.Embeddings, []byte(`{"input":[1,2]}`), false))
	require.Equal(t, 422, e.Status)
	require.Equal(t, "input", e.Param)
}
