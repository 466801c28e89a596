package anthropic_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// seeds are the inputs of a data file's cases.
func seeds(f *testing.F, file string) (in []json.RawMessage) {
	b, err := os.ReadFile("testdata/" + file)
	require.NoError(f, err)
	var cases []struct{ In json.RawMessage }
	require.NoError(f, json.Unmarshal(b, &cases))
	for _, c := range cases {
		in = append(in, c.In)
	}
	return in
}

// FuzzRequest: a call of OpenAI's dialect becomes JSON or a refusal.
func FuzzRequest(f *testing.F) {
	for _, in := range seeds(f, "openai_requests.json") {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range []dialect.Operation{dialect.Chat, dialect.Completions} {
			req, e := dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: op}, op, "application/json", body)
			if e != nil {
				continue
			}
			call, e := open(targetOf(nil), req, frozen)
			if e != nil {
				require.Equal(t, 400, e.Status)
				require.NotEmpty(t, e.Param)
				continue
			}
			up := call.Upstream().Body
			require.True(t, json.Valid(up), "%s", up)
			var got struct{ Model string }
			require.NoError(t, json.Unmarshal(up, &got))
			require.Equal(t, "claude-x", got.Model)
		}
		req, e := dialect.Parse(dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}, dialect.Chat, "application/json", body)
		if e != nil {
			return
		}
		if call, e := open(targetOf(nil), req, frozen); e == nil {
			require.True(t, json.Valid(call.Upstream().Body), "%s", call.Upstream().Body)
		}
	})
}

// FuzzReply: whatever the provider replies, the client gets JSON.
func FuzzReply(f *testing.F) {
	for _, in := range seeds(f, "openai_replies.json") {
		f.Add(200, "application/json", []byte(in))
	}
	f.Add(529, "application/json", []byte(errorBody("overloaded_error", "x")))
	f.Add(500, "text/plain", []byte("oops "+canary))
	f.Add(200, "application/json", []byte(`{"completion":"a","stop_reason":"stop_sequence","model":"m"}`))
	f.Fuzz(func(t *testing.T, status int, ctype string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		calls := []kit.Call{callOf(t, dialect.MLflow, false), callOf(t, dialect.OpenAI, false), callOf(t, dialect.Anthropic, false),
			openAICall(t, dialect.Completions, false, false)}
		completion, e := open(targetOf(nil), mlflowRequest(dialect.Completions, []byte(`{"prompt":"hi"}`), false), frozen)
		require.Nil(t, e)
		for _, call := range append(calls, completion) {
			r := call.Complete(status, headers("content-type", ctype), body)
			require.True(t, json.Valid(r.Body), "%s", r.Body)
			require.Equal(t, r.Error == nil, r.Status == 200, "%d", r.Status)
			require.NotContains(t, string(r.Body), canary)
		}
	})
}

// FuzzStream: a stream cut anywhere gives the same bytes as whole,
// and they are events of JSON.
func FuzzStream(f *testing.F) {
	for _, in := range seeds(f, "openai_streams.json") {
		f.Add(anthropicSSE(f, in), uint16(100), uint16(1000))
	}
	f.Add([]byte(startEvent+"event: error\ndata: "+errorBody("overloaded_error", canary)+"\n\n"), uint16(7), uint16(200))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		i, j := int(a)%(len(stream)+1), int(b)%(len(stream)+1)
		i, j = min(i, j), max(i, j)
		for name, open := range map[string]func() kit.Call{
			"mlflow":      func() kit.Call { return callOf(t, dialect.MLflow, true) },
			"same":        func() kit.Call { return callOf(t, dialect.Anthropic, true) },
			"chat":        func() kit.Call { return openAICall(t, dialect.Chat, true, true) },
			"completions": func() kit.Call { return openAICall(t, dialect.Completions, true, false) },
		} {
			whole, cut := open(), open()
			want, done := whole.Chunk(stream, true)
			require.True(t, done)
			var got []byte
			for k, part := range [][]byte{stream[:i], stream[i:j], stream[j:]} {
				out, _ := cut.Chunk(part, k == 2)
				got = append(got, out...)
			}
			require.Equal(t, string(want), string(got))
			require.Equal(t, whole.Usage(), cut.Usage())
			require.Equal(t, whole.Err(), cut.Err())
			if name == "same" {
				continue // whose events are the provider's own
			}
			for _, e := range events(t, want) {
				require.True(t, e == "[DONE]" || json.Valid([]byte(e)), "%s", e)
			}
		}
	})
}
