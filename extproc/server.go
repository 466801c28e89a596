// Package extproc is the ext_proc server: the state machine that Envoy talks
// to once for each request. It authenticates, finds the endpoint, asks the
// policy, writes the request half of the record, translates and injects the
// credential; and on the way back translates the reply and finishes the record
// before the client has the last byte.
package extproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/throttle"
	"sluice/policies"
	"sluice/xds"
)

// Authenticator tells whom a request's credential stands for.
type Authenticator interface {
	Authenticate(identity.Presented) (*identity.Caller, error)
}

// Policy decides. An error denies.
type Policy interface {
	Decide(ctx context.Context, in *policies.Input) (decision.Decision, error)
}

// Trail keeps records. Each method returns once the record is with the
// operating system.
type Trail interface {
	Begin(x *audit.Exchange, requestBody []byte) error
	End(id string, o *audit.Outcome, responseBody []byte) error
	Refuse(x *audit.Exchange, requestBody []byte, o *audit.Outcome) error
	Part(id, kind string, body []byte) error
}

// Options are what a Server works with. All fields are required unless said.
type Options struct {
	Identity Authenticator
	Policy   Policy
	Trail    Trail
	// ServeUnrecorded answers also when the trail can't be written
	// (audit.on_failure: serve). The default refuses with 503.
	ServeUnrecorded bool
	// Bodies is what records keep of bodies where neither endpoint nor policy want
	// less: one of audit's Bodies constants. Empty: full.
	Bodies string
	// ProviderBodies records what was sent to providers and what they sent.
	ProviderBodies bool
	// StreamEvents records the events of streamed replies beside the message that
	// they make.
	StreamEvents bool
	// BodyBytes bounds what a compressed reply may unpack to. 0: 32 MiB.
	BodyBytes int64
	// Cost is what tokens cost at a provider's model, in 10⁻⁹ US dollars; false
	// where that is not known. Nil: it is never known.
	Cost func(provider, model string, u dialect.Usage) (int64, bool)
	// Batches make several requests of one (see provider.Upstream.Batch). Nil:
	// such calls are refused.
	Batches Batches
	// Random returns a number in [0,1), to share calls among targets. Nil: a
	// random one.
	Random  func() float64
	Metrics *Metrics
	Log     *zap.Logger
	Now     func() time.Time
	// AbortWait is how long the end of an exchange that broke off waits for
	// Envoy's word on who broke it (see Aborts). 0: one second.
	AbortWait time.Duration
}

// Server is Envoy's external processor. Its methods are safe for concurrent use.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	Options
	table   atomic.Pointer[Table]
	limiter limiter
	// strangers are requests that nobody known has sent, by address.
	strangers *throttle.Limiter
	aborts    aborts
	streams   sync.WaitGroup
	open      sync.Map // of the tries under way, by their number as text
	opened    atomic.Uint64
	// obligationTold is the revision of which the log says that its obligation
	// about audit is not known.
	obligationTold atomic.Value
}

// New makes a server with an empty table.
func New(o Options) *Server {
	if o.BodyBytes == 0 {
		o.BodyBytes = 32 << 20
	}
	if o.Bodies == "" {
		o.Bodies = audit.BodiesFull
	}
	if o.AbortWait == 0 {
		o.AbortWait = time.Second
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	s := &Server{Options: o}
	s.limiter.now = o.Now
	s.strangers = throttle.Strangers(o.Now)
	return s
}

// SetTable swaps the endpoints that new requests are served from.
func (s *Server) SetTable(t *Table) { s.table.Store(t) }

// Table returns the endpoints in force.
func (s *Server) Table() *Table { return s.table.Load() }

// Register adds the server's services to a gRPC server.
func (s *Server) Register(g *grpc.Server) {
	extprocv3.RegisterExternalProcessorServer(g, s)
	registerAborts(g, &s.aborts)
}

// Process serves one exchange. Envoy ends the stream by cancelling it, which
// is the normal end; an exchange that is not finished by then broke off.
func (s *Server) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	if stageOf(stream.Context()) == xds.StageUpstream {
		return s.attempt(stream)
	}
	s.streams.Add(1)
	s.Metrics.streams.Inc()
	x := &exchange{s: s, ctx: stream.Context()}
	defer func() {
		x.close()
		s.Metrics.streams.Dec()
		s.streams.Done()
	}()
	for {
		req, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
				return nil
			}
			return err
		}
		resp, err := x.guarded(req)
		if err != nil {
			s.Log.Error("exchange aborted", zap.String("exchange", x.record.ID), zap.Error(err))
			return status.Error(codes.Internal, "exchange aborted")
		}
		if err := stream.Send(resp); err != nil {
			return nil // Envoy has gone; close says what became of the exchange
		}
	}
}

// errPanic ends the exchange in which the program met a mistake of its own.
var errPanic = errors.New("a panic in the gateway")

// guarded is handle, but for a panic, which ends this exchange only: one body
// that nobody has foreseen must not end the answers of all others.
func (x *exchange) guarded(req *extprocv3.ProcessingRequest) (_ *extprocv3.ProcessingResponse, err error) {
	defer func() {
		if v := recover(); v != nil {
			// Not the value: it may hold what a client or a provider sent.
			x.s.Log.Error("panic in an exchange", zap.String("exchange", x.record.ID),
				zap.String("type", fmt.Sprintf("%T", v)), zap.ByteString("stack", debug.Stack()))
			err = errPanic
			x.broken()
		}
	}()
	return x.handle(req)
}

// broken records an exchange that a panic ended. What the provider said of
// tokens is left out: it may be what can't be read.
func (x *exchange) broken() {
	x.call = nil
	switch o := x.outcome(audit.ResultGatewayError, 0, dialect.Internal()); x.phase {
	case phaseHead:
		x.recordWhole(o, nil)
	case phaseUpstream, phaseReply, phaseStream:
		x.end(o, nil)
	}
}

// Wait returns when no exchange is open any more.
func (s *Server) Wait() { s.streams.Wait() }
