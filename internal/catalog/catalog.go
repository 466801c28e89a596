// Package catalog keeps endpoints: what they are called, which model they
// reach, with which parameters and keys, and who may use them. State is in
// SQLite, credentials sealed by the vault; readers work on an immutable
// snapshot that is swapped whole.
package catalog

import (
	"errors"
	"time"

	"sluice/internal/decision"
)

// EndpointType is what an endpoint answers, in MLflow's words.
type EndpointType string

// The endpoint types of MLflow's Deployments Server.
const (
	TypeChat        EndpointType = "llm/v1/chat"
	TypeCompletions EndpointType = "llm/v1/completions"
	TypeEmbeddings  EndpointType = "llm/v1/embeddings"
)

// Errors of the store. They are wrapped with the name and what to do; what is
// ErrInvalid is a *FieldError that names the field.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("invalid")
)

// Permissions say who may call an endpoint. An empty value lets nobody in.
type Permissions struct {
	Everyone      bool     `json:"isEveryoneAllowed"`
	Users         []string `json:"userIds"`         // user ids
	Organizations []string `json:"organizationIds"` // organization ids
	Roles         []string `json:"roles,omitempty"`
	Projects      []string `json:"projects,omitempty"`
	// Owners are ids of users and organizations that may change the endpoint.
	// Being one lets nobody call it.
	Owners []string `json:"ownerIds,omitempty"`
}

// Limit is MLflow's rate limit of an endpoint: Calls in each Period.
type Limit struct {
	Calls  int64  `json:"calls"`
	Key    string `json:"key,omitempty"`  // carried, as MLflow does, and not interpreted
	Period string `json:"renewal_period"` // e.g. "minute", "5 minutes"
}

// Endpoint is a named, permissioned way to reach a model. An Endpoint in a
// snapshot is shared and must not be changed.
type Endpoint struct {
	ID   string // 24 hex digits
	Name string // unique, matches NamePattern
	Type EndpointType
	// Targets are what is behind it: one to MaxTargets, sorted by Order, then
	// Name.
	Targets []Target
	// HeadTimeout is how long a target may take until the head of its reply
	// before the next one is tried. 0: no limit of its own. It says nothing
	// where an endpoint has one target.
	HeadTimeout time.Duration
	Limit       *Limit // nil: none
	// Description tells people what it is for: plain text, up to
	// MaxDescription characters.
	Description string
	Disabled    bool // every call is refused, and all else stays
	// AuditBodies is the most that the trail keeps of the bodies of its calls: ""
	// (what the installation says), "redacted" or "none".
	AuditBodies string
	Permissions Permissions
	Created     time.Time
	Updated     time.Time
	// Problem is why the endpoint can't be called at the moment, as a
	// sentence for its callers (503); "" when at least one target can be. The
	// store sets it.
	Problem string

	memo *decision.Memo[Endpoint]
}

// Memo returns what build makes of the endpoint, remembered for an endpoint of
// a snapshot (see decision.Memo).
func (e *Endpoint) Memo(build func(*Endpoint) any) any { return e.memo.For(e, build) }

// Shared reports whether the endpoint belongs to a snapshot, and so never changes:
// its address stands for its content for as long as it is held.
func (e *Endpoint) Shared() bool { return e.memo.Of(e) }

// MaxDescription bounds an endpoint's description, in characters.
const MaxDescription = 2000

// NamePattern is what an endpoint's name must match, MLflow's own rule.
const NamePattern = `^[a-zA-Z0-9_\-.]+$`
