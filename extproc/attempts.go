package extproc

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/audit"
	"sluice/xds"
)

// tries are the attempts of one exchange at its targets, in the order of the
// plan. The exchange's own stream and those of the upstream stage share them.
type tries struct {
	number string // under which the upstream stage finds them
	x      *exchange
	limit  time.Duration // head timeout; 0: none

	mu   sync.Mutex // guards the following fields
	list []try
	last int // the latest that began; -1: none did
}

// try is one attempt.
type try struct {
	target   *Target
	upstream xds.Upstream  // the staged one
	call     provider.Call // nil: to be opened when it begins
	began    time.Time     // zero: not yet
	ended    time.Time
	status   int    // of the reply
	code     string // why there was none
}

// remember makes the tries of an exchange known to the upstream stage.
func (s *Server) remember(x *exchange, list []try) *tries {
	t := &tries{number: strconv.FormatUint(s.opened.Add(1), 10), x: x, list: list, last: -1, limit: x.entry.Endpoint.HeadTimeout}
	s.open.Store(t.number, t)
	return t
}

func (s *Server) forget(t *tries) { s.open.Delete(t.number) }

func stageOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get(xds.StageHeader); len(v) == 1 {
		return v[0]
	}
	return ""
}

// attempt serves one attempt of an exchange with several targets: Envoy's
// upstream stage. It gives the request for this target, whole: nothing of the
// client's, and nothing that an attempt before has left.
func (s *Server) attempt(stream extprocv3.ExternalProcessor_ProcessServer) error {
	a := &attempt{s: s, ctx: stream.Context(), index: -1}
	for {
		m, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
				return nil
			}
			return err
		}
		resp, err := a.guarded(m)
		if err != nil {
			s.Log.Error("attempt aborted", zap.Error(err))
			return status.Error(codes.Internal, "attempt aborted")
		}
		if err := stream.Send(resp); err != nil {
			return nil // Envoy has gone
		}
	}
}

// attempt is one attempt on one stream of the upstream stage.
type attempt struct {
	s       *Server
	ctx     context.Context //nolint:containedctx // lives as long as the stream
	tries   *tries
	index   int
	headers []string // names that are there already
}

func (a *attempt) guarded(m *extprocv3.ProcessingRequest) (_ *extprocv3.ProcessingResponse, err error) {
	defer func() {
		if recover() != nil { // the value may hold what a client sent
			err = errPanic
		}
	}()
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return a.head(m, r.RequestHeaders)
	case *extprocv3.ProcessingRequest_RequestBody:
		c, err := a.request()
		if err != nil {
			return nil, err
		}
		return requestBodyResponse(c), nil
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		a.tries.answered(a.index, statusOf(r.ResponseHeaders.Headers), header(r.ResponseHeaders.Headers, "retry-after"))
		return responseHeadersResponse(nil, nil), nil
	}
	return nil, errors.New("a message came that was not asked for")
}

// errLost ends an attempt of which the router stage knows nothing, or another
// thing: no request leaves without its record.
var errLost = errors.New("an attempt that belongs to no exchange")

func (a *attempt) head(m *extprocv3.ProcessingRequest, h *extprocv3.HttpHeaders) (*extprocv3.ProcessingResponse, error) {
	number := m.GetMetadataContext().GetFilterMetadata()[xds.StateNamespace].GetFields()[xds.StateExchange].GetStringValue()
	found, ok := a.s.open.Load(number)
	if !ok {
		return nil, errLost
	}
	a.tries = found.(*tries)
	cluster, count := attributes(m)
	a.index = count - 1
	if !a.tries.begin(a.index, cluster) {
		return nil, errLost
	}
	for _, h := range h.Headers.GetHeaders() {
		if removable(h.Key) && h.Key != "content-length" {
			a.headers = append(a.headers, h.Key)
		}
	}
	if h.EndOfStream {
		c, err := a.request()
		if err != nil {
			return nil, err
		}
		return requestHeadersResponse(c), nil
	}
	return requestHeadersContinue, nil
}

// attributes are the cluster of an attempt, and which attempt it is, from 1.
func attributes(m *extprocv3.ProcessingRequest) (cluster string, count int) {
	for _, s := range m.GetAttributes() {
		if v, ok := s.GetFields()[xds.AttributeCluster]; ok {
			cluster = v.GetStringValue()
		}
		if v, ok := s.GetFields()[xds.AttributeAttempt]; ok {
			count = int(v.GetNumberValue())
			if n, err := strconv.Atoi(v.GetStringValue()); err == nil {
				count = n
			}
		}
	}
	return cluster, count
}

// request is the request for this attempt's target.
func (a *attempt) request() (*extprocv3.CommonResponse, error) {
	x := a.tries.x
	t, call, e := a.tries.open(a.index)
	if e != nil {
		return nil, e
	}
	up, to, e := x.prepare(a.ctx, t, call)
	if e != nil {
		a.tries.failed(a.index, e.Code)
		return nil, e
	}
	if err := x.sentUpstream(t, call); err != nil && !x.recorded(err) {
		a.tries.failed(a.index, dialect.CodeAuditUnavailable)
		return nil, err
	}
	set := make([]*corev3.HeaderValueOption, 0, len(up.Headers)+4)
	set = append(set, setHeader(":method", up.Method), setHeader(":path", up.Path),
		setHeader("host", to.HostHeader()), setHeader("content-length", strconv.Itoa(len(up.Body))))
	mutation := &extprocv3.HeaderMutation{}
	for _, h := range up.Headers {
		set = append(set, setHeader(h[0], h[1]))
	}
	for _, name := range a.headers {
		if !kit.HasHeader(up.Headers, name) {
			mutation.RemoveHeaders = append(mutation.RemoveHeaders, name)
		}
	}
	mutation.SetHeaders = set
	return &extprocv3.CommonResponse{HeaderMutation: mutation, BodyMutation: replaceBody(up.Body)}, nil
}

// begin notes that an attempt begins, and that those before it are over. It is
// false for one that is not in the plan.
func (t *tries) begin(index int, cluster string) bool {
	now := t.x.s.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if index < 0 || index >= len(t.list) || index <= t.last || t.list[index].upstream.Key() != cluster {
		return false
	}
	t.close(index, now)
	t.list[index].began, t.last = now, index
	return true
}

// close ends the attempts before index that had no reply. Called with mu held.
func (t *tries) close(index int, now time.Time) {
	for i := range t.list[:index] {
		a := &t.list[i]
		if !a.ended.IsZero() {
			continue
		}
		a.ended = now
		switch {
		case a.began.IsZero():
			a.began, a.code = now, dialect.CodeProviderUnreachable
		case t.limit > 0 && now.Sub(a.began) >= t.limit-t.limit/10: // Envoy's clock began a little earlier
			a.code = dialect.CodeProviderTimeout
		default:
			a.code = dialect.CodeProviderNoReply
		}
		a.target.health.failed(now, 0, a.code, 0)
	}
}

// open returns the target of an attempt and its call.
func (t *tries) open(index int) (*Target, provider.Call, *dialect.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &t.list[index]
	if a.call == nil {
		call, e := provider.Open(a.target.Target, t.x.req, t.x.env())
		if e != nil {
			return nil, nil, e
		}
		a.call = call
	}
	return a.target, a.call, nil
}

// answered notes the head of an attempt's reply.
func (t *tries) answered(index, status int, retryAfter string) {
	now := t.x.s.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &t.list[index]
	a.status, a.ended = status, now
	switch {
	case status < 400:
		a.target.health.succeeded()
	case xds.Retriable(status):
		a.target.health.failed(now, status, "", askedWait(status, retryAfter, now))
	}
}

// failed notes an attempt that the gateway itself could not make.
func (t *tries) failed(index int, code string) {
	now := t.x.s.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &t.list[index]
	a.ended, a.code = now, code
	a.target.health.failed(now, 0, code, 0)
}

// settle returns the target and the call of the latest attempt that began; nil
// when none did.
func (t *tries) settle() (*Target, provider.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last < 0 {
		return nil, nil
	}
	return t.list[t.last].target, t.list[t.last].call
}

// tell puts the attempts into the record.
func (t *tries) tell(o *audit.Outcome, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.Code != "" && o.UpstreamStatus == 0 && o.Result == audit.ResultProviderError {
		t.unanswered(o.Code, now)
	}
	for i := range t.list {
		a := &t.list[i]
		if a.began.IsZero() {
			break
		}
		end := a.ended
		if end.IsZero() || i == t.last {
			end = now
		}
		o.Attempts = append(o.Attempts, audit.Attempt{
			Target: a.target.Name, Provider: a.target.Provider, Model: a.target.Model,
			Status: a.status, Code: a.code, Duration: since(a.began, end),
		})
	}
	if n := len(o.Attempts); n > 0 {
		o.Target, o.Provider, o.Model = o.Attempts[n-1].Target, o.Attempts[n-1].Provider, o.Attempts[n-1].Model
	}
}

// unanswered notes that no target gave a reply; code is Envoy's word about the
// last.
// Called with mu held.
func (t *tries) unanswered(code string, now time.Time) {
	n := t.last + 1
	if code == dialect.CodeProviderUnreachable || code == dialect.CodeProviderTLS {
		n = len(t.list) // Envoy may not have come so far as to ask for the request
	}
	t.close(n, now)
	if n > 0 && t.list[n-1].status == 0 {
		t.list[n-1].code = code
	}
}
