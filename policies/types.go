package policies

import (
	"time"

	"go.uber.org/zap"

	"sluice/internal/catalog"
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
	ResourceCredentials   = "credentials"
	ResourceUsage         = "usage"
	ResourceSessions      = "sessions"
	ResourceSettings      = "settings"
	ResourceSinks         = "sinks"        // of the audit trail
	ResourceProvisioning  = "provisioning" // users and organizations, by SCIM
	ResourceHolds         = "holds"        // which keep days of the trail
	ResourceEvidence      = "evidence"     // days of the trail as files
)

// Verbs of the REST API, for Input.Verb.
const (
	VerbList   = "list"
	VerbRead   = "read"
	VerbCreate = "create"
	VerbUpdate = "update"
	VerbDelete = "delete"
)

// ObligationScope is the obligation of an allowed ActionAPI decision that says
// what the request may touch. Whoever asked must hold to it.
const (
	ObligationScope = "scope"
	ScopeAll        = "all"       // everything
	ScopePermitted  = "permitted" // endpoints for which ActionView is allowed
	ScopeOwned      = "owned"     // endpoints of which the caller, or an organization of his, is an owner
	ScopeOwn        = "own"       // what belongs to the caller's own user
)

// CodePolicyError is the code of the denial where the policy gave no usable
// answer: an error, no time left, nothing, or something of another shape.
const CodePolicyError = "policy_error"

// Input is one question to the policy. The caller and the endpoint must not be
// changed as long as the question is asked.
type Input struct {
	Action   string            // ActionInvoke, ActionView or ActionAPI
	Caller   *identity.Caller  // nil: nobody has signed in
	Endpoint *catalog.Endpoint // what is called or seen; for ActionAPI, where one is named
	Request  *RequestFacts     // for ActionInvoke
	// Resource, Verb and Name say what is asked of the REST API. Name is the
	// thing's name or id, "" for none.
	Resource, Verb, Name string
	SourceAddress        string    // the client's IP address
	Time                 time.Time // zero: now; also what time.now_ns() says
}

// RequestFacts is what the policy may know of a call.
type RequestFacts struct {
	Dialect, Operation string // in the words of extproc/dialect
	Stream             bool
	MaxTokens          int64 // 0: not given
	Tools              []string
	BodyBytes          int
	Native             *NativeFacts // of a call of the provider's own API; else nil
}

// NativeFacts say what a call of the provider's own API asks for.
type NativeFacts struct {
	Method string
	Path   string // below the API's root, without query
	// Models are those that path, query and body name.
	Models []string
	// Unnamed: there is a body, and nothing tells which model it runs.
	Unnamed bool
}

// Source is one bundle.
type Source struct {
	Name string
	Dir  string // "": the bundle that is built in
}

// Options configure New.
type Options struct {
	Sources []Source // none: the bundle that is built in
	Log     *zap.Logger
	Now     func() time.Time // nil: time.Now
	// OnActivate is called when other bundle content has come into force, at
	// the first load too. It must not call Reload.
	OnActivate func(Status)
	// OnRefuse is called with why what is in the sources can't come into force;
	// not at the first load, and not again while the reason is the same. It must
	// not call Reload.
	OnRefuse func(Status, error)
	// AllowNetwork lets bundles use the functions that reach out of the
	// process: http.send, net.lookup_ip_addr, opa.runtime.
	AllowNetwork bool
	// Timeout bounds one decision; 0: 1 s.
	Timeout time.Duration
}

// BundleStatus is one bundle in force.
type BundleStatus struct {
	Name     string `json:"name"`
	Source   string `json:"source"`   // "built in" or "dir:…"
	Revision string `json:"revision"` // hash of its content
	Files    int    `json:"files"`    // tests not counted
}

// Status says which bundles are in force, and whether newer ones were refused.
type Status struct {
	Bundles     []BundleStatus `json:"bundles"`
	Revision    string         `json:"revision"`           // hash of all content in force
	Previous    string         `json:"previous,omitempty"` // the revision before this
	LoadedAt    time.Time      `json:"loadedAt"`
	LastError   string         `json:"lastError,omitempty"` // why the newest content is not in force
	LastErrorAt *time.Time     `json:"lastErrorAt,omitempty"`
}

// Report is what Check found.
type Report struct {
	Bundles   []BundleStatus `json:"bundles"`
	Revision  string         `json:"revision"`
	Tests     []TestResult   `json:"tests"`
	Passed    int            `json:"passed"`
	Failed    int            `json:"failed"`
	Skipped   int            `json:"skipped"`
	Coverage  float64        `json:"coverage"`  // percent of the lines that tests ran
	Uncovered []string       `json:"uncovered"` // file:line of those that no test ran
}

// TestResult is one test of a bundle.
type TestResult struct {
	Name     string        `json:"name"`     // package and rule
	Location string        `json:"location"` // file:line
	Outcome  string        `json:"outcome"`  // "passed", "failed" or "skipped"
	Message  string        `json:"message,omitempty"`
	Duration time.Duration `json:"duration"`
}
