package gemini_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
)

const canary = "AIza-canary-0123456789-abcdef"

// frozen is the clock of every data file here.
var frozen = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

var target = kit.Target{Provider: "gemini", Model: "gemini-x", Config: map[string]string{"gemini_api_key": canary}}

func open(req *dialect.Request) (kit.Call, *dialect.Error) {
	return gemini.Provider.Open(gemini.Provider, target, req, frozen)
}

// vertexPlace is a place of Vertex AI's form of the API.
var vertexPlace = gemini.Place{Path: "/v1/projects/p/locations/l/publishers/google/models/gemini-x", Vertex: true}

func request(t testing.TB, path, body string) *dialect.Request {
	t.Helper()
	route, ok := dialect.Match("POST", path)
	require.True(t, ok, path)
	op := route.Operation
	if op == dialect.CountTokens {
		op = dialect.Chat
	}
	req, e := dialect.Parse(route, op, "application/json", []byte(body))
	require.Nil(t, e, "%+v", e)
	return req
}

func mlflowRequest(op dialect.Operation, payload []byte, stream bool) *dialect.Request {
	return &dialect.Request{
		Route: dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"},
		Body:  payload, Payload: payload, Stream: stream, IncludeUsage: true,
	}
}

// headers looks up in a list of names and values.
func headers(list ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(list); i += 2 {
			if list[i] == name {
				return list[i+1]
			}
		}
		return ""
	}
}

var jsonHeaders = headers("content-type", "application/json; charset=UTF-8")

// tokens are the tokens of a JSON text, with the order of keys but without the
// way strings are escaped.
func tokens(t *testing.T, b []byte) (all []json.Token) {
	t.Helper()
	require.True(t, json.Valid(b), "%s", b)
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, token)
	}
}

func requireSameTokens(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, tokens(t, want), tokens(t, got), "want %s\n got %s", want, got)
}

// googleSSE writes events as Google does.
func googleSSE(t testing.TB, list json.RawMessage) []byte {
	t.Helper()
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal(list, &raw))
	var out bytes.Buffer
	for _, r := range raw {
		out.WriteString("data: ")
		out.Write(r)
		out.WriteString("\r\n\r\n")
	}
	return out.Bytes()
}

// dataOf are the data of a stream's events.
func dataOf(t *testing.T, stream []byte) (list []string) {
	t.Helper()
	for _, e := range strings.SplitAfter(string(stream), "\n\n") {
		if e == "" {
			continue
		}
		require.True(t, strings.HasPrefix(e, "data: ") && strings.HasSuffix(e, "\n\n"), "%q", e)
		list = append(list, strings.TrimSuffix(strings.TrimPrefix(e, "data: "), "\n\n"))
	}
	return list
}

// chunked feeds a stream in two parts, and checks the whole against it.
func chunked(t *testing.T, open func() kit.Call, stream []byte) (kit.Call, []byte) {
	t.Helper()
	whole := open()
	want, done := whole.Chunk(stream, true)
	require.True(t, done)
	for cut := range stream {
		call := open()
		got, done := call.Chunk(stream[:cut], false)
		if !done {
			var rest []byte
			rest, done = call.Chunk(stream[cut:], true)
			got = append(got, rest...)
		}
		require.True(t, done)
		require.Equal(t, string(want), string(got), "cut at %d", cut)
		require.Equal(t, whole.Usage(), call.Usage())
		require.Equal(t, whole.Err(), call.Err())
	}
	return whole, want
}
