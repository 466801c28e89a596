package policies

import (
	"context"
	"time"

	"go.uber.org/zap"

	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// Resources of the REST API, for Input.Resource.
const (
	ResourceEndpoints     = "endpoints"
	ResourcePermissions   = "permissions"
	ResourceAudit         = "audit"
	ResourceTokens        = "tokens"
	ResourceUsers         = "users"
	ResourceOrganizations = "organizations"
	ResourcePolicies      = "policies"
	ResourceStatus        = "status"
)

// Verbs of the REST API, for Input.Verb.
const (
	VerbList   = "list"
	VerbRead   = "read"
	VerbCreate = "create"
	VerbUpdate = "update"
	VerbDelete = "delete"
)

// Obligations["scope"] of an allowed ActionAPI decision: what the reply may
// cover. The handler must hold to it.
const (
	ObligationScope = "scope"
	ScopeAll        = "all"       // everything
	ScopePermitted  = "permitted" // endpoints for which ActionView is allowed
	ScopeOwn        = "own"       // what belongs to the caller's own user
)

// Input is one question to the policy.
type Input struct {
	Action        string
	Caller        *identity.Caller
	Endpoint      *catalog.Endpoint
	Request       *RequestFacts
	Resource      string
	Verb          string
	Name          string
	SourceAddress string
	Time          time.Time
}

// RequestFacts is what the policy may know of a call's body.
type RequestFacts struct {
	Dialect, Operation string
	Stream             bool
	MaxTokens          int64
	Tools              []string
	BodyBytes          int
}

// Source is one bundle. Dir "" is the bundle built into the program.
type Source struct{ Name, Dir string }

// Options configure New.
type Options struct {
	Sources    []Source
	Log        *zap.Logger
	Now        func() time.Time
	OnActivate func(Status)
	// AllowNetwork lets bundles use http.send and the like.
	AllowNetwork bool
}

// BundleStatus is one bundle in force.
type BundleStatus struct {
	Name     string `json:"name"`
	Source   string `json:"source"`
	Revision string `json:"revision"`
	Files    int    `json:"files"`
}

// Status says which bundles are in force, and whether a newer one was refused.
type Status struct {
	Bundles     []BundleStatus `json:"bundles"`
	Revision    string         `json:"revision"`
	Previous    string         `json:"previous,omitempty"`
	LoadedAt    time.Time      `json:"loadedAt"`
	LastError   string         `json:"lastError,omitempty"`
	LastErrorAt *time.Time     `json:"lastErrorAt,omitempty"`
}

// Report is what Check found.
type Report struct {
	Bundles  []BundleStatus `json:"bundles"`
	Revision string         `json:"revision"`
	Tests    []TestResult   `json:"tests"`
	Passed   int            `json:"passed"`
	Failed   int            `json:"failed"`
	Skipped  int            `json:"skipped"`
	Coverage float64        `json:"coverage"` // percent of the rules' lines that tests ran
}

// TestResult is one test of a bundle.
type TestResult struct {
	Name     string        `json:"name"`
	Location string        `json:"location"` // file:line
	Outcome  string        `json:"outcome"`  // passed, failed, skipped
	Message  string        `json:"message,omitempty"`
	Duration time.Duration `json:"duration"`
}

// Engine decides.
type Engine struct{}

func New(opts Options) (*Engine, error) { panic("skeleton") }
func (e *Engine) Decide(ctx context.Context, in *Input) (decision.Decision, error) {
	panic("skeleton")
}
func (e *Engine) Reload() error                   { panic("skeleton") }
func (e *Engine) Watch(ctx context.Context) error { panic("skeleton") }
func (e *Engine) Status() Status                  { panic("skeleton") }

// Check compiles the bundles together and runs their tests; "" is the built-in bundle.
func Check(ctx context.Context, dirs ...string) (Report, error) { panic("skeleton") }
