// Package identity knows callers: users, their organizations and roles, and
// the API tokens they present. State is in SQLite; readers work on an
// immutable snapshot that is swapped whole, so that authenticating a request
// takes no lock and no query.
package identity

import (
	"errors"
	"time"

	"sluice/internal/decision"
)

// Roles that the default policies know.
const (
	RoleAdministrator = "administrator"
	RoleAuditor       = "auditor"
)

// Errors of authentication. Each maps to 401 and to a stable code (see Code).
// None carries any part of the credential.
var (
	ErrNoCredential        = errors.New("no credential was presented")
	ErrAmbiguousCredential = errors.New("more than one credential was presented")
	ErrMalformedToken      = errors.New("the token is malformed")
	ErrUnknownToken        = errors.New("the token is not known")
	ErrExpiredToken        = errors.New("the token has expired")
	ErrRevokedToken        = errors.New("the token was revoked")
	ErrDisabledUser        = errors.New("the user is disabled")
)

// Errors of the store.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("invalid")
)

// Caller is who is asking. A Caller in a snapshot is shared and must not be
// changed.
type Caller struct {
	UserID        string   `json:"userId"`                  // 24 hex digits
	UserName      string   `json:"userName"`                // unique, as people type it
	Organizations []string `json:"organizations,omitempty"` // ids, sorted
	Roles         []string `json:"roles,omitempty"`         // sorted
	Project       string   `json:"project,omitempty"`       // what the token is bound to
	Execution     string   `json:"execution,omitempty"`     // workspace or run the token is bound to
	TokenID       string   `json:"tokenId,omitempty"`       // 24 hex digits
	TokenName     string   `json:"tokenName,omitempty"`
	Credential    string   `json:"credential,omitempty"` // what was presented: CredentialToken …

	memo *decision.Memo[Caller]
}

// Memo returns what build makes of the caller, remembered for a caller of a
// snapshot (see decision.Memo).
func (c *Caller) Memo(build func(*Caller) any) any { return c.memo.For(c, build) }

// Shared reports whether the caller belongs to a snapshot, and so never changes:
// its address stands for its content for as long as it is held.
func (c *Caller) Shared() bool { return c.memo.Of(c) }

// HasRole reports whether the caller has the role.
func (c *Caller) HasRole(role string) bool {
	for _, r := range c.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// User is a person or a machine that calls.
type User struct {
	ID       string    `json:"id"` // 24 hex digits
	Name     string    `json:"userName"`
	FullName string    `json:"fullName,omitempty"`
	Email    string    `json:"email,omitempty"`
	Roles    []string  `json:"roles"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
}

// Organization is a group of users that permissions can name by its id.
type Organization struct {
	ID      string    `json:"id"` // 24 hex digits
	Name    string    `json:"name"`
	Members []string  `json:"members"` // user ids, sorted
	Created time.Time `json:"created"`
}

// Token is what is kept of an API token: never the token itself, only the
// SHA-256 of it.
type Token struct {
	ID        string     `json:"id"` // 24 hex digits
	Name      string     `json:"name"`
	UserID    string     `json:"userId"`
	Project   string     `json:"project,omitempty"`
	Execution string     `json:"execution,omitempty"`
	Created   time.Time  `json:"created"`
	Expires   *time.Time `json:"expires,omitempty"` // nil: does not expire
	Revoked   *time.Time `json:"revoked,omitempty"`
	Hash      [32]byte   `json:"-"`
}
