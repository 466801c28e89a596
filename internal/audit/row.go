package audit

import (
	"cmp"
	"hash/fnv"
	"time"

	"sluice/internal/identity"
)

// place is where a frame starts.
type place struct {
	day day
	off int64
}

// row is what the index knows of a record. A row that was handed on is not
// changed any more.
type row struct {
	seq    uint64 // of the first frame
	time   int64  // of the first frame
	id     string
	what   whatKey
	caller *identity.Caller
	addr   string // of the client
	first  place
	second place // of the response half, when ended
	ended  bool  // there is a response half in a frame of its own
	parts  []storedPart

	// For followers; the index does not keep them.
	exchange *facts   // nil: an event
	outcome  *Outcome // nil: an event, or under way
	event    *Event   // only its target, where it has an id and a name
}

// facts are what followers are told of an exchange that the index does not need.
type facts struct {
	Provider, Model, Operation string
	Stream                     bool
}

func exchangeRow(x *Exchange, at time.Time) *row {
	return &row{
		time: at.UnixNano(), id: x.ID, what: exchangeWhat(x), caller: x.Caller, addr: x.ClientAddr,
		exchange: &facts{x.Provider, x.Model, x.Operation, x.Stream},
	}
}

// setOutcome fills what the response half tells.
func (r *row) setOutcome(o *Outcome) {
	r.what.ended(o)
	kept := *o
	kept.Attempts = nil
	r.outcome = &kept
}

// completed returns the row with its response half.
func (r *row) completed(o *Outcome, at place) *row {
	full := *r
	full.setOutcome(o)
	full.second, full.ended = at, true
	return &full
}

func eventRow(e *Event, at time.Time) *row {
	r := &row{time: at.UnixNano(), id: e.RequestID, what: eventWhat(e), caller: e.By, addr: e.ClientAddr}
	if e.TargetID != "" && e.TargetName != "" {
		r.event = &Event{TargetType: e.TargetType, TargetID: e.TargetID, TargetName: e.TargetName}
	}
	return r
}

// idHash is what the index keeps of an id; a reader compares the id itself.
func idHash(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return int64(h.Sum64())
}

// compareRows orders rows by time, then by sequence.
func compareRows(a, b *row) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
}
