package providertest

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Want is a kind of call.
type Want struct {
	Dialect dialect.Dialect
	Op      dialect.Operation
	Stream  bool
}

var inputs = map[dialect.Operation]string{
	dialect.Chat: `"messages":[{"role":"user","content":"x"}]`, dialect.Completions: `"prompt":"x","max_tokens":5`, dialect.Embeddings: `"input":"x"`,
}

func (w Want) body() string {
	body := "{" + inputs[w.Op]
	if w.Dialect == dialect.Responses {
		body = `{"input":"x"`
	}
	if w.Dialect != dialect.MLflow {
		body += `,"model":"e"`
	}
	if w.Dialect == dialect.Anthropic {
		body += `,"max_tokens":5`
	}
	if w.Stream {
		body += `,"stream":true`
	}
	return body + "}"
}

func (w Want) open(t testing.TB, p *kit.Provider, target kit.Target) kit.Call {
	call, e := Open(t, p, target, w.Dialect, w.Op, w.body())
	require.Nil(t, e, "%v %+v", w, e)
	return call
}

// Replies fuzzes whole replies: none makes a call fail in an undue way, and
// what the client gets is JSON without the secret. The seeds are the answers in
// the provider's files of cases.
func Replies(f *testing.F, p *kit.Provider, target kit.Target, wants ...Want) {
	for _, answer := range answers(f, false) {
		f.Add(200, answer)
	}
	f.Add(400, []byte(`{"error":"x","message":["`+secretOf(p, target)+`"],"detail":[{"loc":[1],"msg":"`+secretOf(p, target)+`"}]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, w := range wants {
			reply := w.open(t, p, target).Complete(status, Head("application/json"), body)
			require.True(t, json.Valid(reply.Body), "%v: %s", w, reply.Body)
			if reply.Error != nil {
				require.NotContains(t, string(reply.Body), secretOf(p, target))
			}
		}
	})
}

// Streams fuzzes streams: one cut anywhere gives what it gives whole.
func Streams(f *testing.F, p *kit.Provider, target kit.Target, wants ...Want) {
	for i, answer := range answers(f, true) {
		f.Add(answer, uint16(i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		for _, w := range wants {
			whole, cut := w.open(t, p, target), w.open(t, p, target)
			want := Feed(whole, string(stream), len(stream)+1)
			require.Equal(t, want, Feed(cut, string(stream), int(size)+1), "%v", w)
			require.Equal(t, fmt.Sprint(whole.Usage(), whole.Err()), fmt.Sprint(cut.Usage(), cut.Err()))
		}
	})
}

// secretOf is a secret of a target that is long enough to be looked for.
func secretOf(p *kit.Provider, target kit.Target) string {
	for name, value := range target.Config {
		if p.IsSecret(name) && len(value) >= 16 {
			return value
		}
	}
	return "\x00 no secret"
}

// answers are those in testdata/clients.json.
func answers(f *testing.F, streams bool) [][]byte {
	text, err := os.ReadFile("testdata/clients.json")
	require.NoError(f, err)
	var cases []ClientCase
	require.NoError(f, json.Unmarshal(text, &cases))
	var list [][]byte
	for _, c := range cases {
		if len(c.Answer) == 0 || (c.Answer[0] == '"') != streams {
			continue
		}
		body := []byte(c.Answer)
		if streams {
			var s string
			require.NoError(f, json.Unmarshal(c.Answer, &s))
			body = []byte(s)
		}
		list = append(list, body)
	}
	return list
}
