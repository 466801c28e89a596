package audit

import "time"

// Filter selects records. The zero Filter selects all, oldest first. Lists
// select records that match any of their values; different fields must all
// match.
type Filter struct {
	From time.Time // inclusive; zero: no bound
	To   time.Time // exclusive; zero: no bound
	// ID is the id of an exchange or the request id of events.
	ID string
	// EndpointIDs and EndpointNames count as one list: a record matches by
	// either.
	EndpointIDs   []string
	EndpointNames []string
	// Users are ids or names of callers.
	Users   []string
	Results []string // Result constants; events have none
	Kinds   []string // see Record.Kind
	// Descending returns the newest first.
	Descending bool
	// Limit bounds how many records are returned; 0: no bound.
	Limit int
	// After continues behind the record that the cursor was taken of, in the
	// order asked for. The zero Cursor starts at the beginning.
	After Cursor
	// Bodies fills the bodies of the records.
	Bodies bool
}

// Cursor is a place in the order of records: by time, then by sequence.
type Cursor struct {
	Time     time.Time `json:"time"`
	Sequence uint64    `json:"sequence"`
}

// Cursor returns the record's place, for Filter.After.
func (r *Record) Cursor() Cursor { return Cursor{Time: r.Time, Sequence: r.Sequence} }
