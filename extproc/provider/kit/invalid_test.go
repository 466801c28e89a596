package kit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// TestInvalid: what FastAPI's servers tell of a request reaches the client
// with the field, and without the key.
func TestInvalid(t *testing.T) {
	p := &kit.Provider{ID: "p", Fields: []kit.Field{{Name: "api_key", Secret: true}}}
	target := kit.Target{Config: map[string]string{"api_key": "sk-proj-Zq8vT3mLx0Yc5RbN7dKw"}}
	head := func(name string) string { return map[string]string{"content-type": "application/json"}[name] }
	for body, want := range map[string][2]string{
		`{"detail":[{"type":"x","loc":["body","logit_bias"],"msg":"Extra inputs are not permitted"},{}]}`: {"logit_bias: Extra inputs are not permitted", "logit_bias"},
		`{"object":"error","message":{"detail":[{"loc":["body","messages",1,"name"],"msg":"no"}]}}`:       {"messages.1.name: no", "messages.1.name"},
		`{"detail":[{"msg":"no"}]}`: {"no", ""},
		`{"detail":[{"loc":"sk-proj-Zq8vT3mLx0Yc5RbN7dKw","msg":"sk-proj-Zq8vT3mLx0Yc5RbN7dKw"}]}`: {"[redacted]: [redacted]", "[redacted]"},
		`{"detail":[]}`:                 {"Unprocessable Entity", ""},
		`{"detail":[{"loc":["body"]}]}`: {"Unprocessable Entity", ""},
	} {
		e := kit.NewFaults(p, target, dialect.OpenAI, "ex-1").Read(422, head, []byte(body))
		require.NotNil(t, e)
		assert.Equal(t, want, [2]string{e.Message, e.Param}, body)
	}
}
