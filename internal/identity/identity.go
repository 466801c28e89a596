// Package identity knows callers: users, their organizations and roles, and
// the API tokens they present. State is in SQLite; readers work on an
// immutable snapshot that is swapped whole, so that authenticating a request
// takes no lock and no query.
package identity

import (
	"errors"
	"net/netip"
	"time"

	"sluice/internal/decision"
)

// Roles that the default policies know.
const (
	RoleAdministrator = "administrator"
	RoleAuditor       = "auditor"
	RoleEndpointOwner = "endpoint-owner" // may create endpoints, of which the user is the first owner
	RoleProvisioner   = "provisioner"    // the company's directory, which keeps users by SCIM
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
	ErrWrongNetwork        = errors.New("the token is not taken from this network address")
	ErrDisabledUser        = errors.New("the user is disabled")
)

// Errors of the store. What is ErrInvalid is a *FieldError.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("invalid")
)

// Kinds of users.
const (
	KindPerson         = "person"
	KindServiceAccount = "service-account"
)

// Sources of users, organizations, memberships and roles. What one source gave
// the others leave alone.
const (
	SourceManual = "manual" // an administrator, by hand
	SourceClaims = "claims" // the tokens of an identity provider
	SourceSCIM   = "scim"
)

// Roles of members in an organization.
const (
	MemberRoleMember = "member"
	MemberRoleAdmin  = "admin" // may change the organization's members
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

	endpointIDs []string
	bound       bool
	memo        *decision.Memo[Caller]
}

// EndpointIDs are the only endpoints that the caller's token may call or see,
// sorted; none: all that the user may. The policy engine holds the caller to it.
// Records name the token, not these.
func (c *Caller) EndpointIDs() []string { return c.endpointIDs }

// Bound reports whether the caller's token is bound to a project, an execution,
// endpoints or networks. Such a token must not be exchanged for something that
// is bound to less, for example a session of its user.
func (c *Caller) Bound() bool { return c.bound }

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
	ID       string   `json:"id"` // 24 hex digits
	Name     string   `json:"userName"`
	FullName string   `json:"fullName,omitempty"`
	Email    string   `json:"email,omitempty"`
	Kind     string   `json:"kind"`   // KindPerson, the default, or KindServiceAccount
	Source   string   `json:"source"` // who made the user: SourceManual, the default …
	Roles    []string `json:"roles"`
	// GivenRoles are those of Roles that claims or SCIM gave, by role.
	GivenRoles map[string]string `json:"givenRoles,omitempty"`
	// Subject is the user at the identity provider: issuer, space, subject. "":
	// no token of the provider stands for the user.
	Subject  string    `json:"subject,omitempty"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
}

// Organization is a group of users that permissions can name by its id.
type Organization struct {
	ID      string    `json:"id"` // 24 hex digits
	Name    string    `json:"name"`
	Source  string    `json:"source"`  // who made it: SourceManual, the default …
	Members []Member  `json:"members"` // by user id
	Created time.Time `json:"created"`
}

// Member is a user's place in an organization.
type Member struct {
	UserID string `json:"userId"`
	Role   string `json:"role"`   // MemberRoleMember, the default, or MemberRoleAdmin
	Source string `json:"source"` // who made the user a member: SourceManual, the default …
}

// Members are plain members with the ids, made by hand.
func Members(userIDs ...string) []Member {
	out := make([]Member, len(userIDs))
	for i, id := range userIDs {
		out[i] = Member{UserID: id, Role: MemberRoleMember, Source: SourceManual}
	}
	return out
}

// Member returns the place of a user, if he is a member.
func (o *Organization) Member(userID string) (Member, bool) {
	i, found := findMember(o.Members, userID)
	if !found {
		return Member{}, false
	}
	return o.Members[i], true
}

// MemberIDs lists the ids of the members, sorted.
func (o *Organization) MemberIDs() []string {
	ids := make([]string, len(o.Members))
	for i, m := range o.Members {
		ids[i] = m.UserID
	}
	return ids
}

// Token is what is kept of an API token: never the token itself, only the
// SHA-256 of it.
type Token struct {
	ID        string `json:"id"` // 24 hex digits
	Name      string `json:"name"`
	UserID    string `json:"userId"`
	Project   string `json:"project,omitempty"`
	Execution string `json:"execution,omitempty"`
	// EndpointIDs are the only endpoints that the token is good for, sorted;
	// none: all that its user may use.
	EndpointIDs []string `json:"endpointIds,omitempty"`
	// Networks are the only addresses that the token is taken from, sorted; none:
	// any.
	Networks []netip.Prefix `json:"networks,omitempty"`
	Created  time.Time      `json:"created"`
	Expires  *time.Time     `json:"expires,omitempty"` // nil: does not expire
	Revoked  *time.Time     `json:"revoked,omitempty"`
	Hash     [32]byte       `json:"-"`
}
