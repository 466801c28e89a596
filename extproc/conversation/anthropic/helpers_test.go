package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted; then check.py, and your eyes, must agree")

// testCase is a line of a data file: in is the client's or the provider's,
// want what it becomes on the other side.
type testCase struct {
	Name  string          `json:"name"`
	In    json.RawMessage `json:"in"`
	Want  json.RawMessage `json:"want,omitempty"`
	Param string          `json:"param,omitempty"` // wanted of a refusal
	Code  string          `json:"code,omitempty"`
}

func load(t testing.TB, file string) (cases []*testCase) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// each runs fn for the cases of a file; fn returns what comes out.
func each(t *testing.T, file string, fn func(*testing.T, *testCase) []byte) {
	cases := load(t, file)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			switch got := fn(t, c); {
			case got == nil:
			case *update:
				c.Want = got
			default:
				require.Equal(t, tokens(t, c.Want), tokens(t, got), "want %s\n got %s", c.Want, got)
			}
		})
	}
	if *update {
		store(t, file, cases)
	}
}

func store(t *testing.T, file string, cases []*testCase) {
	var out bytes.Buffer
	for i, c := range cases {
		out.WriteString(map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		require.NoError(t, e.Encode(c))
		out.Write(bytes.TrimSpace(line.Bytes()))
	}
	require.NoError(t, os.WriteFile(filepath.Join("testdata", file), append(out.Bytes(), "\n]\n"...), 0o644))
}

// tokens are JSON with the order of keys, but not the way strings are escaped.
func tokens(t *testing.T, b []byte) (all []json.Token) {
	t.Helper()
	require.True(t, json.Valid(b), "%s", b)
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		token, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, token)
	}
}

// parse reads a call as the gateway does.
func parse(t testing.TB, body []byte) *dialect.Request {
	t.Helper()
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.Anthropic, Operation: dialect.Chat}, dialect.Chat, "application/json", body)
	require.Nil(t, e, "%+v", e)
	return req
}

var meta = conversation.Meta{ExchangeID: "ex-1", Created: 1700000000, Model: "claude-x"}

// framed writes events as Anthropic does.
func framed(t testing.TB, list json.RawMessage) []byte {
	t.Helper()
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal(list, &raw))
	var out bytes.Buffer
	for _, r := range raw {
		var e struct{ Type string }
		require.NoError(t, json.Unmarshal(r, &e))
		out.WriteString("event: " + e.Type + "\ndata: ")
		out.Write(r)
		out.WriteString("\n\n")
	}
	return out.Bytes()
}

// unframed is what an SDK sees of a stream: names that fit the types.
func unframed(t *testing.T, stream []byte) []byte {
	t.Helper()
	out := []byte("[")
	for _, block := range bytes.SplitAfter(stream, []byte("\n\n")) {
		if len(block) == 0 {
			continue
		}
		name, data, ok := bytes.Cut(bytes.TrimSuffix(block, []byte("\n\n")), []byte("\ndata: "))
		require.True(t, ok && bytes.Count(block, []byte("\n")) == 3, "%q", block)
		var e struct{ Type string }
		require.NoError(t, json.Unmarshal(data, &e))
		require.Equal(t, "event: "+e.Type, string(name))
		if len(out) > 1 {
			out = append(out, ",\n"...)
		}
		out = append(out, data...)
	}
	return append(out, ']')
}

// carry reads a provider's stream in parts and writes the client's. err is the
// first error.
func carry(parts ...[]byte) (out []byte, usage conversation.Usage, err error) {
	r, w := anthropic.Provider.NewReader(), anthropic.Client.NewWriter(meta)
	usage = conversation.NoUsage
	event := func(ev *conversation.Event) {
		usage = ev.Usage
		out = w.Append(out, ev)
	}
	for _, part := range parts {
		if err = r.Feed(part, event); err != nil {
			return out, usage, err
		}
	}
	return out, usage, r.Close(event)
}

// TestSDK holds the data files against the real SDK: its types, and its
// accumulator of streams.
func TestSDK(t *testing.T) {
	clients, err := filepath.Abs("../../../.tools/clients")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(clients, "ok")); err != nil {
		t.Skip("the SDKs are not installed: make test installs them")
	}
	out, err := exec.Command(filepath.Join(clients, "bin/python"), "testdata/check.py").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
