package api

import "time"

// Session is one browser in which a user has signed in.
type Session struct {
	ID       string    `json:"id"`
	UserID   string    `json:"userId"`
	UserName string    `json:"userName"`
	Method   string    `json:"method"` // "token" or "oidc"
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"lastSeen"`
	Expires  time.Time `json:"expires"` // at the latest; sooner when idle
	Address  string    `json:"address"` // of the sign-in
	Browser  string    `json:"browser"` // the User-Agent of the sign-in
	Current  bool      `json:"current"` // the one that asks
}

// SessionsEnded says how many sessions were ended at once.
type SessionsEnded struct {
	Ended int64 `json:"ended"`
}

// SessionList is a page of sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
	Metadata Metadata  `json:"metadata"`
}

// Ways to sign in, for SignIn.Methods.
const (
	SignInToken = "token"
	SignInOIDC  = "oidc"
)

// SignIn says how people sign in. Anybody may read it.
type SignIn struct {
	Methods []string `json:"methods"` // SignInToken, SignInOIDC
	// Issuer is the identity provider's, ClientID the public client there that the
	// command line signs in with. Empty without SignInOIDC.
	Issuer   string   `json:"issuer,omitempty"`
	ClientID string   `json:"clientId,omitempty"`
	Scopes   []string `json:"scopes,omitempty"` // to ask the provider for
}
