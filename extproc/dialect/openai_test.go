package dialect_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

var chatRoute = dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Chat}

func TestParseOpenAI(t *testing.T) {
	body := `{"model":"e.1","messages":[{"role":"user"}],"stream":true,"stream_options":{"include_usage":true},` +
		`"max_tokens":5,"max_completion_tokens":70,"tools":[{"type":"function","function":{"name":"f\u0031"}},{"type":"custom","custom":{"name":"g"}},` +
		`{"type":"web_search"},{"function":{"name":"untyped"}},{"name":"flat"}],"functions":[{"name":"old"}]}`
	req, e := dialect.Parse(chatRoute, dialect.Chat, "application/json; charset=utf-8", []byte(body))
	require.Nil(t, e)
	assert.Equal(t, "e.1", req.Endpoint)
	assert.Equal(t, body, string(req.Body))
	assert.Equal(t, body, string(req.Payload))
	assert.True(t, req.Stream)
	assert.True(t, req.IncludeUsage)
	assert.EqualValues(t, 70, req.MaxTokens)
	assert.Equal(t, []string{"f1", "g", "web_search", "untyped", "flat", "old"}, req.Tools)
	assert.Equal(t, `"e.1"`, string(req.Members().Value(req.Payload, "model")))

	req, e = dialect.Parse(chatRoute, dialect.Chat, "", []byte(`{"model":"e","messages":[1],"stream":null,"tools":null,"max_tokens":99999999999999999999}`))
	require.Nil(t, e)
	assert.False(t, req.Stream || req.IncludeUsage)
	assert.EqualValues(t, 1<<63-1, req.MaxTokens)
	assert.Empty(t, req.Tools)

	same := &dialect.Request{Payload: req.Payload}
	assert.Equal(t, req.Members(), same.Members(), "a request made by hand has members too")
}

func TestParseOpenAIRefuses(t *testing.T) {
	const ok = `"model":"e","messages":[1]`
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	for _, c := range []struct {
		body, code, param string
	}{
		{``, dialect.CodeInvalidJSON, ""}, {`{`, dialect.CodeInvalidJSON, ""}, {`[]`, dialect.CodeInvalidJSON, ""}, {`"x"`, dialect.CodeInvalidJSON, ""},
		{`null`, dialect.CodeInvalidJSON, ""}, {`{` + ok + `} x`, dialect.CodeInvalidJSON, ""}, {"{" + ok + ",\"a\":\"\xff\"}", dialect.CodeInvalidJSON, ""},
		{`{` + ok + `,"a":NaN}`, dialect.CodeInvalidJSON, ""}, {`{` + ok + `,"a":01}`, dialect.CodeInvalidJSON, ""}, {`{` + ok + `,"a":"` + "\n" + `"}`, dialect.CodeInvalidJSON, ""},
		{`{` + ok + `,"a":` + deep + `}`, dialect.CodeInvalidJSON, ""}, {strings.Repeat(`{"a":`, 1<<20), dialect.CodeInvalidJSON, ""},
		{`{` + ok + `,"a":` + strings.Repeat("1", 4301) + `}`, dialect.CodeInvalidJSON, ""},
		{`{` + ok + `,"model":"f"}`, dialect.CodeInvalidJSON, "model"}, {`{` + ok + `,"m\u006fdel":"f"}`, dialect.CodeInvalidJSON, "model"},
		{`{` + ok + `,"stream":true,"stream":false}`, dialect.CodeInvalidJSON, "stream"}, {`{` + ok + `,"x":1,"x":1}`, dialect.CodeInvalidJSON, "x"},
		{`{` + ok + `,"Model":"f"}`, dialect.CodeInvalidJSON, "Model"}, {`{` + ok + `,"\u017ftream":true}`, dialect.CodeInvalidJSON, "ſtream"},
		{`{` + ok + `,"TOOLS":[]}`, dialect.CodeInvalidJSON, "TOOLS"},
		{`{"messages":[1]}`, dialect.CodeInvalidRequest, "model"}, {`{"model":1,"messages":[1]}`, dialect.CodeInvalidRequest, "model"},
		{`{"model":null,"messages":[1]}`, dialect.CodeInvalidRequest, "model"}, {`{"model":"","messages":[1]}`, dialect.CodeInvalidRequest, "model"},
		{`{"model":"e"}`, dialect.CodeInvalidRequest, "messages"}, {`{"model":"e","messages":[ ]}`, dialect.CodeInvalidRequest, "messages"},
		{`{"model":"e","messages":"hi"}`, dialect.CodeInvalidRequest, "messages"}, {`{"model":"e","messages":null}`, dialect.CodeInvalidRequest, "messages"},
		{`{` + ok + `,"stream":"true"}`, dialect.CodeInvalidRequest, "stream"}, {`{` + ok + `,"stream":1}`, dialect.CodeInvalidRequest, "stream"},
		{`{` + ok + `,"stream_options":true}`, dialect.CodeInvalidRequest, "stream_options"},
		{`{` + ok + `,"max_tokens":"5"}`, dialect.CodeInvalidRequest, "max_tokens"}, {`{` + ok + `,"max_tokens":1e9}`, dialect.CodeInvalidRequest, "max_tokens"},
		{`{` + ok + `,"max_tokens":-1}`, dialect.CodeInvalidRequest, "max_tokens"}, {`{` + ok + `,"max_completion_tokens":1.5}`, dialect.CodeInvalidRequest, "max_completion_tokens"},
		{`{` + ok + `,"tools":{}}`, dialect.CodeInvalidRequest, "tools"}, {`{` + ok + `,"tools":["x"]}`, dialect.CodeInvalidRequest, "tools"},
		{`{` + ok + `,"functions":[1]}`, dialect.CodeInvalidRequest, "functions"},
	} {
		name := c.body[:min(len(c.body), 100)]
		_, e := dialect.Parse(chatRoute, dialect.Chat, "application/json", []byte(c.body))
		if assert.NotNil(t, e, name) {
			assert.Equal(t, []any{400, c.code, c.param}, []any{e.Status, e.Code, e.Param}, name)
		}
	}
	_, e := dialect.Parse(chatRoute, dialect.Chat, "text/plain", []byte(`{`+ok+`}`))
	require.NotNil(t, e)
	assert.Equal(t, 415, e.Status)
	other := chatRoute
	other.Endpoint = "f"
	_, e = dialect.Parse(other, dialect.Chat, "", []byte(`{`+ok+`}`))
	require.NotNil(t, e)
	assert.Equal(t, "model", e.Param)
	for _, op := range []struct{ asked, has dialect.Operation }{{dialect.Completions, dialect.Chat}, {dialect.Embeddings, dialect.Chat}, {dialect.Chat, dialect.Embeddings}} {
		_, e = dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op.asked}, op.has, "", []byte(`{"model":"x"}`))
		require.NotNil(t, e)
		assert.Equal(t, dialect.CodeWrongEndpointType, e.Code)
		assert.Equal(t, map[dialect.Operation]string{
			dialect.Completions: "Endpoint 'x' is not a completions endpoint.", dialect.Embeddings: "Endpoint 'x' is not an embeddings endpoint.",
			dialect.Chat: "Endpoint 'x' is not a chat endpoint.",
		}[op.asked], e.Message)
	}
	for op, body := range map[dialect.Operation]string{dialect.Completions: `{"model":"x"}`, dialect.Embeddings: `{"model":"x","input":null}`} {
		_, e = dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op}, op, "", []byte(body))
		require.NotNil(t, e)
		assert.Equal(t, map[dialect.Operation]string{dialect.Completions: "prompt", dialect.Embeddings: "input"}[op], e.Param)
	}
}

func TestModelName(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"a"}`: "a", `{"x":{"model":"b"},"model":"a"}`: "a", ` {"m\u006fdel" : "\u0061"}`: "a", `{"messages":["\"model\":\"b\""],"model":"a"}`: "a",
	} {
		got, e := dialect.ModelName([]byte(body))
		require.Nil(t, e, body)
		assert.Equal(t, want, got, body)
	}
	for body, code := range map[string]string{
		``: dialect.CodeInvalidJSON, `[{"model":"a"}]`: dialect.CodeInvalidJSON, `{"model"`: dialect.CodeInvalidJSON, `{"model":1}`: dialect.CodeInvalidRequest,
		`{"model":""}`: dialect.CodeInvalidRequest, `{}`: dialect.CodeInvalidRequest, `{"model":{"model":"a"}}`: dialect.CodeInvalidRequest,
	} {
		_, e := dialect.ModelName([]byte(body))
		require.NotNil(t, e, body)
		assert.Equal(t, code, e.Code, body)
	}
}
