package api

import (
	"slices"
	"time"
)

// States of a sink.
const (
	SinkRunning  = "running"
	SinkFailing  = "failing"
	SinkStopping = "stopping"
)

// SinkList are the sinks of the trail.
type SinkList struct {
	Sinks []Sink `json:"sinks"`
	// Forgotten are sinks that are not configured any more; they would go on where
	// they were if they came back.
	Forgotten []string `json:"forgotten"`
}

// Sink is one place that the trail is streamed to.
type Sink struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Format string `json:"format"`
	Bodies string `json:"bodies"` // what leaves of bodies: full, redacted or none
	// State is SinkRunning, SinkFailing while the last try failed (it is tried again
	// until it succeeds), or SinkStopping where one that was changed or taken out
	// does not end; what is new under its name waits for that.
	State string    `json:"state"`
	Since time.Time `json:"since"` // of the state
	// Mark is the sequence of the trail up to which all was sent, and Lag how many
	// are behind it; an exchange has two or more.
	Mark uint64 `json:"mark"`
	Lag  uint64 `json:"lag"`
	// OldestSeconds is how long the oldest record that was not sent is waiting.
	OldestSeconds float64 `json:"oldestSeconds"`
	// The following count since the start of the gateway.
	Sent        int64      `json:"sent"`
	SentBytes   int64      `json:"sentBytes"`
	Errors      int64      `json:"errors"`  // tries that failed
	Refused     int64      `json:"refused"` // records that the receiver will never take
	LastSent    *time.Time `json:"lastSent,omitempty"`
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
	// DeadLetters are kept, DeadLettersDropped gave way to newer ones.
	DeadLetters        int   `json:"deadLetters"`
	DeadLettersDropped int64 `json:"deadLettersDropped"`
	// Skipped counts sequences that retention dropped, or that were damaged, before
	// they were sent.
	Skipped uint64   `json:"skipped"`
	Notes   []string `json:"notes"`
	Replays []Replay `json:"replays"` // the newest first
}

// Replaying reports whether a replay is under way.
func (s Sink) Replaying() bool {
	return slices.ContainsFunc(s.Replays, func(r Replay) bool { return !r.Over() })
}

// NewReplay asks for a range to be sent again: by the time of the records, by
// the sequence that completed them, or both.
type NewReplay struct {
	From          *time.Time `json:"from,omitempty"`
	To            *time.Time `json:"to,omitempty"` // exclusive
	FirstSequence uint64     `json:"firstSequence,omitempty"`
	LastSequence  uint64     `json:"lastSequence,omitempty"` // inclusive
}

// Replay is a range that is sent again, beside what is new.
type Replay struct {
	ID            string     `json:"id"`
	From          *time.Time `json:"from,omitempty"`
	To            *time.Time `json:"to,omitempty"`
	FirstSequence uint64     `json:"firstSequence,omitempty"`
	LastSequence  uint64     `json:"lastSequence,omitempty"`
	DeadLetters   bool       `json:"deadLetters,omitempty"` // only the dead letters
	By            string     `json:"by,omitempty"`
	Asked         time.Time  `json:"asked"`
	State         string     `json:"state"` // waiting, running, done or cancelled
	Sent          int64      `json:"sent"`
	Ended         *time.Time `json:"ended,omitempty"`
	// Error is why its last try failed; it is tried again, beside what is new.
	Error string `json:"error,omitempty"`
}

// Over reports whether the replay has come to an end.
func (r Replay) Over() bool { return r.State == "done" || r.State == "cancelled" }

// ReplayList are replays of a sink.
type ReplayList struct {
	Replays []Replay `json:"replays"`
}

// DeadLetterList are the dead letters of a sink, the newest first.
type DeadLetterList struct {
	DeadLetters []DeadLetter `json:"deadLetters"`
}

// DeadLetter names a record that the receiver refused for good.
type DeadLetter struct {
	RecordID string    `json:"recordId"`
	Sequence uint64    `json:"sequence"` // that completed the record
	Time     time.Time `json:"time"`     // of the record
	Reason   string    `json:"reason"`
	Refused  time.Time `json:"refused"`
	Tries    int       `json:"tries"`
}
