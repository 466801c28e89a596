package api

import "time"

// Kinds of User.
const (
	KindPerson         = "person"
	KindServiceAccount = "service-account"
)

// Sources say who fills in a user or a membership: an administrator by hand,
// the claims of the company's identity provider, or SCIM. What one source gave
// the others leave alone.
const (
	SourceManual = "manual"
	SourceClaims = "claims"
	SourceSCIM   = "scim"
)

// User is a person or a service account.
type User struct {
	ID              string     `json:"id"`
	UserName        string     `json:"userName"`
	FullName        string     `json:"fullName"`
	Email           string     `json:"email"`
	Kind            string     `json:"kind"`   // KindPerson or KindServiceAccount
	Source          string     `json:"source"` // who made the user
	Roles           []string   `json:"roles"`
	OrganizationIDs []string   `json:"organizationIds"`
	Disabled        bool       `json:"disabled"`
	Created         time.Time  `json:"created"`
	LastSeen        *time.Time `json:"lastSeen,omitempty"` // last authenticated request, to the minute; nil: never
}

// NewUser asks for a user. UserName is required. Kind is KindPerson where it is
// empty.
type NewUser struct {
	UserName string   `json:"userName"`
	FullName string   `json:"fullName,omitempty"`
	Email    string   `json:"email,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// UserPatch changes a user; fields that are nil keep what is stored.
type UserPatch struct {
	UserName *string   `json:"userName,omitempty"`
	FullName *string   `json:"fullName,omitempty"`
	Email    *string   `json:"email,omitempty"`
	Roles    *[]string `json:"roles,omitempty"`
	Disabled *bool     `json:"disabled,omitempty"`
}

// UserList is a page of users.
type UserList struct {
	Users    []User   `json:"users"`
	Metadata Metadata `json:"metadata"`
}

// Self is who the token belongs to, and what it is bound to.
type Self struct {
	User
	// Credential is how the caller has signed in: "token", "jwt", "certificate"
	// or "session".
	Credential string `json:"credential"`
	TokenID    string `json:"tokenId,omitempty"`
	TokenName  string `json:"tokenName,omitempty"`
	Project    string `json:"project,omitempty"`
	Execution  string `json:"execution,omitempty"`
}

// Roles of a member in an organization. An organization's admin may change its
// members.
const (
	MemberRoleMember = "member"
	MemberRoleAdmin  = "admin"
)

// Member is a user's place in an organization.
type Member struct {
	UserID   string `json:"userId"`
	UserName string `json:"userName"`
	Role     string `json:"role"`   // MemberRoleMember or MemberRoleAdmin
	Source   string `json:"source"` // who made the user a member
}

// Organization is a group of users. MemberDetails says more of each member, and
// is there where one organization is read, not in lists.
type Organization struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Source        string    `json:"source"`
	MemberCount   int       `json:"memberCount"`
	Members       []string  `json:"members"` // user ids
	MemberDetails []Member  `json:"memberDetails,omitempty"`
	Created       time.Time `json:"created"`
}

// NewOrganization asks for an organization. Name is required.
type NewOrganization struct {
	Name    string   `json:"name"`
	Members []string `json:"members,omitempty"`
}

// MemberRole is the body of a change of one member. Role "" keeps a present
// member's role and makes a new one a plain member.
type MemberRole struct {
	Role string `json:"role,omitempty"` // MemberRoleMember or MemberRoleAdmin
}

// MembersPatch changes several members of an organization, all or none. Users
// are named by id or name; Remove is done first.
type MembersPatch struct {
	Set    []MemberChange `json:"set,omitempty"`
	Remove []string       `json:"remove,omitempty"`
}

// MemberChange puts a user into an organization, or changes his role there.
type MemberChange struct {
	UserID string `json:"userId"`
	Role   string `json:"role,omitempty"` // see MemberRole
}

// OrganizationPatch renames an organization.
type OrganizationPatch struct {
	Name *string `json:"name,omitempty"`
}

// OrganizationList is a page of organizations.
type OrganizationList struct {
	Organizations []Organization `json:"organizations"`
	Metadata      Metadata       `json:"metadata"`
}

// Token is what is known of an API token; the token itself is not kept.
type Token struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	UserID    string `json:"userId"`
	UserName  string `json:"userName"`
	Project   string `json:"project,omitempty"`
	Execution string `json:"execution,omitempty"`
	// EndpointIDs are the only endpoints that the token may call or see; none:
	// all that its user may. A token that is bound to endpoints changes nothing.
	EndpointIDs []string `json:"endpointIds,omitempty"`
	// Networks are the only addresses, in CIDR notation, that it is taken from;
	// none: any.
	Networks []string   `json:"networks,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	LastUsed *time.Time `json:"lastUsed,omitempty"` // to the minute; nil: never
}

// NewToken asks for a token. Name is required. UserID is the caller's own
// unless an administrator asks for another user. Expires nil: never.
// EndpointNames, or ids, are resolved to EndpointIDs.
type NewToken struct {
	Name          string     `json:"name"`
	UserID        string     `json:"userId,omitempty"`
	Project       string     `json:"project,omitempty"`
	Execution     string     `json:"execution,omitempty"`
	EndpointNames []string   `json:"endpointNames,omitempty"`
	EndpointIDs   []string   `json:"endpointIds,omitempty"`
	Networks      []string   `json:"networks,omitempty"`
	Expires       *time.Time `json:"expires,omitempty"`
}

// IssuedToken is a new token; Plaintext is shown here and never again.
type IssuedToken struct {
	Token
	Plaintext string `json:"token"`
}

// TokenList is a page of tokens.
type TokenList struct {
	Tokens   []Token  `json:"tokens"`
	Metadata Metadata `json:"metadata"`
}
