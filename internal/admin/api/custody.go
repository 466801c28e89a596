package api

import "time"

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
