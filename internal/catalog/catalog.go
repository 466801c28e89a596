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
}

// Target is one provider, model and credential behind an endpoint.
type Target struct {
	Provider string            `json:"provider"` // canonical provider id, e.g. "openai"
	Model    string            `json:"model"`    // the provider's name of the model
	Config   map[string]string `json:"config"`   // parameters that are not secret
	Secrets  Secrets           `json:"-"`        // opened credentials, in memory only
	// Unreadable names the credentials that are stored but that the vault
	// can't open. Setting one in Secrets replaces it; taking its name away
	// from Unreadable deletes it.
	Unreadable []string `json:"unreadable,omitempty"`
}

// Parameters returns the parameters with the opened credentials among them, in
// a new map: what a call needs, so never log or marshal it.
func (t Target) Parameters() map[string]string {
	all := make(map[string]string, len(t.Config)+len(t.Secrets))
	for k, v := range t.Config {
		all[k] = v
	}
	for k, v := range t.Secrets {
		all[k] = v
	}
	return all
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
	ID          string // 24 hex digits
	Name        string // unique, matches NamePattern
	Type        EndpointType
	Target      Target
	Limit       *Limit // nil: none
	Permissions Permissions
	Created     time.Time
	Updated     time.Time
	// Problem is why the endpoint can't be called at the moment, as a
	// sentence for its callers (503); "" when it can. The store sets it.
	Problem string

	memo *decision.Memo[Endpoint]
}

// Memo returns what build makes of the endpoint, remembered for an endpoint of
// a snapshot (see decision.Memo).
func (e *Endpoint) Memo(build func(*Endpoint) any) any { return e.memo.For(e, build) }

// Shared reports whether the endpoint belongs to a snapshot, and so never changes:
// its address stands for its content for as long as it is held.
func (e *Endpoint) Shared() bool { return e.memo.Of(e) }

// NamePattern is what an endpoint's name must match, MLflow's own rule.
const NamePattern = `^[a-zA-Z0-9_\-.]+$`
