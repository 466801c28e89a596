package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

var invocation = dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}

const oneMessage = `"messages":[{"role":"user","content":"x"}]`

// TestMLflowBetter is where Sluice takes more than MLflow's server does.
func TestMLflowBetter(t *testing.T) {
	const parameters = `{"properties":{"a":{"type":"object","properties":{"b":{"default":null,"$ref":"#/$defs/x"}},"minimum":1},` +
		`"c":{"type":"array","items":{"anyOf":[{"type":"null"}]}}},"type":"object","$defs":{"x":{"enum":[null]}}}`
	for _, c := range []struct{ name, in, want string }{
		{"bare string stop", `"stop":"E"`, `"stop":["E"]`},
		{"tool schemas keep their nesting", `"tools":[{"type":"function","function":{"name":"f","parameters":` + parameters + `}}]`,
			`"tools":[{"type":"function","function":{"name":"f","parameters":` + parameters + `}}]`},
		{"response schemas keep nulls", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"default":null},"strict":true}}`,
			`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"default":null},"strict":true}}`},
		{"lone surrogates pass", `"user":"\ud800"`, `"user":"\ud800"`},
	} {
		req, e := dialect.Parse(invocation, dialect.Chat, "application/json", []byte(`{`+oneMessage+`,`+c.in+`}`))
		require.Nil(t, e, c.name)
		assert.JSONEq(t, `{"n":1,`+oneMessage+`,`+c.want+`}`, string(req.Payload), c.name)
	}
}

func TestMLflowFacts(t *testing.T) {
	req, e := dialect.Parse(invocation, dialect.Chat, "application/json", []byte(`{`+oneMessage+
		`,"stream":"yes","max_tokens":"0_5.0","max_completion_tokens":true,"tools":[{"type":"function","function":{"name":"a"}},{"type":"uc_function","uc_function":{"name":"b.c"}}]}`))
	require.Nil(t, e)
	assert.True(t, req.Stream)
	assert.True(t, req.IncludeUsage)
	assert.EqualValues(t, 5, req.MaxTokens)
	assert.Equal(t, []string{"a", "b.c"}, req.Tools)
	assert.Equal(t, dialect.Chat, req.Operation)
	assert.Equal(t, "true", string(req.Members().Value(req.Payload, "stream")))
}

// TestMLflowBounds: what MLflow's server chokes on is refused.
func TestMLflowBounds(t *testing.T) {
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{` + oneMessage + `,"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, 400, "There was an error parsing the body"},
		{strings.Repeat("[", 1<<20), 400, "There was an error parsing the body"},
		{`{` + oneMessage + `,"x":` + strings.Repeat("1", 4301) + `}`, 400, "There was an error parsing the body"},
		{"{" + oneMessage + ",\"x\":\"\xff\"}", 400, "There was an error parsing the body"},
		{`{` + oneMessage + `,"n":1,"n":2}`, 400, "The body has the key 'n' twice. Send it once."},
		{`{` + oneMessage + `,"Model":"x"}`, 400, "The body has the key 'Model', which could be mistaken for 'model'."},
		{`{` + oneMessage + `,"temperature":NaN}`, 422, `"ctx":{"error":"Expecting value"}`},
		{`{` + oneMessage + `,"temperature":1e999}`, 422, "finite number"},
		{`{` + oneMessage + `,"temperature":"nan"}`, 422, `"type":"`},
		{`{` + oneMessage + `,"n":1e999}`, 422, `"type":"`},
		{`{` + oneMessage + `,"x":[NaN,` + strings.Repeat("[", 1<<20) + `]}`, 422, "Expecting value"},
	} {
		_, e := dialect.Parse(invocation, dialect.Chat, "application/json", []byte(c.body))
		name := c.body[:min(len(c.body), 120)]
		require.NotNil(t, e, name)
		_, _, body, _ := dialect.Render(dialect.MLflow, e, "")
		assert.Equal(t, c.status, e.Status, name)
		assert.Contains(t, string(body), c.want, name)
	}
}

// TestMLflowReportIsBounded: a small body can't ask for a huge report.
func TestMLflowReportIsBounded(t *testing.T) {
	for _, c := range []struct {
		op   dialect.Operation
		body string
	}{
		{dialect.Embeddings, `{"input":[` + strings.Repeat("{},", 200_000) + `{}]}`},
		{dialect.Chat, `{"messages":[` + strings.Repeat("{},", 200_000) + `{}]}`},
		{dialect.Chat, `{"x":"` + strings.Repeat("y", 1<<20) + `"}`},
	} {
		_, e := dialect.Parse(invocation, c.op, "application/json", []byte(c.body))
		require.NotNil(t, e)
		assert.Equal(t, 422, e.Status)
		assert.Less(t, len(e.Detail), 2<<20)
	}
}

// TestManyKeys: time grows with the body, not with its square.
func TestManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	req, e := dialect.Parse(invocation, dialect.Chat, "application/json", []byte(`{`+oneMessage+`,"z":{`+b.String()+`"q":2}}`))
	require.Nil(t, e)
	assert.Greater(t, len(req.Payload), b.Len())
	_, e = dialect.Parse(invocation, dialect.Chat, "application/json", []byte(`{`+b.String()+oneMessage+`}`))
	require.NotNil(t, e)
	assert.Equal(t, 400, e.Status)
}

// TestManyValues: a body of a few bytes per value can't take much memory.
func TestManyValues(t *testing.T) {
	many := strings.Repeat("[],", 1<<20+1) + "[]"
	_, e := dialect.Parse(invocation, dialect.Chat, "application/json", []byte(`{`+oneMessage+`,"x":[`+many+`]}`))
	require.NotNil(t, e)
	assert.Equal(t, 413, e.Status)
	_, e = dialect.Parse(chatRoute, dialect.Chat, "application/json", []byte(`{"model":"e",`+oneMessage+`,"tools":[`+many+`]}`))
	require.NotNil(t, e)
	assert.Equal(t, 413, e.Status)
	_, e = dialect.Parse(chatRoute, dialect.Chat, "application/json", []byte(`{"model":"e",`+oneMessage+`,"metadata":[`+many+`]}`))
	require.Nil(t, e, "what is not looked into is not counted")
}
