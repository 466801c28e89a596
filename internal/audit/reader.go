package audit

import (
	"context"
	"fmt"
)

// Reader hands on the records of a trail, whole, in the order in which they were
// completed. Readers that are at the same place share the work of reading;
// requests never wait for any. Its methods are for one goroutine.
type Reader struct {
	t    *Trail
	at   position
	own  *walker // set while the shared tape does not hold the place
	gaps []Gap
}

// Mark is the place behind the record's last frame. It is the zero Mark for
// records that do not come from a Reader.
func (r *Record) Mark() Mark { return r.mark }

// EndMark is the place behind the last frame that was written.
func (t *Trail) EndMark() Mark { return Mark{t.arrivals.position()} }

// Reader begins at from. The error is ErrNoMark when the trail does not have
// that place: it was cut off after a crash, or the trail was restored from an
// older copy. A place in a partition that retention has dropped is not an
// error: the reader goes on behind it, and Gaps tells.
func (t *Trail) Reader(from Mark) (*Reader, error) {
	if t.closing.Load() {
		return nil, ErrClosed
	}
	if err := t.has(from, t.arrivals.position()); err != nil {
		return nil, fmt.Errorf("reading the trail: %w", err)
	}
	return &Reader{t: t, at: from.at}, nil
}

// Close gives back what the reader holds.
func (r *Reader) Close() {
	if r.own != nil {
		r.own.close()
		r.own = nil
	}
}

// Behind is how many frames were written behind the reader's place.
func (r *Reader) Behind() uint64 {
	end := r.t.arrivals.position()
	return end.seq - min(end.seq, r.at.seq)
}

// Gaps returns the sequences that could not be handed on, since the last call.
func (r *Reader) Gaps() []Gap {
	gaps := r.gaps
	r.gaps = nil
	return gaps
}

// Arrival returns what is closed when a frame is written behind the reader's
// place, or the trail is closed. It is nil when there are frames already.
func (r *Reader) Arrival() <-chan struct{} {
	end, moved := r.t.arrivals.wait()
	if end.seq > r.at.seq || r.t.closing.Load() {
		return nil
	}
	return moved
}

// wait returns when there are frames behind the reader's place.
func (r *Reader) wait(ctx context.Context) error {
	moved := r.Arrival()
	if r.t.closing.Load() {
		return ErrClosed
	}
	if moved == nil {
		return nil
	}
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next returns the next records, at least one and at most max of together about
// maxBytes, and the mark behind them; it waits until there is one. The records
// are shared: they must not be changed. The error is ErrClosed, the context's
// or what the disk says; the next call tries again from the same place.
func (r *Reader) Next(ctx context.Context, max int, maxBytes int64) ([]*Record, Mark, error) {
	for {
		if err := r.wait(ctx); err != nil {
			return nil, Mark{r.at}, err
		}
		records, err := r.Ready(ctx, max, maxBytes)
		if err != nil || len(records) > 0 {
			return records, Mark{r.at}, err
		}
	}
}

// Ready is Next without waiting: it may return no record, and moves on over the
// halves of exchanges that are under way.
func (r *Reader) Ready(ctx context.Context, max int, maxBytes int64) ([]*Record, error) {
	if r.t.closing.Load() {
		return nil, ErrClosed
	}
	end := r.t.arrivals.position()
	if r.own == nil {
		records, at, held, err := r.t.tape.take(ctx, r.t, r.at, end, max, maxBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the trail: %w", err)
		}
		if held {
			r.at = at
			return records, nil
		}
		r.own = newWalker(r.t, r.at)
	}
	records, err := r.walk(ctx, end, max, maxBytes)
	r.at = r.own.at
	r.gaps, r.own.gaps = append(r.gaps, r.own.gaps...), nil
	if err != nil {
		return records, fmt.Errorf("reading the trail: %w", err)
	}
	if r.t.tape.adopt(r.own) {
		r.own = nil
	}
	return records, nil
}

// walk reads by itself.
func (r *Reader) walk(ctx context.Context, end position, max int, maxBytes int64) ([]*Record, error) {
	var records []*Record
	for len(records) < max && maxBytes > 0 {
		next, err := r.own.next(ctx, end)
		if len(records) > 0 && err != nil {
			return records, nil // it will show again
		}
		if next == nil || err != nil {
			return records, err
		}
		records = append(records, next)
		maxBytes -= next.size
	}
	return records, nil
}

// Mark is the place that the reader has come to.
func (r *Reader) Mark() Mark { return Mark{r.at} }
