package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

// TestNoToolHidesFromThePolicy: whichever of two names a provider reads, the
// policy has it; what two readers could read in two ways is refused.
func TestNoToolHidesFromThePolicy(t *testing.T) {
	for name, c := range map[string]struct {
		tool  string
		names []string
		code  string
	}{
		"function":             {`{"type":"function","function":{"name":"a"}}`, []string{"a"}, ""},
		"flat":                 {`{"type":"function","name":"a"}`, []string{"a"}, ""},
		"two names":            {`{"type":"function","name":"a","function":{"name":"b"}}`, []string{"a", "b"}, ""},
		"of another type":      {`{"type":"web_search","function":{"name":"b"}}`, []string{"b"}, ""},
		"no name":              {`{"type":"web_search"}`, []string{"web_search"}, ""},
		"a parameter's name":   {`{"type":"function","function":{"name":"a","parameters":{"Name":1,"name":1,"name":2}}}`, []string{"a"}, ""},
		"key twice":            {`{"type":"function","function":{"name":"a"},"function":{"name":"b"}}`, nil, "invalid_json"},
		"escaped key":          {`{"type":"function","function":{"name":"a","n\u0061me":"b"}}`, nil, "invalid_json"},
		"another case":         {`{"type":"function","function":{"name":"a","Name":"b"}}`, nil, "invalid_json"},
		"another case outside": {`{"type":"function","function":{"name":"a"},"Function":{"name":"b"}}`, nil, "invalid_json"},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"e","messages":[{"role":"user","content":"x"}],"tools":[` + c.tool + `]}`)
			req, e := dialect.Parse(dialect.Route{Dialect: dialect.OpenAI, Operation: dialect.Chat}, dialect.Chat, "application/json", body)
			if c.code != "" {
				require.NotNil(t, e)
				require.Equal(t, c.code, e.Code)
				return
			}
			require.Nil(t, e)
			require.Equal(t, c.names, req.Tools)
		})
	}
	_, e := dialect.Parse(dialect.Route{Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "e"}, dialect.Chat, "application/json",
		[]byte(`{"contents":[{}],"tools":[{"functionDeclarations":[{"name":"a","name":"b"}]}]}`))
	require.NotNil(t, e)
	require.Equal(t, "invalid_json", e.Code)
}
