package api

import "time"

// User is a person or a machine that calls.
type User struct {
	ID              string    `json:"id"`
	UserName        string    `json:"userName"`
	FullName        string    `json:"fullName"`
	Email           string    `json:"email"`
	Roles           []string  `json:"roles"`
	OrganizationIDs []string  `json:"organizationIds"`
	Disabled        bool      `json:"disabled"`
	Created         time.Time `json:"created"`
}

// NewUser asks for a user. UserName is required.
type NewUser struct {
	UserName string   `json:"userName"`
	FullName string   `json:"fullName,omitempty"`
	Email    string   `json:"email,omitempty"`
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
	TokenID   string `json:"tokenId"`
	TokenName string `json:"tokenName"`
	Project   string `json:"project,omitempty"`
	Execution string `json:"execution,omitempty"`
}

// Organization is a group of users.
type Organization struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Members []string  `json:"members"` // user ids
	Created time.Time `json:"created"`
}

// NewOrganization asks for an organization. Name is required.
type NewOrganization struct {
	Name    string   `json:"name"`
	Members []string `json:"members,omitempty"`
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
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	UserID    string     `json:"userId"`
	UserName  string     `json:"userName"`
	Project   string     `json:"project,omitempty"`
	Execution string     `json:"execution,omitempty"`
	Created   time.Time  `json:"created"`
	Expires   *time.Time `json:"expires,omitempty"`
	Revoked   *time.Time `json:"revoked,omitempty"`
}

// NewToken asks for a token. Name is required. UserID is the caller's own
// unless an administrator asks for another user. Expires nil: never.
type NewToken struct {
	Name      string     `json:"name"`
	UserID    string     `json:"userId,omitempty"`
	Project   string     `json:"project,omitempty"`
	Execution string     `json:"execution,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
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
