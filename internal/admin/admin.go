// Package admin is the control server: everything that Sluice serves over HTTP
// and that is not a call of a model. That is Domino's REST API, Sluice's own,
// MLflow's control plane, OpenAI's list of models, and health. It runs behind
// Envoy on a unix socket and trusts the headers that Envoy sets: X-Request-Id
// (the exchange id) and the last element of X-Forwarded-For.
//
// Every route but the open ones authenticates its caller and asks the policy.
// A failed authentication and a denied call are records of the trail.
//
// An administrative change is made in this order: the change is worked out and
// checked; Envoy is given what it needs to know of it; the event is written to
// the trail; then it is committed and in force. So nothing is in force that is
// not in the trail. If the trail can't take the event the change is refused
// with 503. If the commit fails after the event was written, a second event
// with the same request id and the metadata "outcome": "failed" follows it.
package admin

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/evidence"
	"sluice/internal/identity"
	"sluice/internal/prices"
	"sluice/internal/routing"
	"sluice/internal/scim"
	"sluice/internal/session"
	"sluice/internal/throttle"
	"sluice/internal/usage"
	"sluice/policies"
)

// Policy decides and can be reloaded.
type Policy interface {
	Decide(ctx context.Context, in *policies.Input) (decision.Decision, error)
	DecideEach(ctx context.Context, in *policies.Input, endpoints []*catalog.Endpoint) ([]decision.Decision, error)
	Reload() error
	Status() policies.Status
	Files(bundle string) (files []policies.File, ok bool)
	Check(ctx context.Context) (policies.Report, error)
}

// Trail keeps records and finds them again.
type Trail interface {
	Refuse(x *audit.Exchange, requestBody []byte, o *audit.Outcome) error
	Event(e *audit.Event) error
	Query(ctx context.Context, f audit.Filter, fn func(*audit.Record) error) error
	Export(ctx context.Context, f audit.Filter, render func([]byte, *audit.Record) ([]byte, error), write func([]byte) error) (int, error)
	Lines(ctx context.Context, f audit.Filter, write func([]byte) error) (int, error)
	Count(ctx context.Context, f audit.Filter, most int) (int, error)
	Get(ctx context.Context, id string) (*audit.Record, error)
	Reader(from audit.Mark) (*audit.Reader, error)
	EndMark() audit.Mark
	Healthy() error
	Stats() audit.Stats
	Damaged() []audit.Damage
	Days() []string
	evidence.Source
	AddHold(h audit.Hold, e *audit.Event) error
	RemoveHold(name string, e *audit.Event) error
	SetHolds(list []audit.Hold, e *audit.Event) error
	VerifyWith(ctx context.Context, o audit.VerifyOptions) (audit.Report, error)
	HoldsDoubt() error
	HoldsAltered() error
	Checkpoint() error
	SetSigner(s audit.Signer) error
}

// Usage is what was counted.
type Usage interface {
	Query(ctx context.Context, q usage.Query) (*usage.Answer, error)
	Rebuild() error
	Status() usage.Status
}

// Component is a part of the gateway that can be ready or not.
type Component struct {
	Name  string // e.g. "envoy"
	Ready bool
	// Missing says what is missing while not Ready, in a sentence that
	// anybody may read: no addresses, no paths.
	Missing string
	// Detail is shown to administrators, as JSON. Nil: nothing.
	Detail any
}

// Deps are what the handler works with. All fields are required unless said.
type Deps struct {
	Identity *identity.Store
	Catalog  *catalog.Store
	Policy   Policy
	Trail    Trail
	// Usage answers about usage. Nil: nothing is counted, and asking is a 503.
	Usage Usage
	// ServeUnrecorded goes on when the trail can't be written
	// (audit.on_failure: serve).
	ServeUnrecorded bool
	// Activate tells Envoy what it must know of an endpoint and returns when
	// the endpoint can be called, at once where nothing is new.
	Activate func(ctx context.Context, e *catalog.Endpoint) error
	// CheckHost says why a provider's host may not be called, nil when it may.
	CheckHost func(ctx context.Context, host string) error
	// Probe tries a target (see package probe).
	Probe func(ctx context.Context, t provider.Target, endpointType string) api.TargetTestResult
	// Vault is where keys are kept.
	Vault Vault
	// TrailKeys sign the trail. Nil: it is not signed.
	TrailKeys TrailKeys
	// Sinks are where the trail is streamed to. Nil: nowhere.
	Sinks Sinks
	// Components reports the parts that this package does not know itself.
	Components func() []Component
	// Machine looks at what the gateway runs on and keeps. Nil: nobody does.
	Machine func(ctx context.Context) api.Machine
	// Prices is the table of prices that is shown. Nil: the built-in one.
	Prices *prices.Table
	// Sessions are those of browsers that have signed in to the web UI. Nil:
	// there are none.
	Sessions *session.Manager
	// SCIM keeps what only SCIM knows of users and organizations. Nil: nothing can
	// be provisioned.
	SCIM *scim.Store
	// AdoptBySCIM lets SCIM take over users and organizations that were made by
	// hand.
	AdoptBySCIM bool
	// Registerer takes the metrics of this package. Nil: none.
	Registerer prometheus.Registerer
	// TargetHealth reports the targets that are cooling or failed lately. Nil:
	// none.
	TargetHealth func() []api.TargetHealth
	// SignIn says how people sign in. Nil: with tokens only.
	SignIn func() api.SignIn
	// Settings reports the configuration in force. Nil: none is shown.
	Settings func() api.Settings
	// Stopping is closed when the gateway is to end: replies that would go on end
	// then. Nil: never.
	Stopping <-chan struct{}
	Version  string
	// BodyBytes is the largest body accepted. 0: 4 MiB.
	BodyBytes int64
	Now       func() time.Time
	// NewID makes the exchange id of a request that came without Envoy.
	NewID func() string
	Log   *zap.Logger
}

const (
	defaultBodyBytes = 4 << 20
	// activateTimeout bounds the wait for Envoy within one change.
	activateTimeout = 10 * time.Second
)

type server struct {
	Deps
	followers    followers
	downloads    downloads
	verification verification
	table        routing.Table[route]
	started      time.Time
	// description is the text of GET /api/openapi.json, and its ETag.
	description func() (text []byte, etag string)

	endpoints sync.Mutex // held from the last check of a change to endpoints to its commit
	people    sync.Mutex // the same for users, organizations and tokens

	failures *throttle.Limiter // of tokens that are unknown or malformed, by address
	// strangers are all other failures to authenticate, by address.
	strangers *throttle.Limiter
	slowed    prometheus.Counter // requests that were turned away because of it
}

// New returns the handler.
func New(d Deps) http.Handler {
	if d.BodyBytes == 0 {
		d.BodyBytes = defaultBodyBytes
	}
	if d.Prices == nil {
		var err error
		if d.Prices, err = prices.Load(nil); err != nil {
			panic(err) // the program's own data, which tests read
		}
	}
	if d.TrailKeys == nil {
		d.TrailKeys = unsigned{}
	}
	s := &server{Deps: d, started: d.Now()}
	s.failures, s.slowed = newSlowing(d)
	s.strangers = throttle.Strangers(d.Now)
	routes := s.routes()
	for i := range routes {
		s.table.Add(routes[i].pattern, &routes[i])
	}
	s.description = sync.OnceValues(func() ([]byte, string) {
		text, err := describe(d.Version, routes)
		if err != nil {
			panic(err) // the program's own data, which tests read
		}
		return text, etagOf(string(text))
	})
	return s
}
