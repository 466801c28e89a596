package extproc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/audit"
	"sluice/internal/throttle"
)

// phase is how far an exchange has come.
type phase int

const (
	phaseNew      phase = iota // nothing seen
	phaseHead                  // request head accepted, body awaited
	phaseUpstream              // recorded and sent upstream
	phaseReply                 // reply head seen, body buffered
	phaseStream                // reply head seen, chunks pass through
	phaseLocal                 // recorded as ended by Envoy, body of its reply awaited
	phaseDone                  // recorded as ended
)

// exchange is one request and its reply, on one ext_proc stream. It is used by
// the stream's goroutine only.
type exchange struct {
	s     *Server
	ctx   context.Context
	phase phase

	start   time.Time
	route   dialect.Route
	head    *corev3.HeaderMap
	headers []string // names of the client's headers, to be removed upstream
	ctype   string   // the request's content-type
	query   string
	bare    bool // the request has no body
	below   int  // where in the path what is below the endpoint begins, of a provider's own API
	// refusal is of a request whose head was refused and whose small body is awaited.
	refusal *extprocv3.ProcessingResponse
	// credential is what the client presented; no record repeats it.
	credential string

	record audit.Exchange
	entry  *Entry
	req    *dialect.Request
	target *Target // that the call goes to, or went to last
	call   provider.Call
	tries  *tries   // nil where there is one target to try
	named  []string // models, by a call of a provider's own API

	status    int // the provider's
	replyHead func(string) string
	zipped    bool // the reply is gzip and taken whole
	firstByte time.Duration
	sentTotal int64
	streamed  keptStream // what is kept of a reply that passes chunk by chunk
	left      time.Time  // when the request went upstream, to one target
	unkept    error      // why a part of the record is missing
	local     []byte     // replaces the body of a reply that Envoy made

	mu       sync.Mutex // guards the following fields
	batches  []func()   // to be called at the end
	released bool       // the end has been
	fetched  []string   // credentials that were fetched and sent: no reply may repeat them
}

// handle answers one message of Envoy's. An error ends the stream, which makes
// Envoy reset the exchange.
func (x *exchange) handle(m *extprocv3.ProcessingRequest) (*extprocv3.ProcessingResponse, error) {
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return x.requestHead(r.RequestHeaders), nil
	case *extprocv3.ProcessingRequest_RequestBody:
		return x.requestBody(r.RequestBody.Body), nil
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return x.responseHead(r.ResponseHeaders), nil
	case *extprocv3.ProcessingRequest_ResponseBody:
		return x.responseBody(r.ResponseBody)
	default:
		return nil, fmt.Errorf("handling a message: kind %T was not asked for", r)
	}
}

// outcome fills what every end of the exchange has in common.
func (x *exchange) outcome(result string, status int, e *dialect.Error) *audit.Outcome {
	now := x.s.Now()
	u := dialect.NoUsage
	if x.call != nil {
		u = x.call.Usage()
	}
	o := &audit.Outcome{
		Time: now, Result: result, Status: status, UpstreamStatus: x.status,
		InputTokens: u.Input, OutputTokens: u.Output, CachedTokens: u.Cached, ReasoningTokens: u.Reasoning,
		CacheWriteTokens: u.CacheWrite, CostNanoUSD: x.cost(u),
		FirstByte: x.firstByte, Duration: since(x.start, now), ResponseBytes: x.sentTotal,
	}
	if e != nil {
		o.Code, o.Message = e.Code, x.words(string(x.kept([]byte(e.Message))))
	}
	switch {
	case x.tries != nil:
		x.tries.tell(o, now)
	case !x.left.IsZero():
		o.Attempts = []audit.Attempt{{
			Target: x.target.Name, Provider: x.target.Provider, Model: x.target.Model,
			Status: x.status, Duration: since(x.left, now),
		}}
		if x.status == 0 {
			o.Attempts[0].Code = o.Code
		}
	}
	return o
}

// cost is what the tokens cost, or audit.Unknown.
func (x *exchange) cost(u dialect.Usage) int64 {
	if x.target == nil || x.s.Cost == nil || u.Input < 0 && u.Output < 0 {
		return audit.Unknown
	}
	if n, ok := x.s.Cost(x.target.Provider, x.target.Model, u); ok {
		return n
	}
	return audit.Unknown
}

// end writes the response half. It returns false when the trail could not take
// it and the reply must not go out.
func (x *exchange) end(o *audit.Outcome, body []byte) bool {
	x.phase = phaseDone
	err := x.unkept
	if err == nil || x.s.ServeUnrecorded {
		err = errors.Join(err, x.s.Trail.End(x.record.ID, o, x.kept(body)))
	}
	if err != nil && !x.s.ServeUnrecorded {
		// Room for an outcome without a body is kept for every exchange that
		// was begun. It says what the client gets in place of the answer.
		failed := *o
		failed.BodyForm, failed.Partial = "", false
		failed.Result, failed.Status, failed.ResponseBytes = audit.ResultGatewayError, http.StatusServiceUnavailable, 0
		failed.Code, failed.Message = dialect.CodeAuditUnavailable, dialect.AuditUnavailable().Message
		if again := x.s.Trail.End(x.record.ID, &failed, nil); again != nil {
			err = errors.Join(err, again)
		}
		o = &failed
	}
	x.count(o)
	return x.recorded(err)
}

// refuse renders an error of the gateway's own as the reply and records the
// exchange in one piece: nothing went upstream.
func (x *exchange) refuse(result string, e *dialect.Error, body []byte) *extprocv3.ProcessingResponse {
	status, ctype, out, headers := dialect.Render(x.route.Dialect, e, x.record.ID)
	o := x.outcome(result, status, e)
	o.ResponseBytes = int64(len(out))
	if !x.recordWhole(o, body) {
		return x.unrecorded()
	}
	return immediate(status, ctype, x.ownHeaders(headers), out)
}

// stranger refuses a request of which nobody knows who has sent it. Where its
// address has sent very many of them it is turned away without a record, so
// that strangers can't fill the trail; who authenticates is never kept waiting.
func (x *exchange) stranger(result string, e *dialect.Error) *extprocv3.ProcessingResponse {
	key := throttle.AddressKey(x.record.ClientAddr)
	if e.Status == http.StatusServiceUnavailable { // the identity provider is away
		key = ""
	}
	wait := x.s.strangers.Wait(key)
	if wait == 0 {
		x.s.strangers.Fail(key)
		return x.refuse(result, e, nil)
	}
	x.phase = phaseDone
	x.s.Metrics.turnedAway.Inc()
	status, ctype, out, headers := dialect.Render(x.route.Dialect, errStranger(wait), x.record.ID)
	return immediate(status, ctype, x.ownHeaders(headers), out)
}

// recordWhole records an exchange of which nothing went upstream, in one
// piece. It returns false when the trail could not take it.
func (x *exchange) recordWhole(o *audit.Outcome, body []byte) bool {
	x.phase = phaseDone
	x.settleRecord()
	err := x.s.Trail.Refuse(&x.record, x.kept(body), o)
	x.count(o)
	return x.recorded(err)
}

// unrecorded is the reply in place of one that may not go out for want of a
// record.
func (x *exchange) unrecorded() *extprocv3.ProcessingResponse {
	status, ctype, out, headers := dialect.Render(x.route.Dialect, dialect.AuditUnavailable(), x.record.ID)
	return immediate(status, ctype, x.ownHeaders(headers), out)
}

// recorded reports whether the exchange may go on after the trail's answer.
func (x *exchange) recorded(err error) bool {
	if err == nil {
		return true
	}
	x.s.Metrics.unwritten.Inc()
	x.s.Log.Error("the trail took no record", zap.String("exchange", x.record.ID), zap.Error(err))
	return x.s.ServeUnrecorded
}

func (x *exchange) count(o *audit.Outcome) {
	x.s.Metrics.ended(x.entry, x.route.Dialect, o)
	if o.Result == audit.ResultAnswered {
		return
	}
	name := "" // the log repeats no name that a client made up
	if x.entry != nil {
		name = x.entry.Endpoint.Name
	}
	x.s.Log.Info("exchange not answered", zap.String("exchange", x.record.ID), zap.String("endpoint", name),
		zap.String("result", o.Result), zap.String("code", o.Code),
		zap.Int("status", o.Status), zap.Int("provider_status", o.UpstreamStatus), zap.Duration("duration", o.Duration))
}

// ownHeaders are on every reply that this server makes or passes on.
// Anthropic's SDKs look for the id under Anthropic's name.
func (x *exchange) ownHeaders(more [][2]string) [][2]string {
	switch x.route.Dialect {
	case dialect.Anthropic:
		more = append(more, [2]string{"request-id", x.record.ID})
	case dialect.Native:
		more = append(more, inert...)
	}
	return append(more, [2]string{"x-request-id", x.record.ID}, [2]string{"cache-control", "no-store"})
}

// close ends an exchange whose stream is over. One that went upstream and has
// no response half yet broke off: the client left, or the provider did.
func (x *exchange) close() {
	defer x.release()
	switch x.phase {
	case phaseUpstream, phaseReply, phaseStream:
	case phaseHead:
		// The client left before its body was whole. Nothing was decided or
		// sent, but who tried is known.
		x.recordWhole(x.outcome(audit.ResultClientGone, 0, nil), nil)
		return
	default:
		return
	}
	result, e := audit.ResultClientGone, (*dialect.Error)(nil)
	if a, ok := x.s.aborts.wait(x.record.ID, x.s.AbortWait); ok {
		result, e = a.verdict()
	}
	status := 0
	if x.phase == phaseStream {
		status = x.status
	}
	o := x.outcome(result, status, e)
	x.end(o, x.streamed.end(x, o, true))
}

// release lets go of what was kept for the exchange elsewhere.
func (x *exchange) release() {
	if x.tries != nil {
		x.s.forget(x.tries)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.released = true
	for _, done := range x.batches {
		done()
	}
}
