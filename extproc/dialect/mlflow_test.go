package dialect_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

// schemaCase is a line of testdata/mlflow-schema.jsonl: what MLflow's own
// models, run by testdata/generate.py, answered to a body.
type schemaCase struct {
	Schema dialect.Operation `json:"schema"`
	Type   string            `json:"type"`
	Body   string            `json:"body"`
	Status int               `json:"status"`
	Reply  json.RawMessage   `json:"reply"`
}

func schemaCases(t testing.TB) []schemaCase {
	f, err := os.Open("testdata/mlflow-schema.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var cases []schemaCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c schemaCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		cases = append(cases, c)
	}
	require.NoError(t, lines.Err())
	return cases
}

// TestMLflowSchemas holds validation and dump against MLflow's own.
func TestMLflowSchemas(t *testing.T) {
	route := dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}
	cases := schemaCases(t)
	require.Greater(t, len(cases), 1000)
	for _, c := range cases {
		name := string(c.Schema) + " " + c.Type + " " + c.Body
		req, err := dialect.Parse(route, c.Schema, c.Type, []byte(c.Body))
		if c.Status == 200 {
			if assert.Nil(t, err, name) {
				assert.JSONEq(t, string(c.Reply), string(req.Payload), name)
			}
			continue
		}
		if !assert.NotNil(t, err, name) {
			continue
		}
		status, _, body, _ := dialect.Render(dialect.MLflow, err, "x")
		assert.Equal(t, c.Status, status, name)
		var want, got struct{ Detail any }
		require.NoError(t, json.Unmarshal(c.Reply, &want))
		require.NoError(t, json.Unmarshal(body, &got), string(body))
		assert.Equal(t, want, got, name)
		if status == 422 {
			assert.True(t, strings.HasPrefix(string(body), `{"detail":[`) && strings.HasSuffix(string(body), `]}`), name)
		}
		if t.Failed() {
			break
		}
	}
}
