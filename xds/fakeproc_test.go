package xds_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// fakeProc is an ext_proc server for tests: it routes by the query parameters
// and headers of the request and notes what it sees.
//
//	x-test-route     the route key
//	x-test-path      the new :path
//	x-test-deny      answer with this status at the request headers
//	x-test-forbidden mutate a header that must not be mutated
//	x-test-strip     remove all other request headers
type fakeProc struct {
	extprocv3.UnimplementedExternalProcessorServer
	accesslogv3.UnimplementedAccessLogServiceServer

	// rewrite changes the request body; nil keeps it.
	rewrite func([]byte) []byte
	// answer changes the response body; nil keeps it.
	answer func([]byte) []byte

	mu      sync.Mutex // guards the following fields
	seen    []*seen
	entries []*datav3.HTTPAccessLogEntry
}

// StreamAccessLogs notes the entries of exchanges that broke off.
func (p *fakeProc) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.entries = append(p.entries, m.GetHttpLogs().GetLogEntry()...)
		p.mu.Unlock()
	}
}

// seen is what the server saw of one stream.
type seen struct {
	mu      sync.Mutex // guards the following fields
	events  []string
	request map[string]string
	head    map[string]string // response headers
	body    []byte            // request body
	reply   []byte            // response body
	chunks  int
	eos     bool
	err     error // how the stream ended
	ended   bool
}

func (s *seen) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

func (s *seen) with(f func(*seen)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// last returns the latest stream, or nil.
func (p *fakeProc) last() *seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) == 0 {
		return nil
	}
	return p.seen[len(p.seen)-1]
}

func (p *fakeProc) Process(stream extprocv3.ExternalProcessor_ProcessServer) (err error) {
	s := &seen{request: map[string]string{}, head: map[string]string{}}
	p.mu.Lock()
	p.seen = append(p.seen, s)
	p.mu.Unlock()
	defer func() {
		s.with(func(s *seen) { s.ended = true; s.err = err })
	}()
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		r := p.respond(s, m)
		if r == nil {
			continue
		}
		if err := stream.Send(r); err != nil {
			return err
		}
	}
}

func headerMap(h *corev3.HeaderMap) map[string]string {
	out := map[string]string{}
	for _, v := range h.GetHeaders() {
		value := string(v.GetRawValue())
		if have, ok := out[v.GetKey()]; ok {
			value = have + "|" + value
		}
		out[v.GetKey()] = value
	}
	return out
}

func (p *fakeProc) respond(s *seen, m *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	switch r := m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return p.requestHeaders(s, r.RequestHeaders)
	case *extprocv3.ProcessingRequest_RequestBody:
		s.note("request-body %d eos=%t", len(r.RequestBody.GetBody()), r.RequestBody.GetEndOfStream())
		s.with(func(s *seen) { s.body = r.RequestBody.GetBody() })
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{
			RequestBody: p.route(s, r.RequestBody.GetBody()),
		}}
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return p.responseHeaders(s, r.ResponseHeaders)
	case *extprocv3.ProcessingRequest_ResponseBody:
		return p.responseBody(s, r.ResponseBody)
	}
	s.note("other %T", m.GetRequest())
	return nil
}

func (p *fakeProc) requestHeaders(s *seen, h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	headers := headerMap(h.GetHeaders())
	s.with(func(s *seen) { s.request = headers })
	s.note("request-headers eos=%t", h.GetEndOfStream())
	if d := headers["x-test-deny"]; d != "" {
		var code int32
		_, _ = fmt.Sscan(d, &code)
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{
			ImmediateResponse: &extprocv3.ImmediateResponse{
				Status:  &typev3.HttpStatus{Code: typev3.StatusCode(code)},
				Headers: set("content-type", "application/json", "x-denied", "yes"),
				Body:    []byte(`{"denied":true}`), Details: "sluice_denied",
			},
		}}
	}
	common := &extprocv3.CommonResponse{}
	if h.GetEndOfStream() {
		common = p.route(s, nil).GetResponse()
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{
		RequestHeaders: &extprocv3.HeadersResponse{Response: common},
	}}
}

// route answers at the end of the request.
func (p *fakeProc) route(s *seen, body []byte) *extprocv3.BodyResponse {
	var in map[string]string
	s.with(func(s *seen) { in = s.request })
	mutation := &extprocv3.HeaderMutation{}
	if in["x-test-strip"] != "" {
		for name := range in {
			if !strings.HasPrefix(name, ":") && name != "host" && name != "content-length" &&
				!strings.HasPrefix(name, "x-envoy-") && !strings.HasPrefix(name, "x-forwarded-") {
				mutation.RemoveHeaders = append(mutation.RemoveHeaders, name)
			}
		}
		mutation.SetHeaders = append(mutation.SetHeaders, set(
			"content-type", "application/json", "user-agent", "sluice/test", "authorization", "Bearer provider",
		).SetHeaders...)
	}
	if key := in["x-test-route"]; key != "" {
		mutation.SetHeaders = append(mutation.SetHeaders, set("x-gateway-route", key).SetHeaders...)
	}
	if path := in["x-test-path"]; path != "" {
		mutation.SetHeaders = append(mutation.SetHeaders, set(":path", path).SetHeaders...)
	}
	if in["x-test-forbidden"] != "" {
		mutation.SetHeaders = append(mutation.SetHeaders, set("x-envoy-upstream-alt-stat-name", "x").SetHeaders...)
	}
	common := &extprocv3.CommonResponse{HeaderMutation: mutation, ClearRouteCache: true}
	if p.rewrite != nil {
		body = p.rewrite(body)
		common.BodyMutation = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: body}}
		// Envoy refuses a body that differs from the length in the headers.
		mutation.SetHeaders = append(mutation.SetHeaders, set("content-length", strconv.Itoa(len(body))).SetHeaders...)
	}
	return &extprocv3.BodyResponse{Response: common}
}

func (p *fakeProc) responseHeaders(s *seen, h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	headers := headerMap(h.GetHeaders())
	s.with(func(s *seen) { s.head = headers })
	s.note("response-headers %s eos=%t local=%q", headers[":status"], h.GetEndOfStream(), headers["x-gateway-local"])
	r := &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{
		ResponseHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{}},
	}}
	if strings.HasPrefix(headers["content-type"], "text/event-stream") {
		r.ModeOverride = &modev3.ProcessingMode{
			RequestBodyMode: modev3.ProcessingMode_BUFFERED, ResponseHeaderMode: modev3.ProcessingMode_SEND,
			ResponseBodyMode:   modev3.ProcessingMode_STREAMED,
			RequestTrailerMode: modev3.ProcessingMode_SKIP, ResponseTrailerMode: modev3.ProcessingMode_SKIP,
		}
	}
	return r
}

func (p *fakeProc) responseBody(s *seen, b *extprocv3.HttpBody) *extprocv3.ProcessingResponse {
	s.note("response-body %d eos=%t", len(b.GetBody()), b.GetEndOfStream())
	s.with(func(s *seen) {
		s.reply = append(s.reply, b.GetBody()...)
		s.chunks++
		s.eos = b.GetEndOfStream()
	})
	common := &extprocv3.CommonResponse{}
	if p.answer != nil {
		body := p.answer(b.GetBody())
		common.BodyMutation = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: body}}
		common.HeaderMutation = set("content-length", strconv.Itoa(len(body)))
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{
		ResponseBody: &extprocv3.BodyResponse{Response: common},
	}}
}

// set makes a mutation that sets name, value pairs.
func set(pairs ...string) *extprocv3.HeaderMutation {
	m := &extprocv3.HeaderMutation{}
	for i := 0; i < len(pairs); i += 2 {
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return m
}

// story waits until the stream of the latest exchange has ended and returns
// what was seen.
func (p *fakeProc) story() *seen {
	for range 300 {
		if s := p.last(); s != nil {
			var ended bool
			s.with(func(s *seen) { ended = s.ended })
			if ended {
				return s
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return p.last()
}

// broken returns the entries of exchanges that broke off.
func (p *fakeProc) broken() []*datav3.HTTPAccessLogEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.entries)
}
