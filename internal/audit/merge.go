package audit

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
)

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
	f       *Filter
	reached position // up to here the indexer had come
	pending []part
	ahead   ahead
	active  []*stream
}

// stream is a source with its next hit.
type stream struct {
	source
	head hit
}

// partitions returns a merger of those in which there may be records that f
// selects, in the order of the query.
func (t *Trail) partitions(f *Filter) *merger {
	m := &merger{f: f, reached: t.indexer.position()}
	for _, p := range t.readers.list() {
		// A partition that the indexer has not come to yet holds nothing that was
		// written before the query.
		begun := p.span.day < m.reached.day || p.span.day == m.reached.day && m.reached.off > 0
		if begun && f.overlaps(p.span.times) {
			m.pending = append(m.pending, p)
		}
	}
	slices.SortStableFunc(m.pending, func(a, b part) int { return m.compareTimes(m.start(a), m.start(b)) })
	return m
}

// live reports whether the indexer is still at work on a partition.
func (m *merger) live(p part) bool { return p.span.day >= m.reached.day }

// merge walks the hits of f in order.
func (t *Trail) merge(ctx context.Context, f *Filter, fn func(hit) error) error {
	m := t.partitions(f)
	// What is under way is listed before the indexes are read: what ends in
	// between is then seen twice and not never.
	underWay := &rowsSource{f: f, rows: t.indexer.underWay()}
	m.ahead = ahead{open: func(ctx context.Context, p part) (*stream, error) {
		if live := m.live(p); live || t.readers.mayHold(p, f) {
			s, err := openIndex(ctx, t.readers, p, live, f)
			if err != nil {
				return nil, err
			}
			return begin(ctx, s)
		}
		return nil, nil
	}}
	defer m.close()
	s, err := begin(ctx, underWay)
	if err != nil {
		return err
	}
	m.add(s)
	return m.walk(ctx, fn)
}

func (m *merger) close() {
	m.ahead.close()
	for _, s := range m.active {
		s.close()
	}
}

// compareTimes orders two times as the query has them.
func (m *merger) compareTimes(a, b int64) int {
	if m.f.Descending {
		a, b = b, a
	}
	return cmp.Compare(a, b)
}

// start is the time from which hits of p can come, in the order of the query.
func (m *merger) start(p part) int64 {
	if m.f.Descending {
		return p.span.times.hi
	}
	return p.span.times.lo
}

// begin fetches the first hit of a source; nil: it is empty.
func begin(ctx context.Context, s source) (*stream, error) {
	head, more, err := s.next(ctx)
	if err != nil || !more {
		s.close()
		return nil, err
	}
	return &stream{s, head}, nil
}

func (m *merger) add(s *stream) {
	if s != nil {
		m.active = append(m.active, s)
	}
}

// first returns the stream whose head comes next, and opens the partitions
// that could have an earlier one.
func (m *merger) first(ctx context.Context) (*stream, error) {
	for {
		var best *stream
		for _, s := range m.active {
			// Of a record seen twice the one that has ended counts.
			if best == nil || cmp.Or(m.f.compare(s.head, best.head), -cmp.Compare(s.head.second.off, best.head.second.off)) < 0 {
				best = s
			}
		}
		if len(m.pending) == 0 || best != nil && m.compareTimes(m.start(m.pending[0]), best.head.time) > 0 {
			return best, nil
		}
		s, err := m.ahead.next(ctx, m.pending)
		m.pending = m.pending[1:]
		if errors.Is(err, errDropped) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.add(s)
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
		if last != nil && m.f.compare(*last, h) == 0 {
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
	rows []*row
}

func (s *rowsSource) next(context.Context) (hit, bool, error) {
	for len(s.rows) > 0 {
		i := 0
		if s.f.Descending {
			i = len(s.rows) - 1
		}
		r := s.rows[i]
		if s.f.Descending {
			s.rows = s.rows[:i]
		} else {
			s.rows = s.rows[1:]
		}
		if s.f.underWay(r) {
			return hit{time: r.time, seq: r.seq, first: r.first}, true, nil
		}
	}
	return hit{}, false, nil
}

func (s *rowsSource) close() {}
