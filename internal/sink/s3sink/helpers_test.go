package s3sink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/awstest"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/format"
	"sluice/internal/sink/s3sink"
)

const trail = "00112233445566aa"

var start = time.Date(2026, 11, 30, 14, 59, 0, 0, time.UTC)

func options(t testing.TB, a *awstest.AWS, b *awstest.Bucket) s3sink.Options {
	return s3sink.Options{
		Bucket: b.Name, Prefix: "gw/", Region: awstest.Region, Endpoint: a.URL, PathStyle: true,
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "canary-secret", HTTP: http.DefaultClient,
		Trail: trail, Node: "node-1", Format: "sluice", Bodies: "full", State: filepath.Join(t.TempDir(), "archive.s3.json"),
	}
}

func open(t testing.TB, o s3sink.Options) *s3sink.Target {
	t.Helper()
	target, err := s3sink.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// entries are n records, each seconds apart from the one before, of which every
// fifth is a denial and the last an event.
func entries(t testing.TB, first uint64, n int, apart time.Duration) []sink.Entry {
	t.Helper()
	var out []sink.Entry
	for i := range n {
		seq := first + 2*uint64(i)
		r := &audit.Record{
			RecordID: fmt.Sprintf("%s-%d", trail, seq), Sequence: seq, EndSequence: seq + 1, ID: fmt.Sprint("exchange-", seq),
			Time: start.Add(time.Duration(i) * apart),
			Exchange: &audit.Exchange{
				Caller:       &identity.Caller{UserID: "u1", UserName: fmt.Sprint("user-", i%3), Organizations: []string{"o1", "o2"}},
				EndpointName: "practice", Provider: "first", Model: "small", Path: "/v1/chat/completions",
				Decision: decision.Decision{Allow: i%5 != 0, Revision: "r1"},
			},
			Outcome: &audit.Outcome{
				Time: start.Add(time.Duration(i)*apart + time.Second), Result: audit.ResultAnswered, Status: 200, Provider: "second",
				Model: "large", InputTokens: 100, OutputTokens: 10, CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown,
				CacheWriteTokens: audit.Unknown, CostNanoUSD: 2_000_000, Duration: time.Second,
			},
			RequestBytes: 5, ResponseBytes: 5, RequestBody: audit.Body("hällo"), ResponseBody: audit.Body{0xff, 0},
		}
		if i%5 == 0 {
			r.Outcome.Result, r.Outcome.Status, r.Outcome.CostNanoUSD = audit.ResultDenied, 403, audit.Unknown
			r.Outcome.InputTokens, r.Outcome.OutputTokens = audit.Unknown, audit.Unknown
		}
		if i == 0 {
			r.Damaged = []audit.Damage{{Day: "2026-11-30", Offset: 140, Sequence: seq, Reason: "torn"}}
		}
		if i == n-1 {
			r = &audit.Record{
				RecordID: r.RecordID, Sequence: seq, Time: r.Time,
				Event: &audit.Event{Time: r.Time, Kind: audit.KindCreateEndpoint, TargetName: "practice", Node: "gw-2", Certificate: "CN=ops",
					By:      &identity.Caller{UserID: "root", Credential: identity.CredentialToken},
					Changes: []audit.Change{{Field: "model", After: "large"}}, Metadata: map[string]string{"a": "b"}},
			}
		}
		data, err := format.Sluice(nil, r)
		require.NoError(t, err)
		out = append(out, sink.Entry{Record: r, Data: data})
	}
	return out
}

// padded makes the data of entries long and hard to compress.
func padded(all []sink.Entry, size int) []sink.Entry {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range all {
		filling := make([]byte, size)
		for k := range filling {
			filling[k] = byte('a' + random.IntN(26))
		}
		all[i].Data = append(all[i].Data, filling...)
	}
	return all
}

func unpack(t testing.TB, data []byte) []byte {
	t.Helper()
	d, err := zstd.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	defer d.Close()
	out, err := io.ReadAll(d)
	require.NoError(t, err)
	return out
}

// recordIDs are the ids in an object of lines.
func recordIDs(t testing.TB, b *awstest.Bucket, key string) []string {
	t.Helper()
	var ids []string
	for _, line := range strings.Split(strings.TrimSuffix(string(unpack(t, b.Get(t, key))), "\n"), "\n") {
		var r struct{ RecordID string }
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		ids = append(ids, r.RecordID)
	}
	return ids
}

func ids(all []sink.Entry) []string {
	out := make([]string, len(all))
	for i, e := range all {
		out[i] = e.Record.RecordID
	}
	return out
}

// gate is S3 behind something that answers for it now and then.
type gate struct {
	URL      string
	requests atomic.Int64
	answer   atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool] // true: it has answered
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }}
	g := &gate{}
	g.set(func(http.ResponseWriter, *http.Request) bool { return false })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.requests.Add(1)
		if !(*g.answer.Load())(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

func (g *gate) set(f func(http.ResponseWriter, *http.Request) bool) { g.answer.Store(&f) }

// fails answers as S3 does, with a message that must not be repeated.
func fails(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>canary-message</Message></Error>", code)
		return true
	}
}
