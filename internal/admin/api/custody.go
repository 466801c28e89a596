package api

import (
	"time"

	"sluice/internal/audit"
)

// Hold keeps days of the audit trail from retention, for as long as it stands.
type Hold struct {
	Name    string    `json:"name"`
	From    string    `json:"from"`         // the first UTC day, YYYY-MM-DD
	To      string    `json:"to,omitempty"` // the last UTC day; absent: open
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"` // name of the user who set it
	// Days are how many days of the trail it keeps at the moment.
	Days int `json:"days"`
}

// HoldList are all holds, by name.
type HoldList struct {
	Holds []Hold `json:"holds"`
	// Doubt says why the trail does not tell for sure which holds there are.
	// Nothing is dropped then, until all are set again. Absent: it does.
	Doubt string `json:"doubt,omitempty"`
}

// NewHoldList are all holds that there are to be.
type NewHoldList struct {
	Holds []NewHold `json:"holds"`
}

// NewHold asks for a hold.
type NewHold struct {
	Name   string  `json:"name"`         // letters, digits, dots, dashes and underscores, up to 64
	From   string  `json:"from"`         // the first UTC day, YYYY-MM-DD
	To     *string `json:"to,omitempty"` // the last UTC day; absent: open
	Reason string  `json:"reason"`       // up to 1000 characters
}

// States of a verification.
const (
	VerificationNone    = "none" // there was none since the gateway was started
	VerificationRunning = "running"
	VerificationWhole   = "whole"   // all is as it was written
	VerificationDamaged = "damaged" // it is not; the report names the first bad record
	VerificationFailed  = "failed"  // it could not be read to its end
	VerificationStopped = "stopped"
)

// NewVerification asks for a verification of the trail.
type NewVerification struct {
	// From and To choose the days that hold a range: a day, a time or a sequence.
	// Empty: no bound.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Keys are public keys that were kept elsewhere, each in base64, PEM, or as GET
	// …/audit/keys shows them. With them everything has to be signed. Without, those of the
	// gateway are taken.
	Keys []string `json:"keys,omitempty"`
}

// Verification is the one that runs, or ran last.
type Verification struct {
	State     string        `json:"state"` // none, running, whole, damaged, failed or stopped
	Started   time.Time     `json:"started,omitzero"`
	Ended     *time.Time    `json:"ended,omitempty"`
	By        string        `json:"by,omitempty"` // name of the user who started it
	From      string        `json:"from,omitempty"`
	To        string        `json:"to,omitempty"`
	WithKeys  bool          `json:"withKeys"`        // keys were given, and everything has to be signed
	BytesRead int64         `json:"bytesRead"`       // of the segments
	Bytes     int64         `json:"bytes"`           // that there are to read
	Error     string        `json:"error,omitempty"` // what is wrong
	Report    *audit.Report `json:"report,omitempty"`
}
