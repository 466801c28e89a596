package gemini_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/conversation/codectest"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/dialect"
)

func seeds(f *testing.F, file string) (in []json.RawMessage) {
	b, err := os.ReadFile("testdata/" + file)
	require.NoError(f, err)
	var cases []codectest.Case
	require.NoError(f, json.Unmarshal(b, &cases))
	for _, c := range cases {
		in = append(in, c.In)
	}
	return in
}

// FuzzClient: whatever a Gemini client calls becomes JSON for other servers, or
// a refusal that names the field.
func FuzzClient(f *testing.F) {
	for _, in := range seeds(f, "from_gemini.json") {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		route := dialect.Route{Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "e"}
		req, e := dialect.Parse(route, dialect.Chat, "application/json", body)
		if e != nil {
			return
		}
		form, e := gemini.Client.Read(req)
		if e != nil {
			require.Equal(t, 400, e.Status)
			require.NotEmpty(t, e.Param)
			return
		}
		for _, write := range []func() ([]byte, *dialect.Error){
			func() ([]byte, *dialect.Error) { return openai.ChatProvider.Write(form, "m") },
			func() ([]byte, *dialect.Error) { return anthropic.Provider.Write(form, "m") },
			func() ([]byte, *dialect.Error) { return gemini.Vertex.Write(form, "m") },
		} {
			if out, e := write(); e == nil {
				require.True(t, json.Valid(out), "%s", out)
			} else {
				require.NotEmpty(t, e.Param)
			}
		}
	})
}

// FuzzWriter: whatever another server streams, a Gemini client gets events of
// JSON, the same however the stream was cut.
func FuzzWriter(f *testing.F) {
	for _, in := range seeds(f, "client_streams.json") {
		f.Add(codectest.Stream(f, in), uint16(40))
	}
	f.Fuzz(func(t *testing.T, stream []byte, at uint16) {
		m := meta(t, dialect.Gemini, true)
		cut := int(at) % (len(stream) + 1)
		want, wantErr := codectest.Carry(openai.ChatProvider, gemini.Client, m, stream)
		got, err := codectest.Carry(openai.ChatProvider, gemini.Client, m, stream[:cut], stream[cut:])
		require.Equal(t, string(want), string(got))
		require.Equal(t, wantErr, err)
		require.True(t, json.Valid(codectest.Data(t, want)), "%s", want)
	})
}
