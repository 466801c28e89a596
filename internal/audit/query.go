package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// queryPage is how many rows are read from an index at a time. Nothing is held
// open in it while records are handed on.
const queryPage = 500

// errStop ends a walk that has found enough.
var errStop = errors.New("enough")

// Query calls fn for each record that f selects, by time and then by sequence,
// with everything that was written before Query was called. Exchanges that are
// under way are among them, without an outcome. An error of fn ends the query
// and is returned. Other errors are ErrIndexBehind, ErrClosed, the context's
// and what the disk says; a record that is not as it was written is named.
func (t *Trail) Query(ctx context.Context, f Filter, fn func(*Record) error) error {
	if t.closing.Load() {
		return ErrClosed
	}
	if err := t.indexer.wait(ctx, t.writer.position().seq); err != nil {
		return fmt.Errorf("querying the trail: %w", err)
	}
	frames := newFrames(t.id, t.dir, t.compressor)
	defer frames.close()
	left := cmp.Or(f.Limit, math.MaxInt)
	err := t.merge(ctx, &f, func(h hit) error {
		r, err := frames.record(h, f.Bodies)
		if errors.Is(err, os.ErrNotExist) && !t.readers.has(h.first.day) {
			return nil // retention dropped it
		}
		if err != nil {
			return fmt.Errorf("querying the trail: %w", err)
		}
		if f.ID != "" && r.ID != f.ID {
			return nil // another id with the same hash
		}
		if err := fn(r); err != nil {
			return err
		}
		if left--; left <= 0 {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// Get returns the record of the exchange id, with bodies. The error is
// ErrNotFound when there is none, else one of Query's.
func (t *Trail) Get(ctx context.Context, id string) (*Record, error) {
	if id == "" {
		return nil, ErrNotFound
	}
	var found *Record
	err := t.Query(ctx, Filter{ID: id, Descending: true, Bodies: true}, func(r *Record) error {
		if r.Exchange == nil {
			return nil
		}
		found = r
		return errStop
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("%w: exchange %q", ErrNotFound, id)
	}
	return found, nil
}

// hit is a record that a filter selects, as an index has it.
type hit struct {
	time   int64
	seq    uint64
	first  place // off -1: the request half is not there any more
	second place // off 0: there is none
}

// source yields hits in the order of a query.
type source interface {
	// next returns the next hit, and false at the end.
	next(ctx context.Context) (hit, bool, error)
	close()
}

// merger puts the hits of several partitions into one order. Partitions seldom
// overlap in time, so that mostly one is open; a clock that was set back and
// exchanges that ended after midnight make them overlap.
type merger struct {
	sign    int // 1 ascending, -1 descending
	pending []part
	open    func(part) (source, error)
	active  []*stream
}

// stream is a source with its next hit.
type stream struct {
	source
	head hit
}

// merge walks the hits of f in order.
func (t *Trail) merge(ctx context.Context, f *Filter, fn func(hit) error) error {
	m := &merger{sign: 1}
	if f.Descending {
		m.sign = -1
	}
	// A partition that the indexer has not come to yet holds nothing that was
	// written before the query.
	reached := t.indexer.position()
	for _, p := range t.readers.list() {
		begun := p.span.day < reached.day || p.span.day == reached.day && reached.off > 0
		if begun && f.overlaps(p.span.times) {
			m.pending = append(m.pending, p)
		}
	}
	slices.SortStableFunc(m.pending, func(a, b part) int { return m.sign * cmp.Compare(m.start(a), m.start(b)) })
	// What is under way is listed before the indexes are read: what ends in
	// between is then seen twice and not never.
	underWay := &rowsSource{f: f, sign: m.sign, rows: t.indexer.underWay()}
	m.open = func(p part) (source, error) { return openIndex(ctx, t.readers, p, p.span.day >= reached.day, f) }
	defer func() {
		for _, s := range m.active {
			s.close()
		}
	}()
	if err := m.add(ctx, underWay); err != nil {
		return err
	}
	return m.walk(ctx, fn)
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

// bounds returns the time range in nanoseconds, the second exclusive.
func (f *Filter) bounds() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !f.From.IsZero() {
		from = f.From.UnixNano()
	}
	if !f.To.IsZero() {
		to = f.To.UnixNano()
	}
	return from, to
}

// start is the time from which hits of p can come, in the order of the query.
func (m *merger) start(p part) int64 {
	if m.sign > 0 {
		return p.span.times.lo
	}
	return p.span.times.hi
}

// add adds a source unless it is empty.
func (m *merger) add(ctx context.Context, s source) error {
	head, more, err := s.next(ctx)
	if err != nil || !more {
		s.close()
		return err
	}
	m.active = append(m.active, &stream{s, head})
	return nil
}

func (m *merger) compare(a, b hit) int {
	return m.sign * cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
}

// first returns the stream whose head comes next, and opens the partitions
// that could have an earlier one.
func (m *merger) first(ctx context.Context) (*stream, error) {
	for {
		var best *stream
		for _, s := range m.active {
			// Of a record seen twice the one that has ended counts.
			if best == nil || cmp.Or(m.compare(s.head, best.head), -cmp.Compare(s.head.second.off, best.head.second.off)) < 0 {
				best = s
			}
		}
		if len(m.pending) == 0 || best != nil && m.sign*cmp.Compare(m.start(m.pending[0]), best.head.time) > 0 {
			return best, nil
		}
		next := m.pending[0]
		m.pending = m.pending[1:]
		s, err := m.open(next)
		if errors.Is(err, errDropped) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := m.add(ctx, s); err != nil {
			return nil, err
		}
	}
}

func (m *merger) walk(ctx context.Context, fn func(hit) error) error {
	var last *hit
	for {
		s, err := m.first(ctx)
		if s == nil || err != nil {
			return err
		}
		h := s.head
		more := false
		if s.head, more, err = s.next(ctx); err != nil {
			return err
		}
		if !more {
			s.close()
			m.active = slices.DeleteFunc(m.active, func(o *stream) bool { return o == s })
		}
		if last != nil && m.compare(*last, h) == 0 {
			continue
		}
		if err := fn(h); err != nil {
			return err
		}
		last = &h
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// rowsSource yields rows that are in memory.
type rowsSource struct {
	f    *Filter
	sign int
	rows []*row
}

func (s *rowsSource) next(context.Context) (hit, bool, error) {
	for len(s.rows) > 0 {
		i := 0
		if s.sign < 0 {
			i = len(s.rows) - 1
		}
		r := s.rows[i]
		if s.sign < 0 {
			s.rows = s.rows[:i]
		} else {
			s.rows = s.rows[1:]
		}
		if s.f.matches(r) {
			return hit{time: r.time, seq: r.seq, first: r.first}, true, nil
		}
	}
	return hit{}, false, nil
}

func (s *rowsSource) close() {}

// matches applies the filter to an exchange that is under way.
func (f *Filter) matches(r *row) bool {
	from, to := f.bounds()
	within := r.time >= from && r.time < to && f.beyond(r.time, r.seq)
	endpoint := len(f.EndpointIDs)+len(f.EndpointNames) == 0 ||
		slices.Contains(f.EndpointIDs, r.endpointID) || slices.Contains(f.EndpointNames, r.endpoint)
	user := len(f.Users) == 0 || slices.Contains(f.Users, r.userID) || slices.Contains(f.Users, r.userName)
	return within && endpoint && user && len(f.Results) == 0 && (f.ID == "" || f.ID == r.id) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, r.kind))
}

// beyond reports whether a place is behind the cursor.
func (f *Filter) beyond(t int64, seq uint64) bool {
	if f.After == (Cursor{}) {
		return true
	}
	order := cmp.Or(cmp.Compare(t, f.After.Time.UnixNano()), cmp.Compare(seq, f.After.Sequence))
	if f.Descending {
		return order < 0
	}
	return order > 0
}

// marks returns n comma-separated placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func asTime(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
