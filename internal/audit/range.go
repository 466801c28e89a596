package audit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Range selects completed records. Zero fields select all; different fields
// must all match.
type Range struct {
	From, To time.Time // when the request arrived or the event happened, To exclusive
	// First and Last bound the sequence of the frame that completed the record,
	// both inclusive.
	First, Last uint64
}

// RangeReader hands on the records of a Range, whole, in the order in which they
// were completed. Its methods are for one goroutine.
type RangeReader struct {
	w    *walker
	stop position // nothing behind it is of the range
}

// ReadRange begins to read a range, up to what is written now. The error is
// ErrClosed.
func (t *Trail) ReadRange(r Range) (*RangeReader, error) {
	if t.closing.Load() {
		return nil, ErrClosed
	}
	end := t.arrivals.position()
	if r.Last == 0 {
		r.Last = math.MaxUint64
	}
	f := Filter{From: r.From, To: r.To}
	parts := slices.DeleteFunc(t.readers.list(), func(p part) bool {
		return !f.overlaps(p.span.times) || p.span.last != 0 && p.span.last < r.First || p.span.first > r.Last
	})
	if len(parts) == 0 {
		return &RangeReader{w: newWalker(t, end), stop: end}, nil
	}
	first, last := parts[0].span, parts[len(parts)-1].span
	w := newWalker(t, position{day: first.day, seq: max(first.first, 1) - 1})
	w.only = &r
	if last.last != 0 && last.last < end.seq {
		end = position{seq: last.last, day: last.day, off: math.MaxInt64}
	}
	if r.Last < end.seq {
		end.seq = r.Last
	}
	return &RangeReader{w: w, stop: end}, nil
}

// Close gives back what the reader holds.
func (r *RangeReader) Close() { r.w.close() }

// Next returns the next records, at most max of together about maxBytes. With
// none the range is at its end. The errors are ErrClosed, the context's and what
// the disk says; the next call tries again from the same place.
func (r *RangeReader) Next(ctx context.Context, max int, maxBytes int64) ([]*Record, error) {
	var records []*Record
	for len(records) < max && maxBytes > 0 {
		if r.w.t.closing.Load() {
			return nil, ErrClosed
		}
		next, err := r.w.next(ctx, r.stop)
		if err != nil && len(records) > 0 {
			break // it will show again
		}
		if err != nil {
			return nil, fmt.Errorf("reading the trail: %w", err)
		}
		if next == nil {
			break
		}
		records = append(records, next)
		maxBytes -= next.size
	}
	return records, nil
}

// Gaps returns the sequences of the range that could not be handed on, since the
// last call.
func (r *RangeReader) Gaps() []Gap {
	gaps := r.w.gaps
	r.w.gaps = nil
	return gaps
}

// Left is how many frames are still to be looked at.
func (r *RangeReader) Left() uint64 { return r.stop.seq - min(r.stop.seq, r.w.at.seq) }

// holds reports whether a time is in the range.
func (r *Range) holds(at int64) bool {
	return r == nil || (r.From.IsZero() || at >= nanoseconds(r.From)) && (r.To.IsZero() || at < nanoseconds(r.To))
}

// completes reports whether a record that frame seq completes is in the range.
func (r *Range) completes(seq uint64) bool { return r == nil || seq >= r.First && seq <= r.Last }

// MarkOf is the place before the partition in which frame seq is, or where the
// trail begins now when it is older: reading on from there comes to everything
// that was completed behind seq.
func (t *Trail) MarkOf(seq uint64) Mark {
	at := Mark{}
	for _, p := range t.readers.list() {
		if p.span.first > max(seq, 1) {
			break
		}
		at = Mark{position{day: p.span.day, seq: max(p.span.first, 1) - 1}}
	}
	return at
}
