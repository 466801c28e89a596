package providertest

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

var update = flag.Bool("update", false, "write what comes out into the files of client cases, to be read and checked with check.py")

// ClientCase is a call of a client whose dialect is not MLflow's: what goes in,
// and what comes out on both sides.
type ClientCase struct {
	Name    string          `json:"name"`
	Dialect dialect.Dialect `json:"dialect"`
	Op      string          `json:"op"`
	Model   string          `json:"model,omitempty"` // the target's, where it is not the usual
	Body    json.RawMessage `json:"body"`
	// Answer is the provider's: JSON, or a string that is sent as it is. Type
	// and Status are application/json and 200 if not given.
	Answer json.RawMessage `json:"answer,omitempty"`
	Type   string          `json:"type,omitempty"`
	Status int             `json:"status,omitempty"`

	Path     string            `json:"path,omitempty"`
	Upstream json.RawMessage   `json:"upstream,omitempty"`
	Batch    []json.RawMessage `json:"batch,omitempty"`
	Got      int               `json:"got,omitempty"` // the reply's status, where it is not 200
	Reply    json.RawMessage   `json:"reply,omitempty"`
	Stream   []string          `json:"stream,omitempty"` // its events
	Usage    *dialect.Usage    `json:"usage,omitempty"`
	Refused  string            `json:"refused,omitempty"` // the refusal's message
}

// Clients runs the cases of a file.
func Clients(t *testing.T, p *kit.Provider, target kit.Target, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var cases []ClientCase
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			got := c.run(t, p, target)
			if *update {
				*c = got
				return
			}
			want, err := json.Marshal(c)
			require.NoError(t, err)
			have, err := json.Marshal(got)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(have))
		})
	}
	if *update {
		var out strings.Builder
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		require.NoError(t, enc.Encode(cases))
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o600))
	}
}

// run is a case as it comes out.
func (c *ClientCase) run(t *testing.T, p *kit.Provider, target kit.Target) ClientCase {
	got := ClientCase{Name: c.Name, Dialect: c.Dialect, Op: c.Op, Model: c.Model, Body: c.Body, Answer: c.Answer, Type: c.Type, Status: c.Status}
	if c.Model != "" {
		target.Model = c.Model
	}
	call, e := Open(t, p, target, c.Dialect, dialect.Operation(c.Op), string(c.Body))
	if e != nil {
		got.Refused = e.Message
		return got
	}
	up := call.Upstream()
	got.Path, got.Upstream = up.Path, up.Body
	if up.Batch != nil {
		got.Upstream = nil
		for _, b := range up.Batch {
			got.Batch = append(got.Batch, b)
		}
	}
	if c.Answer == nil {
		return got
	}
	ctype, answer := c.answer(t)
	if call.IsStream(ctype) {
		c.stream(t, p, target, call, answer, &got)
	} else {
		c.whole(t, p, target, call, ctype, answer, &got)
	}
	usage := call.Usage()
	got.Usage = &usage
	return got
}

func (c *ClientCase) answer(t *testing.T) (ctype, body string) {
	ctype = c.Type
	if ctype == "" {
		ctype = dialect.ContentTypeJSON
	}
	if c.Answer[0] != '"' {
		return ctype, string(c.Answer)
	}
	require.NoError(t, json.Unmarshal(c.Answer, &body))
	return ctype, body
}

func (c *ClientCase) whole(t *testing.T, p *kit.Provider, target kit.Target, call kit.Call, ctype, answer string, got *ClientCase) {
	status := c.Status
	if status == 0 {
		status = http.StatusOK
	}
	reply := call.Complete(status, Head(ctype), []byte(answer))
	got.Reply = reply.Body
	if reply.Status != http.StatusOK {
		got.Got = reply.Status
	}
	for n := range answer { // a reply cut off is told as such
		again, e := Open(t, p, target, c.Dialect, dialect.Operation(c.Op), string(c.Body))
		require.Nil(t, e)
		reply := again.Complete(status, Head(ctype), []byte(answer[:n]))
		require.NotNil(t, reply.Error, answer[:n])
		require.True(t, json.Valid(reply.Body))
	}
}

func (c *ClientCase) stream(t *testing.T, p *kit.Provider, target kit.Target, call kit.Call, answer string, got *ClientCase) {
	out := Feed(call, answer, len(answer))
	got.Stream = strings.SplitAfter(strings.TrimSuffix(out, "\n\n"), "\n\n")
	for i := range got.Stream {
		got.Stream[i] = strings.TrimSuffix(got.Stream[i], "\n\n")
	}
	reopen := func() kit.Call {
		again, e := Open(t, p, target, c.Dialect, dialect.Operation(c.Op), string(c.Body))
		require.Nil(t, e)
		return again
	}
	for _, size := range []int{1, 2, 7} {
		again := reopen()
		require.Equal(t, out, Feed(again, answer, size), "cut in pieces of %d", size)
		require.Equal(t, call.Usage(), again.Usage())
	}
	first := len(answer) / 3
	again := reopen()
	require.NotEqual(t, out, Feed(again, answer[:first], first))
	require.NotNil(t, again.Err(), "a stream cut off is told as such")
}
