package audit

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

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
	Users []string
	// Organizations are ids; a record matches by any that its caller is in.
	Organizations []string
	Projects      []string // of callers
	Executions    []string // of callers
	// Providers and Models match by any that was tried for the exchange.
	Providers []string
	Models    []string
	Results   []string // Result constants; events have none
	Statuses  []Status // what the client was sent; events have none
	Kinds     []string // see Record.Kind
	Except    []string // kinds that are left out
	// Targets are what events are about. An exchange is about its endpoint,
	// which is of the type TargetEndpoint.
	TargetTypes []string
	TargetIDs   []string
	TargetNames []string
	ClientAddrs []string // addresses, without a port
	// Text are texts that must all occur: each in a body, in a part, in the
	// message of an error, or in the changes and metadata of an event. Upper and
	// lower case are one, and so are the ways in which JSON writes a character.
	Text []string
	// Descending returns the newest first.
	Descending bool
	// Skip passes over so many records before the first that is returned.
	Skip int
	// Limit bounds how many records are returned; 0: no bound.
	Limit int
	// After continues behind the record that the cursor was taken of, in the
	// order asked for. The zero Cursor starts at the beginning.
	After Cursor
	// Patience bounds how long Text is searched for. When it has passed, Query
	// returns an *Unfinished. 0: no bound.
	Patience time.Duration
	// Bodies fills the bodies of the records.
	Bodies bool
}

// Status is a range of HTTP statuses, both ends inclusive.
type Status struct{ Low, High int }

// ParseStatuses reads statuses such as 403, 5xx and 400-404.
func ParseStatuses(list []string) (out []Status, err error) {
	for _, text := range list {
		low, high, isRange := strings.Cut(strings.ToLower(text), "-")
		if !isRange {
			high = strings.ReplaceAll(low, "x", "9")
			low = strings.ReplaceAll(low, "x", "0")
		}
		from, lowErr := strconv.Atoi(low)
		to, highErr := strconv.Atoi(high)
		if cmp.Or(lowErr, highErr) != nil || from < 0 || to > 999 || from > to {
			return nil, fmt.Errorf("%q is not a status such as 403, 5xx or 400-404", text)
		}
		out = append(out, Status{Low: from, High: to})
	}
	return out, nil
}

// Cursor is a place in the order of records: by time, then by sequence.
type Cursor struct {
	Time     time.Time `json:"time"`
	Sequence uint64    `json:"sequence"`
}

// Cursor returns the record's place, for Filter.After.
func (r *Record) Cursor() Cursor { return Cursor{Time: r.Time, Sequence: r.Sequence} }

// Unfinished is the error of a query that looked for a text for as long as its
// filter allowed.
type Unfinished struct {
	At Cursor // what is before it was searched; go on with Filter.After
}

func (*Unfinished) Error() string {
	return "the search for a text took too long; it can go on from where it came to"
}

const minTime, maxTime = math.MinInt64, math.MaxInt64

// nanoseconds is UnixNano for times from outside, which may be further from 1970
// than 292 years: then it is the first or the last that there is.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, minTime)):
		return minTime
	case t.After(time.Unix(0, maxTime)):
		return maxTime
	}
	return t.UnixNano()
}

// bounds returns the time range in nanoseconds, the second exclusive.
func (f *Filter) bounds() (from, to int64) {
	from, to = minTime, maxTime
	if !f.From.IsZero() {
		from = nanoseconds(f.From)
	}
	if !f.To.IsZero() {
		to = nanoseconds(f.To)
	}
	// Behind a cursor, what is before it need not be looked at.
	if f.After != (Cursor{}) {
		if at := nanoseconds(f.After.Time); f.Descending {
			to = min(to, max(at, at+1)) // at+1 may overflow
		} else {
			from = max(from, at)
		}
	}
	return from, to
}

// overlaps reports whether records of a partition can be in the filter's time
// range.
func (f *Filter) overlaps(r timeRange) bool {
	if r.lo > r.hi {
		return false
	}
	from, to := f.bounds()
	return r.lo < to && r.hi >= from
}

// compare orders two hits as they are returned.
func (f *Filter) compare(a, b hit) int {
	order := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
	if f.Descending {
		return -order
	}
	return order
}

// beyond reports whether a place is behind the cursor.
func (f *Filter) beyond(t int64, seq uint64) bool {
	if f.After == (Cursor{}) {
		return true
	}
	order := cmp.Or(cmp.Compare(t, nanoseconds(f.After.Time)), cmp.Compare(seq, f.After.Sequence))
	if f.Descending {
		return order < 0
	}
	return order > 0
}
