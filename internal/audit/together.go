package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"
)

const (
	// togetherRecords is how many records a goroutine reads at a time, and
	// togetherTexts where it looks for texts: fewer to begin with, so that what is
	// everywhere is found at once, and then as many as are worth reading ahead.
	togetherRecords = 128
	togetherTexts   = 512
	textsFirst      = 16
	// togetherSpan bounds how far from each other in a segment they are.
	togetherSpan = 1 << 20
	// togetherMost bounds how many goroutines read for one query.
	togetherMost = 4
)

// batch is a part of the hits, read by one goroutine.
type batch struct {
	hits    []hit
	records []*Record  // nil where there is none; empty where texts are made of them
	texts   chan chunk // that were made of records
	err     error      // of the record behind records
	over    bool       // time was up behind the last of hits
	done    chan struct{}
}

func (q *search) batch() *batch {
	b := &batch{done: make(chan struct{})}
	if q.render != nil {
		b.texts = make(chan chunk, 1)
	}
	return b
}

// together walks the hits, has goroutines read their records, and hands these on
// in order. Of bodies there are no more in memory than goroutines.
func (q *search) together(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	n := min(runtime.GOMAXPROCS(0), togetherMost)
	work, order := make(chan *batch), make(chan *batch, n)
	var walked error
	q.workers.Go(func() {
		defer close(order)
		defer close(work)
		walked = q.guarded(func() error { return q.walk(ctx, work, order) })
	})
	q.spare = make(chan []byte, 2*n)
	for i := range n {
		if i > 0 && q.render != nil {
			if !q.t.downloads.more.TryAcquire(1) {
				break
			}
			defer q.t.downloads.more.Release(1)
		}
		q.workers.Go(func() {
			w := q.worker(ctx)
			defer w.frames.close()
			for b := range work {
				w.fill(b)
			}
		})
	}
	defer q.workers.Wait()
	defer cancel()
	for b := range order {
		if err := q.hand(ctx, b); err != nil {
			return err
		}
	}
	return walked
}

// walk makes batches of the hits.
func (q *search) walk(ctx context.Context, work, order chan<- *batch) error {
	size := togetherRecords
	if q.text != nil {
		size = textsFirst
	}
	b, span := q.batch(), int64(0)
	send := func() error {
		for _, to := range []chan<- *batch{order, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if q.text != nil {
			size = min(2*size, togetherTexts)
		}
		b, span = q.batch(), 0
		return nil
	}
	err := q.t.merge(ctx, q.f, func(h hit) error {
		if n := len(b.hits); n > 0 {
			span += far(b.hits[n-1].first, h.first)
		}
		if b.hits = append(b.hits, h); len(b.hits) < size && span < togetherSpan {
			return nil
		}
		return send()
	})
	if len(b.hits) > 0 && err == nil {
		err = send()
	}
	return err
}

// far is how far two places of one segment are from each other.
func far(a, b place) int64 {
	if a.day != b.day || a.off < 0 || b.off < 0 {
		return 0
	}
	return max(a.off-b.off, b.off-a.off)
}

// worker reads records for a search.
type worker struct {
	*search
	ctx    context.Context
	frames *frames
	text   *searching // nil: no text is looked for
	out    *outlet
}

func (q *search) worker(ctx context.Context) *worker {
	w := &worker{search: q, ctx: ctx, frames: newFrames(q.t.ids, q.t.dir, q.t.compressor)}
	if q.text != nil {
		w.text = q.text.through(w.frames)
	}
	if q.render != nil {
		w.out = &outlet{ctx: ctx, spare: q.spare, buf: newChunk()}
		w.frames.again = true
		if q.pieces {
			w.frames.most = bodiesAtOnce
		}
	}
	return w
}

// fill reads the records of a batch.
func (w *worker) fill(b *batch) {
	defer close(b.done)
	if w.out == nil {
		b.err = w.guarded(func() error {
			return w.each(b, func(r *Record) error {
				b.records = append(b.records, r)
				return nil
			})
		})
		return
	}
	defer close(b.texts)
	w.out.to = b.texts
	b.err = w.guarded(func() error { return w.each(b, w.put) })
	if err := w.out.flush(); b.err == nil {
		b.err = err
	}
}

// errDefect ends a search in which the gateway itself has failed.
var errDefect = errors.New("a defect of the gateway ended the search; the log has the stack of it")

// guarded calls do on a goroutine of a search, where a panic would end the process:
// it ends the search. What was panicked with may hold a piece of a record, and is
// not told unless the runtime made it.
func (q *search) guarded(do func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = errDefect
		reason := fmt.Sprintf("%T", v)
		if e, ok := v.(runtime.Error); ok {
			reason = e.Error()
		}
		q.t.log.Error("panic while the trail was searched", zap.String("reason", reason), zap.ByteString("stack", debug.Stack()))
	}()
	return do()
}

// each calls fn with the record of each hit, nil where there is none.
func (w *worker) each(b *batch, fn func(*Record) error) error {
	for i, h := range b.hits {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		r, err := w.find(h)
		if err == nil {
			err = fn(r)
		}
		if err != nil {
			return err
		}
		if i+1 >= textsFirst && w.late() {
			b.hits, b.over = b.hits[:i+1], true
			return nil
		}
	}
	return nil
}

// find reads a record, nil when it is not one of those that are looked for. It has
// its bodies only where texts are made of records.
func (w *worker) find(h hit) (*Record, error) {
	bodies := w.out != nil && w.f.Bodies
	if w.text == nil {
		return w.read(w.frames, h, bodies)
	}
	may, err := w.text.mayHold(h)
	if err != nil {
		// Reading the record says better what is wrong with it. Where it is damaged
		// the text may have been in it.
		if r, err := w.read(w.frames, h, true); r == nil || err != nil || len(r.Damaged) > 0 {
			return r, err
		}
		return nil, fmt.Errorf("searching a record for a text: %w", err)
	}
	if !may {
		return nil, nil
	}
	r, err := w.read(w.frames, h, false)
	if r == nil || err != nil || !w.text.except(r, w.text.bodies) {
		return nil, err
	}
	if bodies {
		return w.read(w.frames, h, true)
	}
	return r, nil
}

// put makes text of a record.
func (w *worker) put(r *Record) (err error) {
	o := w.out
	switch {
	case r == nil:
		return nil
	case r.unread == nil:
		o.buf, err = w.render(o.buf, r)
	default:
		if err = o.long(w.frames, r); err == nil {
			o.buf = append(o.buf, '\n')
		}
	}
	if err != nil {
		return err
	}
	if o.count++; o.full() || w.f.Limit+w.f.Skip > 0 { // these are counted one by one
		return o.flush()
	}
	return nil
}

// late reports whether a search for a text has taken as long as it may.
func (q *search) late() bool {
	p := q.f.Patience
	return q.text != nil && p > 0 && q.t.now().Sub(q.begun) >= p
}

// hand hands what was read for a batch on.
func (q *search) hand(ctx context.Context, b *batch) error {
	if err := q.handTexts(ctx, b.texts); err != nil {
		return err
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, r := range b.records {
		if r == nil {
			continue
		}
		if q.skip > 0 {
			q.skip--
			continue
		}
		if q.f.Bodies {
			whole, err := q.read(q.frames, b.hits[i], true)
			if err != nil {
				return err
			}
			if whole == nil {
				continue // retention has dropped it since
			}
			r = whole
		}
		if err := q.give(r); err != nil {
			return err
		}
	}
	if b.err != nil {
		return b.err
	}
	if b.over || q.late() {
		last := b.hits[len(b.hits)-1]
		return &Unfinished{At: Cursor{asTime(last.time), last.seq}}
	}
	return nil
}

// handTexts hands on what was made of a batch, while it is made.
func (q *search) handTexts(ctx context.Context, texts <-chan chunk) error {
	for texts != nil {
		select {
		case c, more := <-texts:
			if !more {
				return nil
			}
			if q.skip > 0 {
				q.skip -= c.count
				continue
			}
			if err := q.write(c.text); err != nil {
				return err
			}
			q.given += c.count
			if q.left -= c.count; q.left <= 0 {
				return errStop
			}
			c.reuse(q.spare)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
