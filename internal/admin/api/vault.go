package api

import "time"

// VaultPart is the state of one vault. No part of it is secret.
type VaultPart struct {
	Kind string `json:"kind"` // local, aws-kms or aws-secrets-manager
	// Key names what seals: the id of the primary key of a keyset, the ARN of a
	// KMS key, or the names of secrets.
	Key        string `json:"key,omitempty"`
	Region     string `json:"region,omitempty"`
	Passphrase bool   `json:"passphrase,omitempty"` // a local keyset is encrypted with one
	// Failing: the last that the vault was asked for failed. What is in memory
	// goes on.
	Failing     bool       `json:"failing"`
	LastSuccess *time.Time `json:"lastSuccess,omitempty"`
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
}

// Vault is the state of the vault that seals, of those before it, and of the
// values.
type Vault struct {
	VaultPart
	Previous []VaultPart    `json:"previous"`
	Values   map[string]int `json:"values"` // how many values each kind of vault sealed
	// Other is how many values the present vault did not seal: what a migration
	// moves.
	Other int `json:"other"`
	// Waiting is how many targets and credentials have values that the vault
	// does not open at the moment; the gateway tries again by itself.
	Waiting  int       `json:"waiting"`
	Removals int       `json:"removals"` // secrets that are to be deleted in AWS
	Job      *VaultJob `json:"job,omitempty"`
}

// Kinds of VaultJob.
const (
	VaultMigrate = "migrate"
	VaultRotate  = "rotate"
)

// VaultJob is the last migration or rotation since the gateway's start.
type VaultJob struct {
	Kind    string     `json:"kind"`
	Running bool       `json:"running"`
	Done    int        `json:"done"` // targets, credentials and keys of the trail, of Total
	Total   int        `json:"total"`
	Left    int        `json:"left"` // of Done, those with values that could not be opened and stay as they are
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	Error   string     `json:"error,omitempty"` // why it ended early; run it again to do the rest
}

// VaultMigration asks for all values to be moved to the vault that seals. To is
// its kind, as a check that the gateway is configured for it.
type VaultMigration struct {
	To string `json:"to"`
}
