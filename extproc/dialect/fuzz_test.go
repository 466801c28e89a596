package dialect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

var operations = []dialect.Operation{dialect.Chat, dialect.Completions, dialect.Embeddings}

// FuzzParse: no body makes either dialect fail in an undue way, what is
// accepted is JSON and names one model, and what is refused can be told.
func FuzzParse(f *testing.F) {
	for i, c := range schemaCases(f) {
		if i%5 == 0 {
			f.Add([]byte(c.Body), c.Type, uint8(i))
		}
	}
	f.Add([]byte(`{"model":"e","messages":[1],"stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"x"}]}`), "", uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, ctype string, n uint8) {
		op := operations[int(n)%len(operations)]
		before := string(body)
		for _, route := range []dialect.Route{{Dialect: dialect.MLflow, Endpoint: "e"}, {Dialect: dialect.OpenAI, Operation: op}} {
			req, e := dialect.Parse(route, op, ctype, body)
			require.Equal(t, before, string(body))
			if e != nil {
				for _, d := range []dialect.Dialect{dialect.MLflow, dialect.OpenAI, dialect.Anthropic, dialect.REST} {
					_, _, text, _ := dialect.Render(d, e, "x")
					require.True(t, json.Valid(text), "%s", text)
				}
				require.True(t, e.Status >= 400 && e.Status < 500)
				continue
			}
			var members map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(req.Payload, &members))
			require.Len(t, req.Members(), len(members))
			for _, m := range req.Members() {
				require.Equal(t, string(members[m.Key]), string(req.Payload[m.Start:m.End]))
			}
			if route.Dialect == dialect.OpenAI {
				require.Equal(t, before, string(req.Payload))
				name, e := dialect.ModelName(body)
				require.Nil(t, e)
				require.Equal(t, name, req.Endpoint)
				continue
			}
			// What was accepted is accepted again, and stays as it is.
			again, e := dialect.Parse(route, op, "application/json", req.Payload)
			require.Nil(t, e, "%s", req.Payload)
			require.JSONEq(t, string(req.Payload), string(again.Payload))
		}
	})
}

func bodyOf(size int) []byte {
	message := `{"role":"user","content":"Tell me about \"rabbits\" and é. ` + strings.Repeat("lorem ipsum dolor ", size/80) + `"},`
	return []byte(`{"model":"my-endpoint","temperature":0.5,"max_tokens":100,"messages":[` + strings.TrimSuffix(strings.Repeat(message, 4), ",") + `]}`)
}

func benchmarkParse(b *testing.B, route dialect.Route, size int) {
	body := bodyOf(size)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if route.Dialect == dialect.OpenAI {
			if _, e := dialect.ModelName(body); e != nil {
				b.Fatal(e)
			}
		}
		if _, e := dialect.Parse(route, dialect.Chat, "application/json", body); e != nil {
			b.Fatal(e)
		}
	}
}

func BenchmarkParseOpenAI1500(b *testing.B) { benchmarkParse(b, chatRoute, 1500) }
func BenchmarkParseOpenAI64K(b *testing.B)  { benchmarkParse(b, chatRoute, 64<<10) }
func BenchmarkParseMLflow1500(b *testing.B) { benchmarkParse(b, invocation, 1500) }
func BenchmarkParseMLflow64K(b *testing.B)  { benchmarkParse(b, invocation, 64<<10) }
func BenchmarkRenderError(b *testing.B) {
	e := dialect.EndpointNotFound("x")
	b.ReportAllocs()
	for b.Loop() {
		dialect.Render(dialect.OpenAI, e, "0a1b2c3d")
	}
}
