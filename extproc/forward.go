package extproc

import (
	"context"
	"net/http"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/audit"
	"sluice/xds"
)

// Batches makes the requests of a batch, of which a client asked in one.
type Batches interface {
	// Add takes a batch and returns the upstream that answers for it, and the
	// request that asks there. sign adds what one of the requests authenticates
	// with. The batch is forgotten when done is called.
	Add(up provider.Upstream, at xds.Upstream, sign func(ctx context.Context, up *provider.Upstream) error) (
		to xds.Upstream, ask provider.Upstream, done func())
	// At is the upstream that answers for every batch.
	At() xds.Upstream
}

func (x *exchange) env() provider.Env {
	return provider.Env{Now: x.s.Now, ExchangeID: x.record.ID}
}

// choose plans the call: the targets in the order in which they are tried,
// without those that can't express it. The error is the first target's.
func (x *exchange) choose() ([]try, *dialect.Error) {
	session := header(x.head, SessionHeader)
	if session != "" {
		session = x.record.Caller.UserID + "/" + session
	}
	plan := x.entry.plan(x.start, session, x.s.Random)
	if len(plan) == 0 {
		return nil, errEndpointUnavailable(x.entry.Endpoint.Name)
	}
	if x.route.Dialect == dialect.Native {
		return x.chooseNative(plan)
	}
	var first *dialect.Error
	list := make([]try, 0, len(plan))
	for _, t := range plan {
		a := try{target: t, upstream: t.Upstream}
		// What one target of a provider can express, the others can too: they
		// are translated for when their turn comes.
		if len(list) == 0 || t.Provider != list[0].target.Provider || x.req.Operation == dialect.Embeddings {
			call, e := provider.Open(t.Target, x.req, x.env())
			if e == nil && len(call.Upstream().Batch) > maxBatch {
				e = dialect.InvalidField("input", "holds more than 2048 texts. Send fewer.")
			}
			if e != nil {
				if first == nil {
					first = e
				}
				continue
			}
			a.call = call
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, first
	}
	return list, nil
}

// forward writes the request half and hands the provider's request to Envoy.
func (x *exchange) forward(call provider.Call, body []byte) *extprocv3.ProcessingResponse {
	up, to, e := x.prepare(x.ctx, x.target, call)
	if e != nil {
		return x.refuse(audit.ResultGatewayError, e, body)
	}
	if !x.begin(body) {
		return x.unrecorded()
	}
	x.call, x.left = call, x.s.Now()
	if err := x.sentUpstream(x.target, call); err != nil && !x.recorded(err) {
		x.left = time.Time{}
		x.end(x.outcome(audit.ResultGatewayError, http.StatusServiceUnavailable, dialect.AuditUnavailable()), nil)
		return x.unrecorded()
	}
	c := &extprocv3.CommonResponse{HeaderMutation: x.upstreamHeaders(up, to.Key()), ClearRouteCache: true}
	if !x.bare || len(up.Body) > 0 {
		c.BodyMutation = replaceBody(up.Body)
	}
	return x.proceed(c)
}

// begin writes the request half, and reports whether the request may leave.
func (x *exchange) begin(body []byte) bool {
	x.settleRecord()
	x.phase = phaseUpstream
	if err := x.s.Trail.Begin(&x.record, x.kept(body)); !x.recorded(err) {
		x.phase = phaseDone
		return false
	}
	return true
}

// maxBatch is how many requests one of a client's may become: as many texts as
// OpenAI takes at once.
const maxBatch = 2048

// placeholder is the body of a call with several targets on its way to the
// upstream stage, which has the client's own and replaces it.
var placeholder = []byte("{}")

// forwardToSeveral writes the request half and has Envoy try the targets in
// turn. Each attempt is given its request by the upstream stage.
func (x *exchange) forwardToSeveral(list []try, body []byte) *extprocv3.ProcessingResponse {
	order := make([]xds.Upstream, len(list))
	for i := range list {
		if list[i].call != nil && len(list[i].call.Upstream().Batch) > 0 && x.s.Batches != nil {
			list[i].upstream = x.s.Batches.At()
		}
		list[i].upstream = staged(list[i].upstream)
		order[i] = list[i].upstream
	}
	if !x.begin(body) {
		return x.unrecorded()
	}
	x.tries = x.s.remember(x, list)
	group := xds.Group{Attempts: len(list), HeadTimeout: x.entry.Endpoint.HeadTimeout}
	r := x.proceed(&extprocv3.CommonResponse{
		HeaderMutation: x.upstreamHeaders(provider.Upstream{
			Method: "POST", Path: "/", Body: placeholder, Headers: [][2]string{{"content-type", dialect.ContentTypeJSON}},
		}, group.Key()),
		BodyMutation:    replaceBody(placeholder),
		ClearRouteCache: true,
	})
	r.DynamicMetadata = xds.Metadata(order, x.tries.number)
	return r
}

// prepare makes a target's request ready to leave, and says where it goes.
func (x *exchange) prepare(ctx context.Context, t *Target, call provider.Call) (provider.Upstream, xds.Upstream, *dialect.Error) {
	up := call.Upstream()
	if len(up.Batch) == 0 {
		e := x.authorize(ctx, t, &up) // before up is read: Go leaves the order open within a return
		return up, t.Upstream, e
	}
	if x.s.Batches == nil {
		return up, t.Upstream, dialect.Internal()
	}
	to, ask, done := x.s.Batches.Add(up, t.Upstream, func(ctx context.Context, one *provider.Upstream) error {
		if e := x.authorize(ctx, t, one); e != nil {
			return e
		}
		return nil
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.released { // the client has gone while an attempt began
		done()
		return up, t.Upstream, dialect.Internal()
	}
	x.batches = append(x.batches, done)
	return ask, to, nil
}

// authorize adds what the target authenticates with besides parameters.
func (x *exchange) authorize(ctx context.Context, t *Target, up *provider.Upstream) *dialect.Error {
	if t.Auth == nil {
		return nil
	}
	if err := t.Auth.Authorize(ctx, up, t.Upstream.HostHeader()); err != nil {
		x.s.Log.Warn("a target has no credential", zap.String("exchange", x.record.ID),
			zap.String("endpoint", x.entry.Endpoint.Name), zap.String("target", t.Name), zap.Error(err))
		return errNoCredential()
	}
	x.leaving(up.Headers)
	return nil
}

// upstreamHeaders is the whole set of changes that turn the client's head into
// the provider's: the client's own headers go, the provider's come.
func (x *exchange) upstreamHeaders(up provider.Upstream, route string) *extprocv3.HeaderMutation {
	set := make([]*corev3.HeaderValueOption, 0, len(up.Headers)+4)
	set = append(set, setHeader(xds.RouteHeader, route), setHeader(":path", up.Path))
	if up.Method != x.record.Method {
		set = append(set, setHeader(":method", up.Method))
	}
	if !x.bare || len(up.Body) > 0 {
		// Envoy refuses a body whose length is not the one that the head says.
		set = append(set, setHeader("content-length", strconv.Itoa(len(up.Body))))
	}
	for _, h := range up.Headers {
		set = append(set, setHeader(h[0], h[1]))
	}
	remove := x.headers[:0]
	for _, name := range x.headers {
		if !kit.HasHeader(up.Headers, name) {
			remove = append(remove, name)
		}
	}
	return &extprocv3.HeaderMutation{SetHeaders: set, RemoveHeaders: remove}
}
