package audit

import (
	"context"
	"slices"
	"sort"
	"sync"
)

// The newest records that readers have come to are kept, within these bounds,
// so that readers that are at the same place share the work of reading them.
const (
	tapeRecords = 4096
	tapeBytes   = 16 << 20
	tapeStep    = 1 << 20 // bytes that are read at a time
)

// arrivals tells readers of frames that were written.
type arrivals struct {
	mu   sync.Mutex    // guards the following fields
	end  position      // of what was written
	wake chan struct{} // closed when end moves; nil: nobody waits
}

func (a *arrivals) push(end position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end = end
	if a.wake != nil {
		close(a.wake)
		a.wake = nil
	}
}

func (a *arrivals) position() position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end
}

// wait returns the end, and what is closed when it moves.
func (a *arrivals) wait() (position, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake == nil {
		a.wake = make(chan struct{})
	}
	return a.end, a.wake
}

// tape is a walk that readers share.
type tape struct {
	mu    sync.Mutex // guards the following fields, and is held while reading
	w     *walker    // nil: nobody has read yet
	from  position   // the records behind it, up to where w is, are in kept
	kept  []*Record
	bytes int64
}

// take returns what is behind at, and the place behind what it returns. It is
// false when the tape does not hold that place.
func (t *tape) take(ctx context.Context, trail *Trail, at, end position, max int, maxBytes int64) ([]*Record, position, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.w == nil || at.seq > t.w.at.seq {
		t.reset(trail, at)
	}
	if at.seq < t.from.seq {
		return nil, at, false, nil
	}
	i := sort.Search(len(t.kept), func(i int) bool { return t.kept[i].mark.at.seq > at.seq })
	if i == len(t.kept) {
		if err := t.read(ctx, end); err != nil {
			return nil, at, true, err
		}
		if at.seq < t.from.seq {
			return nil, at, false, nil
		}
		i = sort.Search(len(t.kept), func(i int) bool { return t.kept[i].mark.at.seq > at.seq })
	}
	n := fit(t.kept[i:], max, maxBytes)
	taken := slices.Clone(t.kept[i : i+n])
	if i+n == len(t.kept) {
		return taken, t.w.at, true, nil
	}
	return taken, taken[n-1].mark.at, true, nil
}

// fit is how many records, from the first, are within the bounds: at least one.
func fit(records []*Record, max int, maxBytes int64) int {
	n := 0
	for n < len(records) && n < max && (n == 0 || records[n].size <= maxBytes) {
		maxBytes -= records[n].size
		n++
	}
	return n
}

func (t *tape) reset(trail *Trail, at position) {
	if t.w != nil {
		t.w.close()
	}
	t.w, t.from, t.kept, t.bytes = newWalker(trail, at), at, nil, 0
}

// read adds the next records and forgets the oldest.
func (t *tape) read(ctx context.Context, end position) error {
	for n, left := 0, int64(tapeStep); n < tapeRecords/4 && left > 0; n++ {
		r, err := t.w.next(ctx, end)
		if err != nil {
			return err
		}
		if len(t.w.gaps) > 0 {
			// Each reader comes to the gap by itself, and is told.
			t.w.gaps, t.from, t.kept, t.bytes = nil, t.w.at, nil, 0
			return nil
		}
		if r == nil {
			break
		}
		t.kept = append(t.kept, r)
		t.bytes += r.size
		left -= r.size
	}
	drop := 0
	for drop < len(t.kept)-1 && (len(t.kept)-drop > tapeRecords || t.bytes > tapeBytes) {
		t.bytes -= t.kept[drop].size
		t.from = t.kept[drop].mark.at
		drop++
	}
	t.kept = slices.Delete(t.kept, 0, drop)
	return nil
}

// adopt takes over the walk of a reader that has caught up with the tape. It is
// false when it has not.
func (t *tape) adopt(w *walker) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.w != nil && w.at.seq < t.w.at.seq:
		return false
	case t.w != nil && w.at.seq == t.w.at.seq:
		w.close()
	default:
		if t.w != nil {
			t.w.close()
		}
		t.w, t.from, t.kept, t.bytes = w, w.at, nil, 0
	}
	return true
}

func (t *tape) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.w != nil {
		t.w.close()
	}
	t.w, t.kept, t.bytes = nil, nil, 0
}
