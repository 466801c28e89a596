package extproc_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/policies"
	"sluice/xds"
)

const (
	goodToken = "slu_good"
	exchange  = "11111111-1111-4111-8111-111111111111"
	secret    = "sk-canary-0123456789"
)

var hosts = map[string]xds.Upstream{
	"openai":    {TLS: true, Host: "api.openai.com", Port: 443},
	"anthropic": {TLS: true, Host: "api.anthropic.com", Port: 443},
}

var keys = map[string]map[string]string{
	"openai":    {"openai_api_key": secret},
	"anthropic": {"anthropic_api_key": secret + "-anthropic"},
}

var caller = &identity.Caller{UserID: "0123456789abcdef01234567", UserName: "ada", TokenID: "t", Credential: identity.CredentialToken}

// world is a server with scripted neighbours, and what they saw.
type world struct {
	t      *testing.T
	server *extproc.Server
	now    time.Time

	mu     sync.Mutex
	events []string // begin, end <result>, refuse <result>, in order
	last   audit.Outcome
	asked  *policies.Input
	req    audit.Exchange
	body   []byte // of the last response half
	parts  []part
	wanted string // the body of the request half

	decision  decision.Decision
	policyErr error
	trailErr  map[string]error // by method
}

func (w *world) Authenticate(p identity.Presented) (*identity.Caller, error) {
	if p.Credential != goodToken {
		return nil, identity.ErrUnknownToken
	}
	return caller, nil
}

func (w *world) Decide(_ context.Context, in *policies.Input) (decision.Decision, error) {
	w.asked = in
	return w.decision, w.policyErr
}

func (w *world) note(method, event string, o *audit.Outcome) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.trailErr[method]; err != nil {
		return err
	}
	w.events = append(w.events, event)
	if o != nil {
		w.last = *o
	}
	return nil
}

func (w *world) Begin(x *audit.Exchange, body []byte) error {
	w.req, w.wanted = *x, string(body)
	return w.note("begin", "begin", nil)
}

func (w *world) End(_ string, o *audit.Outcome, body []byte) error {
	w.body = append([]byte(nil), body...)
	if o.Code == "audit_unavailable" {
		return w.note("end without the answer", "end "+o.Result, o)
	}
	return w.note("end", "end "+o.Result, o)
}

func (w *world) Refuse(x *audit.Exchange, body []byte, o *audit.Outcome) error {
	w.req, w.wanted = *x, string(body)
	return w.note("refuse", "refuse "+o.Result, o)
}

func (w *world) Part(_, kind string, body []byte) error {
	w.mu.Lock()
	w.parts = append(w.parts, part{kind, string(body)})
	w.mu.Unlock()
	return w.note("part", "part "+kind, nil)
}

// part is something more of a record.
type part struct{ kind, body string }

func newWorld(t *testing.T, change ...func(*extproc.Options)) *world {
	w := &world{t: t, now: time.Unix(1700000000, 0), trailErr: map[string]error{},
		decision: decision.Decision{Allow: true, Reasons: []decision.Reason{{Code: "allowed_everyone"}}, Revision: "r1"}}
	o := extproc.Options{
		Identity: w, Policy: w, Trail: w, Log: zap.NewNop(),
		Metrics: extproc.NewMetrics(prometheus.NewRegistry()), AbortWait: time.Millisecond,
		Now: func() time.Time { return w.now },
	}
	for _, f := range change {
		f(&o)
	}
	w.server = extproc.New(o)
	w.server.SetTable(extproc.NewTable(nil, []*catalog.Endpoint{
		{ID: "e1", Name: "chat", Type: catalog.TypeChat, Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}}},
		{ID: "e2", Name: "limited", Type: catalog.TypeChat, Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}},
			Limit: &catalog.Limit{Calls: 1, Period: "minute"}},
		{ID: "e3", Name: "broken", Type: catalog.TypeChat, Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}}},
		{ID: "e6", Name: "off", Type: catalog.TypeChat, Disabled: true, Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}}},
		{ID: "e7", Name: "quiet", Type: catalog.TypeChat, AuditBodies: "none", Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}}},
		{ID: "e8", Name: "careful", Type: catalog.TypeChat, AuditBodies: "redacted", Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4o-mini"}}},
		{ID: "e5", Name: "two", Type: catalog.TypeChat, Targets: []catalog.Target{
			{Name: "one", Provider: "openai", Model: "gpt-4o-mini", Weight: 1},
			{Name: "other", Provider: "anthropic", Model: "claude-x", Order: 1, Weight: 1},
		}},
		{ID: "e4", Name: "vectors", Type: catalog.TypeEmbeddings, Targets: []catalog.Target{{Provider: "openai", Model: "e-3"}}},
	}, func(e *catalog.Endpoint) *extproc.Entry {
		entry := &extproc.Entry{Endpoint: e}
		for _, target := range e.Targets {
			ready := &extproc.Target{
				Name: target.Name, Weight: target.Weight, Order: target.Order, Upstream: hosts[target.Provider],
				Target: provider.Target{Provider: target.Provider, Model: target.Model, Config: keys[target.Provider]},
			}
			entry.Targets = append(entry.Targets, ready)
		}
		if e.Name == "broken" {
			entry.Problem = "the credential " + secret + " can't be opened"
		}
		return entry
	}))
	return w
}

// script plays Envoy: it sends what the test feeds and keeps the answers.
type script struct {
	grpc.ServerStream
	ctx  context.Context
	w    *world
	in   chan *extprocv3.ProcessingRequest
	out  chan *extprocv3.ProcessingResponse
	done chan error
}

func (s *script) Context() context.Context { return s.ctx }

func (s *script) Recv() (*extprocv3.ProcessingRequest, error) {
	m, ok := <-s.in
	if !ok {
		return nil, status.Error(codes.Canceled, "context canceled")
	}
	return m, nil
}

func (s *script) Send(m *extprocv3.ProcessingResponse) error { s.out <- m; return nil }

func (w *world) open() *script { return w.stage(xds.StageRouter) }

// stage opens a stream as one of Envoy's stages does.
func (w *world) stage(name string) *script {
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs(xds.StageHeader, name))
	s := &script{w: w, ctx: ctx, in: make(chan *extprocv3.ProcessingRequest), out: make(chan *extprocv3.ProcessingResponse, 1), done: make(chan error, 1)}
	go func() { s.done <- w.server.Process(s) }()
	return s
}

// say sends one message and returns the answer.
func (s *script) say(m *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	s.w.t.Helper()
	s.in <- m
	select {
	case r := <-s.out:
		return r
	case err := <-s.done:
		s.done <- err
		s.w.t.Fatalf("the stream ended: %v", err)
	case <-time.After(time.Minute):
		s.w.t.Fatal("no answer")
	}
	return nil
}

// end cancels the stream as Envoy does and waits for the server's end of it.
func (s *script) end() {
	s.w.t.Helper()
	close(s.in)
	require.NoError(s.w.t, <-s.done)
}

func headers(kv ...string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(kv); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: kv[i], RawValue: []byte(kv[i+1])})
	}
	return m
}

func requestHead(path string, more ...string) *extprocv3.ProcessingRequest {
	kv := append([]string{":method", "POST", ":path", path, ":authority", "gw", "x-request-id", exchange,
		"x-forwarded-for", "6.6.6.6,127.0.0.1", "content-type", "application/json", "content-length", "10"}, more...)
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: headers(kv...)}}}
}

// largeHead is the head of a request whose refusal does not wait for its body.
func largeHead(path string, more ...string) *extprocv3.ProcessingRequest {
	m := requestHead(path, more...)
	for _, h := range m.GetRequestHeaders().Headers.Headers {
		if h.Key == "content-length" {
			h.RawValue = []byte("1000000")
		}
	}
	return m
}

func requestBody(body string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: true}}}
}

func responseHead(kv ...string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: headers(kv...)}}}
}

func responseBody(body string, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
		ResponseBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: end}}}
}

func setHeaders(m *extprocv3.HeaderMutation) map[string]string {
	out := map[string]string{}
	for _, h := range m.GetSetHeaders() {
		out[h.Header.Key] = string(h.Header.RawValue)
	}
	return out
}

var errDisk = errors.New("no space")

// localReply plays the rest of a reply that Envoy makes itself and returns
// what the client gets.
func localReply(t *testing.T, s *script, head *extprocv3.ProcessingResponse) (status int, body string) {
	t.Helper()
	mut := head.GetResponseHeaders().GetResponse().GetHeaderMutation()
	require.NotNil(t, mut, "%v", head)
	require.Contains(t, mut.RemoveHeaders, "x-gateway-local")
	status, err := strconv.Atoi(setHeaders(mut)[":status"])
	require.NoError(t, err)
	r := s.say(responseBody(`{"error":"Envoy's own words"}`, true))
	return status, string(r.GetResponseBody().GetResponse().GetBodyMutation().GetBody())
}

func itoa(n int) string { return strconv.Itoa(n) }
