package bedrock_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider/bedrock"
	"sluice/extproc/provider/kit"
)

const claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

// frozen is the clock of every data file here.
var frozen = kit.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}

// target is a target with an access key, and more parameters as pairs.
func target(model string, config ...string) kit.Target {
	t := kit.Target{Provider: "bedrock", Model: model, Config: map[string]string{
		"aws_region": "us-east-1", "aws_access_key_id": "AKIDCANARY0123456789", "aws_secret_access_key": "canary/secret/0123456789",
	}}
	for i := 0; i < len(config); i += 2 {
		t.Config[config[i]] = config[i+1]
	}
	return t
}

// keyed is a target with an API key.
func keyed(model string) kit.Target {
	return kit.Target{Provider: "bedrock", Model: model, Config: map[string]string{"aws_region": "us-east-1", "aws_bearer_token": "bt-canary-0123456789"}}
}

func open(t kit.Target, req *dialect.Request) (kit.Call, *dialect.Error) {
	return bedrock.Provider.Open(bedrock.Provider, t, req, frozen)
}

func mlflowRequest(op dialect.Operation, payload []byte, stream bool) *dialect.Request {
	return &dialect.Request{
		Route: dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"},
		Body:  payload, Payload: payload, Stream: stream, IncludeUsage: true,
	}
}

// parsed is a client's call, through the parser.
func parsed(t testing.TB, d dialect.Dialect, op dialect.Operation, body string) *dialect.Request {
	t.Helper()
	kind := op // of the endpoint
	if op == dialect.CountTokens {
		kind = dialect.Chat
	}
	req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: op}, kind, "application/json", []byte(body))
	require.Nil(t, e)
	return req
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

var jsonHeaders = headers("content-type", "application/json")

// requireSameTokens compares JSON with the order of keys, but not with the way
// strings and numbers are written.
func requireSameTokens(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, tokens(t, want), tokens(t, got), "want %s\n got %s", want, got)
}

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

// sseData are the data of the events of a stream.
func sseData(t *testing.T, stream []byte) (data []string) {
	t.Helper()
	for _, e := range strings.SplitAfter(string(stream), "\n\n") {
		if e == "" {
			continue
		}
		require.True(t, strings.HasPrefix(e, "data: ") && strings.HasSuffix(e, "\n\n") && strings.Count(e, "\n") == 2, "%q", e)
		data = append(data, strings.TrimSuffix(strings.TrimPrefix(e, "data: "), "\n\n"))
	}
	return data
}

// framed writes events, each an object with one member, as Bedrock does.
func framed(t testing.TB, events []byte) []byte {
	t.Helper()
	var list []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(events, &list))
	var out []byte
	for _, e := range list {
		for name, payload := range e {
			kind := eventstream.Event
			if strings.HasSuffix(name, "Exception") {
				kind = eventstream.Exception
			}
			out = eventstream.Append(out, kind, name, payload)
		}
	}
	return out
}

// feed gives a stream to a call in pieces of some size.
func feed(call kit.Call, stream []byte, size int) (out []byte, done bool) {
	for at := 0; at < len(stream) && !done; at += size {
		var b []byte
		b, done = call.Chunk(stream[at:min(at+size, len(stream))], false)
		out = append(out, b...)
	}
	if !done {
		var b []byte
		b, done = call.Chunk(nil, true)
		out = append(out, b...)
	}
	return out, done
}

// eachLine decodes each line of a file.
func eachLine[T any](t *testing.T, file string, fn func(T)) (n int) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		fn(v)
		n++
	}
	require.NoError(t, lines.Err())
	return n
}
