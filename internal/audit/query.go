package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"
)

// errStop ends a walk that has found enough.
var errStop = errors.New("enough")

// Query calls fn for each record that f selects, by time and then by sequence,
// with everything that was written before Query was called. Exchanges that are
// under way are among them, without an outcome. An error of fn ends the query
// and is returned. Other errors are *Unfinished, ErrIndexBehind, ErrClosed, the
// context's and what the disk says; a record that is not as it was written is
// named.
func (t *Trail) Query(ctx context.Context, f Filter, fn func(*Record) error) error {
	return t.search(ctx, &search{f: &f, fn: fn})
}

func (t *Trail) search(ctx context.Context, q *search) error {
	if err := t.reached(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	q.t, q.skip, q.left, q.begun = t, q.f.Skip, cmp.Or(q.f.Limit, math.MaxInt), t.now()
	if len(q.f.Text) > 0 {
		q.text = newFinder(q.f.Text)
	}
	q.frames = newFrames(t.ids, t.dir, t.compressor)
	defer q.frames.close()
	defer q.workers.Wait()
	defer cancel()
	err := q.run(ctx)
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// reached waits until all that was written is in the indexes.
func (t *Trail) reached(ctx context.Context) error {
	if t.closing.Load() {
		return ErrClosed
	}
	if err := t.indexer.wait(ctx, t.writer.position().seq); err != nil {
		return fmt.Errorf("querying the trail: %w", err)
	}
	return nil
}

// Get returns the record of the exchange id, with bodies. The error is
// ErrNotFound when there is none, else one of Query's.
func (t *Trail) Get(ctx context.Context, id string) (*Record, error) {
	if id == "" {
		return nil, ErrNotFound
	}
	var found *Record
	err := t.Query(ctx, Filter{ID: id, Descending: true, Bodies: true}, func(r *Record) error {
		if r.Exchange == nil && len(r.Damaged) == 0 {
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

// Count counts the records that f selects, at most about most. It goes by the
// indexes and reads no record, so that it takes no account of Text, and counts
// no exchange that is under way. The errors are those of Query.
func (t *Trail) Count(ctx context.Context, f Filter, most int) (int, error) {
	if err := t.reached(ctx); err != nil {
		return 0, err
	}
	m := t.partitions(&f)
	total := 0
	for _, p := range m.pending {
		n, err := t.countIn(ctx, p, m.live(p), &f, most-total)
		if errors.Is(err, errDropped) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("counting in %s: %w", p.span.day.dbName(), err)
		}
		if total += n; total >= most {
			break
		}
	}
	return total, nil
}

func (t *Trail) countIn(ctx context.Context, p part, live bool, f *Filter, most int) (int, error) {
	if !live && !t.readers.mayHold(p, f) {
		return 0, nil
	}
	db, err := t.readers.acquire(ctx, p, live)
	if err != nil {
		return 0, err
	}
	defer t.readers.release(p.partition)
	how, err := f.compile(ctx, db)
	if err != nil {
		return 0, err
	}
	return how.count(ctx, db, f, most)
}

// search is one query under way.
type search struct {
	t       *Trail
	f       *Filter
	fn      func(*Record) error
	render  func([]byte, *Record) ([]byte, error) // nil: fn gets the records
	write   func([]byte) error
	pieces  bool        // the texts are JSON, and long bodies are written piece by piece
	spare   chan []byte // room for texts
	text    *finder     // nil: no text is looked for
	frames  *frames
	skip    int
	left    int
	given   int
	begun   time.Time
	workers sync.WaitGroup
}

// manyRecords is from where records are read by several goroutines.
const manyRecords = 1000

// run reads by itself where few records with little work each are wanted, or
// where each may be large; else it has others read.
func (q *search) run(ctx context.Context) error {
	if q.text != nil || q.render != nil || !q.f.Bodies && (q.f.Limit == 0 || q.f.Limit > manyRecords) {
		return q.together(ctx)
	}
	return q.t.merge(ctx, q.f, func(h hit) error {
		if q.skip > 0 {
			q.skip--
			return nil
		}
		r, err := q.read(q.frames, h, q.f.Bodies)
		if r == nil || err != nil {
			return err
		}
		return q.give(r)
	})
}

// give hands a record on.
func (q *search) give(r *Record) error {
	if err := q.fn(r); err != nil {
		return err
	}
	q.given++
	if q.left--; q.left <= 0 {
		return errStop
	}
	return nil
}

// read reads a record, nil when it is not one of those that are looked for.
func (q *search) read(from *frames, h hit, bodies bool) (*Record, error) {
	r, err := from.record(h, bodies)
	switch {
	case errors.Is(err, os.ErrNotExist) && !q.t.readers.has(h.first.day):
		return nil, nil // retention dropped it
	case err != nil:
		return nil, fmt.Errorf("querying the trail: %w", err)
	case len(r.Damaged) > 0: // the index says that it is one of those; what can be read of it need not
		for _, x := range r.Damaged {
			q.t.damages.saw(x)
		}
	case !q.f.selects(r): // another id with the same hash, or one of too many lines
		return nil, nil
	}
	return r, nil
}

func asTime(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
