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

// SessionList is a page of sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
	Metadata Metadata  `json:"metadata"`
}
