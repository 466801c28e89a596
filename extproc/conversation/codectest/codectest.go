// Package codectest runs codecs on cases that are data.
package codectest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/sse"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted; then check.py, and your eyes, must agree")

// Case is one of a data file. What the members mean is up to the test.
type Case struct {
	Name  string            `json:"name"`
	Op    dialect.Operation `json:"op,omitempty"`    // chat if empty
	Usage bool              `json:"usage,omitempty"` // the client asked for usage
	Call  json.RawMessage   `json:"call,omitempty"`  // the client's call, where In is an answer
	In    json.RawMessage   `json:"in"`
	Want  json.RawMessage   `json:"want,omitempty"`
	Param string            `json:"param,omitempty"` // wanted of a refusal
	Code  string            `json:"code,omitempty"`  // unsupported_field if empty
}

// Each runs fn on the cases of a file and compares what it returns with what
// the case wants, token by token; nil is not compared.
func Each(t *testing.T, path string, fn func(*testing.T, *Case) []byte) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var cases []*Case
	require.NoError(t, json.Unmarshal(b, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			switch got := fn(t, c); {
			case got == nil:
			case *update:
				c.Want = got
			default:
				require.Equal(t, tokens(t, c.Want), tokens(t, got), "%s", got)
			}
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(path, lines(t, cases), 0o644))
	}
}

func lines(t *testing.T, cases []*Case) []byte {
	var out bytes.Buffer
	for i, c := range cases {
		out.WriteString(map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		require.NoError(t, e.Encode(c))
		out.Write(bytes.TrimSpace(line.Bytes()))
	}
	return append(out.Bytes(), "\n]\n"...)
}

// tokens compares JSON with its order and the text of its numbers.
func tokens(t *testing.T, b []byte) (all []json.Token) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for d.More() || len(all) == 0 {
		tok, err := d.Token()
		require.NoError(t, err, "%s", b)
		all = append(all, tok)
	}
	for {
		tok, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, tok)
	}
}

// Refused checks a refusal against what a case wants.
func (c *Case) Refused(t *testing.T, e *dialect.Error) {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, 400, e.Status)
	require.Equal(t, c.Param, e.Param, e.Message)
	require.Contains(t, e.Message, "'"+c.Param+"'")
	code := c.Code
	if code == "" {
		code = dialect.CodeUnsupportedField
	}
	require.Equal(t, code, e.Code)
}

// Stream is a list of JSON values as an event stream. Strings are sent as they
// are, so that "[DONE]" and what is no JSON can be said.
func Stream(t testing.TB, list json.RawMessage) []byte {
	t.Helper()
	var values []json.RawMessage
	require.NoError(t, json.Unmarshal(list, &values))
	var b []byte
	for _, v := range values {
		var text string
		if json.Unmarshal(v, &text) != nil {
			var compact bytes.Buffer
			require.NoError(t, json.Compact(&compact, v))
			text = compact.String()
		}
		b = sse.Append(b, "", []byte(text))
	}
	return b
}

// Data is the data of the events of a stream, as a JSON list without "[DONE]".
func Data(t testing.TB, stream []byte) []byte {
	t.Helper()
	out := []byte("[\n")
	var r sse.Reader
	add := func(ev sse.Event) error {
		if ev.Data != nil && string(ev.Data) != "[DONE]" {
			if len(out) > 2 {
				out = append(out, ",\n"...)
			}
			out = append(out, ev.Data...)
		}
		return nil
	}
	require.NoError(t, r.Feed(stream, add))
	require.NoError(t, r.End(add))
	return append(out, ']')
}

// Carry passes a provider's stream, cut into pieces, to a client, and tells
// how it ended.
func Carry(p conversation.Provider, c conversation.Client, m conversation.Meta, pieces ...[]byte) (out []byte, err error) {
	reader, writer := p.NewReader(), c.NewWriter(m)
	fn := func(ev *conversation.Event) { out = writer.Append(out, ev) }
	for _, piece := range pieces {
		if err := reader.Feed(piece, fn); err != nil {
			return out, err
		}
	}
	return out, reader.Close(fn)
}

// CutAnywhere requires that a stream gives the same however it is cut: in two
// at every byte, and byte by byte.
func CutAnywhere(t *testing.T, p conversation.Provider, c conversation.Client, m conversation.Meta, stream []byte) {
	t.Helper()
	want, wantErr := Carry(p, c, m, stream)
	same := func(pieces ...[]byte) {
		got, err := Carry(p, c, m, pieces...)
		require.Equal(t, string(want), string(got))
		require.Equal(t, wantErr, err)
	}
	for i := range stream {
		same(stream[:i], stream[i:])
	}
	var bytewise [][]byte
	for i := range stream {
		bytewise = append(bytewise, stream[i:i+1])
	}
	same(bytewise...)
}
