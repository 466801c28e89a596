package otlpsink_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/otlpsink"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 123456789, time.UTC)

func exchange(n int) *audit.Record {
	return &audit.Record{
		RecordID: fmt.Sprintf("c397ec1ee3aab6f3-%d", n), Sequence: uint64(n), ID: fmt.Sprintf("exchange-%d", n), Time: noon,
		Exchange: &audit.Exchange{
			ID: fmt.Sprintf("exchange-%d", n), Time: noon, Credential: "token", Certificate: "CN=notebook",
			Caller:     &identity.Caller{UserID: "u1", UserName: "alice", Organizations: []string{"o1", "o2"}, Roles: []string{"practitioner"}, TokenID: "t1"},
			EndpointID: "e1", EndpointName: "chat", EndpointType: "llm/v1/chat", Provider: "bedrock", Model: "claude", Dialect: "openai",
			Operation: "completions", Method: "POST", Path: "/v1/completions", ClientAddr: "[::ffff:10.1.2.3]:5555", MaxTokens: 256, Node: "gateway-9",
			TLS:      &audit.TLS{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "ai.example.com"},
			Decision: decision.Decision{Allow: true, Reasons: []decision.Reason{{Code: "permitted"}}, Revision: "5f1e"},
		},
		Outcome: &audit.Outcome{
			Time: noon, Result: audit.ResultAnswered, Status: 200, InputTokens: 120, OutputTokens: 45, CachedTokens: 100, CacheWriteTokens: 0,
			ReasoningTokens: audit.Unknown, CostNanoUSD: 1_234_567, Provider: "azure", Model: "gpt-4o", Target: "second",
			FirstByte: time.Millisecond, Duration: time.Second, ResponseBytes: 600, Attempts: make([]audit.Attempt, 2),
		},
		RequestBytes: 28,
	}
}

func entries(n int) []sink.Entry {
	out := make([]sink.Entry, n)
	for i := range out {
		out[i] = sink.Entry{Record: exchange(i + 1), Data: fmt.Appendf(nil, `{"n":%d}`, i+1)}
	}
	return out
}

func recordsOf(d *logs.LogsData) []*logs.LogRecord {
	return d.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()
}

func attribute(r *logs.LogRecord, key string) *common.AnyValue { return value(r.GetAttributes(), key) }

func value(list []*common.KeyValue, key string) *common.AnyValue {
	for _, a := range list {
		if a.GetKey() == key {
			return a.GetValue()
		}
	}
	return nil
}

func accept(*logs.LogsData) answer { return answer{} }

func TestDelivers(t *testing.T) {
	for protocol, serve := range protocols {
		t.Run(protocol, func(t *testing.T) {
			r := &receiver{answer: accept}
			target := open(t, serve(t, r), protocol)
			n, err := target.Deliver(ctx, entries(3))
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, [][]string{{"c397ec1ee3aab6f3-1", "c397ec1ee3aab6f3-2", "c397ec1ee3aab6f3-3"}}, r.uids())
			header := http.Header{}
			for name, values := range r.headers[0] {
				header[http.CanonicalHeaderKey(name)] = values
			}
			require.Equal(t, "canary", header.Get("X-Token"))
			require.Contains(t, r.raw[0], "gzip")

			data := r.requests[0].GetResourceLogs()[0]
			about := data.GetResource().GetAttributes()
			require.Equal(t, "sluice", value(about, "service.name").GetStringValue())
			require.Equal(t, "c397ec1ee3aab6f3", value(about, "service.instance.id").GetStringValue())
			require.Equal(t, "1.2.3", value(about, "service.version").GetStringValue())
			require.Equal(t, "sluice/audit", data.GetScopeLogs()[0].GetScope().GetName())
		})
	}
}

func TestRecordOfAnExchange(t *testing.T) {
	r := &receiver{answer: accept}
	target := open(t, serveHTTP(t, r), otlpsink.ProtocolHTTP, func(o *otlpsink.Options) { o.Compress = false })
	_, err := target.Deliver(ctx, entries(1))
	require.NoError(t, err)
	require.Empty(t, r.raw[0])
	got := recordsOf(r.requests[0])[0]
	require.EqualValues(t, noon.UnixNano(), got.GetTimeUnixNano())
	require.EqualValues(t, noon.Add(time.Second).UnixNano(), got.GetObservedTimeUnixNano())
	require.Equal(t, "sluice.audit.AccessEndpoint", got.GetEventName())
	require.Equal(t, logs.SeverityNumber_SEVERITY_NUMBER_INFO, got.GetSeverityNumber())
	require.Equal(t, `{"n":1}`, got.GetBody().GetStringValue())
	have := map[string]string{}
	for _, a := range got.GetAttributes() {
		_, twice := have[a.GetKey()]
		require.False(t, twice, a.GetKey())
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_IntValue:
			have[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_ArrayValue:
			for _, item := range v.ArrayValue.GetValues() {
				have[a.GetKey()] += item.GetStringValue() + ";"
			}
		default:
			have[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	require.Equal(t, map[string]string{
		"log.record.uid": "c397ec1ee3aab6f3-1", "sluice.sequence": "1", "sluice.exchange.id": "exchange-1",
		"user.id": "u1", "user.name": "alice", "user.roles": "practitioner;", "sluice.organizations": "o1;o2;", "sluice.token.id": "t1",
		"client.address": "10.1.2.3", "client.port": "5555", "sluice.node": "gateway-9", "sluice.credential": "token",
		"sluice.endpoint.id": "e1", "sluice.endpoint.name": "chat", "sluice.endpoint.type": "llm/v1/chat", "sluice.dialect": "openai",
		"gen_ai.operation.name": "text_completion", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "claude",
		"gen_ai.request.max_tokens": "256", "http.request.method": "POST", "url.path": "/v1/completions", "tls.client.subject": "CN=notebook",
		"tls.protocol.name": "tls", "tls.protocol.version": "1.3", "tls.cipher": "TLS_AES_128_GCM_SHA256", "server.address": "ai.example.com",
		"sluice.policy.revision": "5f1e", "sluice.policy.code": "permitted", "http.request.body.size": "28", "sluice.result": "answered",
		"http.response.status_code": "200", "http.response.body.size": "600", "gen_ai.usage.input_tokens": "120", "gen_ai.usage.output_tokens": "45",
		"gen_ai.usage.cache_read.input_tokens": "100", "gen_ai.usage.cache_creation.input_tokens": "0", "sluice.cost.nano_usd": "1234567",
		"sluice.first_byte_ns": "1000000", "sluice.duration_ns": "1000000000", "sluice.answered.target": "second",
		"gen_ai.response.model": "gpt-4o", "sluice.answered.provider": "azure.ai.openai", "sluice.attempts": "2",
	}, have)
}

func TestOtherRecords(t *testing.T) {
	underWay, headless, denied, broken := exchange(1), exchange(2), exchange(3), exchange(4)
	underWay.Outcome, headless.Exchange = nil, nil
	denied.Outcome = &audit.Outcome{Result: audit.ResultDenied, Status: 403, Code: "not_permitted", InputTokens: audit.Unknown}
	broken.Outcome.Result, broken.Exchange.Caller.UserName, broken.Exchange.ClientAddr = audit.ResultGatewayError, "al\xffice", "@unix"
	change := &audit.Record{RecordID: "c397ec1ee3aab6f3-5", Time: noon, Event: &audit.Event{
		Kind: audit.KindUpdateEndpoint, By: exchange(1).Exchange.Caller, ClientAddr: "10.0.0.1:4", TargetType: "endpoint", TargetID: "e1", TargetName: "chat",
	}}
	failed := &audit.Record{RecordID: "c397ec1ee3aab6f3-6", Time: noon, Event: &audit.Event{Kind: "FailSignIn", Metadata: map[string]string{"code": "bad_token"}}}
	lost := &audit.Record{RecordID: "c397ec1ee3aab6f3-7", Time: noon, Event: &audit.Event{Kind: audit.KindRecordsMissing, Node: "gateway-8"}}
	list := []sink.Entry{}
	for _, r := range []*audit.Record{underWay, headless, denied, broken, change, failed, lost} {
		list = append(list, sink.Entry{Record: r, Data: []byte("data \xff")})
	}
	r := &receiver{answer: accept}
	n, err := open(t, serveGRPC(t, r), otlpsink.ProtocolGRPC).Deliver(ctx, list)
	require.NoError(t, err)
	require.Equal(t, len(list), n)
	got := recordsOf(r.requests[0])
	for i, want := range []struct {
		severity   string
		name       string
		key, value string
	}{
		{"INFO", "AccessEndpoint", "sluice.result", "under_way"},
		{"INFO", "AccessEndpoint", "sluice.answered.provider", "azure.ai.openai"},
		{"WARN", "DenyEndpoint", "error.type", "not_permitted"},
		{"ERROR", "AccessEndpoint", "user.name", "al\ufffdice"},
		{"INFO", "UpdateEndpoint", "sluice.target.name", "chat"},
		{"WARN", "FailSignIn", "error.type", "bad_token"},
		{"ERROR", "TrailRecordsMissing", "sluice.node", "gateway-8"},
	} {
		require.Equal(t, want.severity, got[i].GetSeverityText(), i)
		require.Equal(t, "sluice.audit."+want.name, got[i].GetEventName(), i)
		require.Equal(t, want.value, attribute(got[i], want.key).GetStringValue(), i)
		require.Equal(t, "data \ufffd", got[i].GetBody().GetStringValue())
	}
	require.Equal(t, "@unix", attribute(got[3], "client.address").GetStringValue())
	require.Equal(t, "gateway-1", attribute(got[5], "sluice.node").GetStringValue())
}

// TestOneBadRecordIsFound sends ten records of which the receiver does not take
// the seventh: the six before are sent, the seventh is refused, and the rest goes
// on at the next call.
func TestOneBadRecordIsFound(t *testing.T) {
	isBad := func(d *logs.LogsData) bool {
		for _, r := range recordsOf(d) {
			if attribute(r, "log.record.uid").GetStringValue() == "c397ec1ee3aab6f3-7" {
				return true
			}
		}
		return false
	}
	for name, bad := range map[string]struct {
		protocol string
		answer   answer
	}{
		"grpc partial": {otlpsink.ProtocolGRPC, answer{rejected: 1}},
		"http partial": {otlpsink.ProtocolHTTP, answer{rejected: 1}},
		"grpc invalid": {otlpsink.ProtocolGRPC, answer{status: status.Error(codes.InvalidArgument, "my canary")}},
		"http invalid": {otlpsink.ProtocolHTTP, answer{code: 400}},
		"http long":    {otlpsink.ProtocolHTTP, answer{code: 413}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{answer: func(d *logs.LogsData) answer {
				if isBad(d) {
					return bad.answer
				}
				return answer{}
			}}
			target := open(t, protocols[bad.protocol](t, r), bad.protocol)
			list := entries(10)
			n, err := target.Deliver(ctx, list)
			var refused *sink.Refused
			require.ErrorAs(t, err, &refused)
			require.NotContains(t, err.Error(), "canary")
			require.Equal(t, 6, n)
			n, err = target.Deliver(ctx, list[7:])
			require.NoError(t, err)
			require.Equal(t, 3, n)
			taken := map[string]bool{}
			for _, request := range r.requests {
				for _, rec := range recordsOf(request) {
					taken[attribute(rec, "log.record.uid").GetStringValue()] = true
				}
			}
			require.Len(t, taken, 10)
		})
	}
}

func TestReceiverIsTriedAgain(t *testing.T) {
	busy, err := status.New(codes.Unavailable, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
	require.NoError(t, err)
	exhausted, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		protocol string
		answer   answer
		later    time.Duration
		want     string
	}{
		"unavailable":        {"grpc", answer{status: status.Error(codes.Unavailable, "down")}, 0, "Unavailable"},
		"unavailable, later": {"grpc", answer{status: busy.Err()}, 7 * time.Second, "Unavailable"},
		"exhausted, later":   {"grpc", answer{status: exhausted.Err()}, 7 * time.Second, "ResourceExhausted"},
		"unauthenticated":    {"grpc", answer{status: status.Error(codes.Unauthenticated, "no such token: my canary")}, 0, "Unauthenticated"},
		"429":                {"http", answer{code: 429}, 0, "the receiver answered 429"},
		"503, later":         {"http", answer{code: 503, header: http.Header{"Retry-After": {"7"}}}, 7 * time.Second, "the receiver answered 503"},
		"503, at": {"http", answer{code: 503, header: http.Header{"Retry-After": {noon.Add(8 * time.Second).Format(http.TimeFormat)}}},
			8*time.Second - time.Second - 123456789, "the receiver answered 503"},
		"503, whenever": {"http", answer{code: 503, header: http.Header{"Retry-After": {"soon"}}}, 0, "the receiver answered 503"},
		"401":           {"http", answer{code: 401}, 0, "the receiver answered 401"},
		"302":           {"http", answer{code: 302, header: http.Header{"Location": {"/elsewhere"}}}, 0, "the receiver answered 302"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{answer: func(*logs.LogsData) answer { return c.answer }}
			target := open(t, protocols[c.protocol](t, r), c.protocol)
			n, err := target.Deliver(ctx, entries(2))
			require.Zero(t, n)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 300)
			require.NotContains(t, err.Error(), "canary")
			require.NotErrorAs(t, err, new(*sink.Refused))
			require.Len(t, r.requests, 1)
			var later *sink.Later
			if errors.As(err, &later) {
				require.Equal(t, c.later, later.After)
			} else {
				require.Zero(t, c.later)
			}
			r.answer = accept
			n, err = target.Deliver(ctx, entries(2))
			require.NoError(t, err)
			require.Equal(t, 2, n)
		})
	}
}

// TestBatchesFitTheReceiver sends more than one request may hold, and a record
// that alone is more than the receiver takes.
func TestBatchesFitTheReceiver(t *testing.T) {
	r := &receiver{answer: accept}
	target := open(t, serveGRPC(t, r), otlpsink.ProtocolGRPC)
	list := entries(12)
	for i := range list {
		list[i].Data = []byte(strings.Repeat("x", 1<<20))
	}
	list[11].Data = []byte(strings.Repeat("x", 5<<20))
	n, err := target.Deliver(ctx, list)
	require.Equal(t, 11, n)
	require.ErrorContains(t, err, "ResourceExhausted to a message of 5")
	require.ErrorAs(t, err, new(*sink.Refused))
	require.Greater(t, len(r.requests), 5)
	b := target.Batch()
	require.Positive(t, b.Entries)
}

// TestAReceiverWithALowLimit takes messages of 64 KiB at most.
func TestAReceiverWithALowLimit(t *testing.T) {
	r := &receiver{answer: func(*logs.LogsData) answer { return answer{} }}
	target := open(t, serveGRPC(t, r, grpc.MaxRecvMsgSize(64<<10)), otlpsink.ProtocolGRPC)
	list := entries(16)
	for i := range list {
		list[i].Data = []byte(strings.Repeat("x", 20<<10))
	}
	list[11].Data = []byte(strings.Repeat("x", 100<<10))
	n, err := target.Deliver(ctx, list)
	require.Equal(t, 11, n)
	require.ErrorContains(t, err, "ResourceExhausted to a message of 10")
	require.ErrorAs(t, err, new(*sink.Refused))
	n, err = target.Deliver(ctx, list[12:])
	require.NoError(t, err)
	require.Equal(t, 4, n)
}

func TestUnreachable(t *testing.T) {
	for _, protocol := range []string{otlpsink.ProtocolGRPC, otlpsink.ProtocolHTTP} {
		target := open(t, &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, protocol)
		n, err := target.Deliver(ctx, entries(1))
		require.Zero(t, n)
		require.ErrorContains(t, err, "connection refused")
	}
}

func TestOverTLSWithAClientCertificate(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	t.Cleanup(pair.Close)
	own := pair.TLS.Certificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(pair.Certificate())
	wants := &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: roots, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2", "http/1.1"}}
	for protocol, serve := range map[string]func(*receiver) *url.URL{
		otlpsink.ProtocolGRPC: func(r *receiver) *url.URL { return serveGRPC(t, r, grpc.Creds(credentials.NewTLS(wants.Clone()))) },
		otlpsink.ProtocolHTTP: func(r *receiver) *url.URL {
			s := httptest.NewUnstartedServer(handler(t, r))
			s.TLS = wants.Clone()
			s.StartTLS()
			t.Cleanup(s.Close)
			u, err := url.Parse(s.URL)
			require.NoError(t, err)
			return u
		},
	} {
		r := &receiver{answer: accept}
		u := serve(r)
		u.Scheme = "https"
		mine := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
		n, err := open(t, u, protocol, func(o *otlpsink.Options) { o.TLS = mine }).Deliver(ctx, entries(1))
		require.NoError(t, err, protocol)
		require.Equal(t, 1, n)
		for what, bad := range map[string]*tls.Config{"no certificate": {RootCAs: roots}, "no trust": {Certificates: []tls.Certificate{own}}, "": nil} {
			n, err = open(t, u, protocol, func(o *otlpsink.Options) { o.TLS = bad }).Deliver(ctx, entries(1))
			require.Error(t, err, "%s: %s", protocol, what)
			require.Zero(t, n)
			require.NotErrorAs(t, err, new(*sink.Refused))
		}
	}
}

func TestUnknownProtocol(t *testing.T) {
	_, err := otlpsink.Open(otlpsink.Options{Protocol: "thrift", URL: &url.URL{}})
	require.ErrorContains(t, err, `the protocol is "thrift"; want grpc or http`)
}

func TestAnswerThatIsNone(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	n, err := open(t, u, otlpsink.ProtocolHTTP).Deliver(ctx, entries(1))
	require.Zero(t, n)
	require.ErrorContains(t, err, "reading the receiver's answer")
}
