// Package providertest runs the cases that generate.py has observed on
// MLflow's own server, and what every provider is held to, in the tests of
// providers.
package providertest

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Env is a clock that stands at 1700000000, and an exchange id.
var Env = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

// Case is a line of a file that generate.py writes; see there.
type Case struct {
	Provider, Name, Type, Model string
	Config                      map[string]string
	Body                        json.RawMessage
	Upstream                    *struct {
		URL     string
		Headers map[string]string
		Body    json.RawMessage
	}
	Answer struct {
		Status int
		Type   string
		Body   string
	}
	Status  int
	Want    json.RawMessage
	SSE     string
	Aborted *struct {
		Status int
		Detail json.RawMessage
	}
	Crash bool
}

// MLflow runs the cases of a file. better names those in which Sluice is meant
// to do other than MLflow, and says what is checked in place of it: nil for
// nothing but that the answer is JSON.
func MLflow(t *testing.T, p *kit.Provider, file string, better map[string]func(t *testing.T, reply kit.Reply)) {
	MLflowOf(t, func(string) *kit.Provider { return p }, file, better)
}

// MLflowOf is MLflow for a file with cases of several providers: find returns
// the row of an id.
func MLflowOf(t *testing.T, find func(id string) *kit.Provider, file string, better map[string]func(t *testing.T, reply kit.Reply)) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	count := 0
	for ; lines.Scan(); count++ {
		var c Case
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		t.Run(c.Type+" "+c.Name, func(t *testing.T) {
			check, other := better[c.Type[len("llm/v1/"):]+" "+c.Name]
			c.run(t, find(c.Provider), other || c.Crash, check)
		})
	}
	require.NoError(t, lines.Err())
	require.Positive(t, count)
}

func (c *Case) run(t *testing.T, p *kit.Provider, other bool, check func(*testing.T, kit.Reply)) {
	target := kit.Target{Provider: c.Provider, Model: c.Model, Config: c.Config}
	reply, out := c.exchange(t, p, target, other)
	if check != nil {
		check(t, reply)
	}
	switch {
	case other:
		if reply.Status != 0 {
			require.True(t, json.Valid(reply.Body), "%s", reply.Body)
		}
	case c.Aborted != nil:
		assert.Equal(t, c.Aborted.Status, reply.Status)
		assert.JSONEq(t, string(c.Aborted.Detail), detail(t, reply.Body))
	case c.SSE != "":
		sameEvents(t, c.SSE, out)
	default:
		assert.Equal(t, c.Status, reply.Status)
		sameReply(t, c.Want, reply)
	}
}

// exchange runs a case's call: the whole reply, or the stream.
func (c *Case) exchange(t *testing.T, p *kit.Provider, target kit.Target, other bool) (kit.Reply, string) {
	route := dialect.Route{Dialect: dialect.MLflow, Endpoint: "e"}
	op := dialect.Operation(strings.TrimPrefix(c.Type, "llm/v1/"))
	req, e := dialect.Parse(route, op, "application/json", c.Body)
	var call kit.Call
	if e == nil && !p.Answers(c.Type) {
		e = kit.NotImplemented(p, req)
	}
	if e == nil {
		call, e = p.Open(p, target, req, Env)
	}
	if e != nil {
		if !other {
			require.Nil(t, c.Upstream, "%+v", e)
		}
		status, ctype, body, headers := dialect.Render(dialect.MLflow, e, "ex-1")
		return kit.Reply{Status: status, ContentType: ctype, Body: body, Headers: headers, Error: e}, ""
	}
	if c.Upstream == nil {
		require.True(t, other, "a call is made that MLflow does not make")
		return kit.Reply{}, ""
	}
	if !other || c.Crash {
		c.sameCall(t, p, target, call.Upstream())
	}
	if c.SSE != "" {
		require.True(t, call.IsStream(c.Answer.Type))
		return kit.Reply{}, c.stream(t, p, target, req, call)
	}
	return call.Complete(c.Answer.Status, Head(c.Answer.Type), []byte(c.Answer.Body)), ""
}

// stream feeds a stream whole, and cut at every byte: both must come to the
// same.
func (c *Case) stream(t *testing.T, p *kit.Provider, target kit.Target, req *dialect.Request, call kit.Call) string {
	whole := Feed(call, c.Answer.Body, len(c.Answer.Body))
	require.Nil(t, call.Err())
	cut, e := p.Open(p, target, req, Env)
	require.Nil(t, e)
	require.Equal(t, whole, Feed(cut, c.Answer.Body, 1))
	require.Equal(t, call.Usage(), cut.Usage())
	return whole
}

func (c *Case) sameCall(t *testing.T, p *kit.Provider, target kit.Target, up kit.Upstream) {
	want, err := url.Parse(c.Upstream.URL)
	require.NoError(t, err)
	address, err := p.Address(target)
	require.NoError(t, err)
	assert.Equal(t, want.Hostname(), address.Host)
	assert.Equal(t, want.Scheme == "https", address.TLS)
	assert.Equal(t, want.RequestURI(), up.Path)
	assert.Equal(t, http.MethodPost, up.Method)
	assert.JSONEq(t, string(c.Upstream.Body), string(up.Body))
	sent := http.Header{}
	for _, h := range up.Headers {
		assert.Equal(t, strings.ToLower(h[0]), h[0], "Envoy takes lower-case names only")
		sent.Add(h[0], h[1])
	}
	for name, value := range c.Upstream.Headers {
		assert.Equal(t, []string{value}, sent.Values(name), name)
	}
}

// sameReply compares a reply with MLflow's; code and exchange id may stand
// beside the detail.
func sameReply(t *testing.T, want json.RawMessage, reply kit.Reply) {
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(reply.Body, &got), "%s", reply.Body)
	if reply.Status >= http.StatusBadRequest {
		delete(got, "code")
		delete(got, "exchange_id")
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))
}

func detail(t *testing.T, body []byte) string {
	var got struct{ Detail json.RawMessage }
	require.NoError(t, json.Unmarshal(body, &got))
	return string(got.Detail)
}

func sameEvents(t *testing.T, want, got string) {
	w, g := strings.Split(strings.TrimSpace(want), "\n\n"), strings.Split(strings.TrimSpace(got), "\n\n")
	require.Len(t, g, len(w), "%s", got)
	for i := range w {
		assert.JSONEq(t, strings.TrimPrefix(w[i], "data: "), strings.TrimPrefix(g[i], "data: "))
	}
}

// Feed gives a stream to a call in pieces of a size and returns what the client
// gets.
func Feed(call kit.Call, stream string, size int) string {
	var out strings.Builder
	for len(stream) > 0 {
		n := min(max(size, 1), len(stream))
		b, done := call.Chunk([]byte(stream[:n]), false)
		out.Write(b)
		if stream = stream[n:]; done {
			return out.String()
		}
	}
	b, _ := call.Chunk(nil, true)
	out.Write(b)
	return out.String()
}

// Head is the headers of a reply with a content type.
func Head(contentType string) func(string) string {
	return func(name string) string {
		if name == "content-type" {
			return contentType
		}
		return ""
	}
}

// Open begins a call in any dialect.
func Open(t testing.TB, p *kit.Provider, target kit.Target, d dialect.Dialect, op dialect.Operation, body string) (kit.Call, *dialect.Error) {
	route := dialect.Route{Dialect: d, Operation: op}
	if d == dialect.MLflow {
		route.Endpoint = "e"
	}
	req, e := dialect.Parse(route, op, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return p.Open(p, target, req, Env)
}

// Status checks that a reply has a status.
func Status(status int) func(*testing.T, kit.Reply) {
	return func(t *testing.T, reply kit.Reply) { require.Equal(t, status, reply.Status) }
}
