// Package sink carries the trail to where it is watched: one worker for each
// configured sink reads the trail by mark, at its own pace, and hands what it
// reads to a Target. Delivery is at least once and in the order in which records
// were completed; every record has an id by which a receiver tells repeats.
package sink

import (
	"context"
	"fmt"

	"sluice/internal/audit"
)

// Entry is one record on its way out.
type Entry struct {
	// Record has the bodies that the sink's settings let out, and no others.
	Record *audit.Record
	// Data is Record in the sink's format: one line of text without its end. It
	// is valid until Deliver returns.
	Data []byte
	// Again says that somebody asked for the record to be sent again (a replay):
	// a target that tells repeats sends it all the same.
	Again bool
}

// Target takes records somewhere. The worker of a sink calls it from one
// goroutine.
type Target interface {
	// Deliver hands entries on, in order, and returns how many of them, from the
	// first, are safe where they were sent. With fewer than all, err says why
	// the next is not: a *Refused is set aside as a dead letter and delivery goes
	// on behind it, anything else is tried again. Deliver may send again what it
	// has sent before; it must not keep entries.
	Deliver(ctx context.Context, entries []Entry) (int, error)
	// Close gives back what the target holds. What Deliver has not confirmed may
	// be lost: it is still in the trail.
	Close() error
}

// Refused is the error of a record that its receiver will never take as it is:
// one that is too large for it, or that it calls malformed. It must not hold
// what the record says.
type Refused struct {
	Reason string // a sentence
}

// Error implements error.
func (r *Refused) Error() string { return fmt.Sprintf("the receiver refused the record: %s", r.Reason) }
