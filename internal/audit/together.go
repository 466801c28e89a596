package audit

import (
	"context"
	"runtime"
)

const (
	// togetherRecords is how many records a goroutine reads at a time, and
	// togetherTexts how many where it looks for a text in bodies.
	togetherRecords = 128
	togetherTexts   = 16
	// togetherMost bounds how many goroutines read for one query.
	togetherMost = 4
)

// batch is a part of the hits, read by one goroutine.
type batch struct {
	hits    []hit
	records []*Record // nil where there is none
	text    []byte    // of those that were rendered
	count   int       // of these
	err     error     // of the record behind records
	done    chan struct{}
}

// together walks the hits, has goroutines read their records, and hands these on
// in order. Of bodies there are no more in memory than goroutines.
func (q *search) together(ctx context.Context) error {
	n := min(runtime.GOMAXPROCS(0), togetherMost)
	work, order := make(chan *batch), make(chan *batch, 2*n)
	var walked error
	q.workers.Go(func() {
		defer close(order)
		defer close(work)
		walked = q.walk(ctx, work, order)
	})
	for range n {
		q.workers.Go(func() {
			from := newFrames(q.t.ids, q.t.dir, q.t.compressor)
			defer from.close()
			for b := range work {
				q.fill(ctx, from, b)
				close(b.done)
			}
		})
	}
	for b := range order {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := q.hand(b); err != nil {
			return err
		}
	}
	return walked
}

// walk makes batches of the hits.
func (q *search) walk(ctx context.Context, work, order chan<- *batch) error {
	size := togetherRecords
	if q.text != nil {
		size = togetherTexts
	}
	b := &batch{done: make(chan struct{})}
	send := func() error {
		for _, to := range []chan<- *batch{order, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		b = &batch{done: make(chan struct{})}
		return nil
	}
	err := q.t.merge(ctx, q.f, func(h hit) error {
		if b.hits = append(b.hits, h); len(b.hits) < size {
			return nil
		}
		return send()
	})
	if len(b.hits) > 0 && err == nil {
		err = send()
	}
	return err
}

// fill reads the records of a batch.
func (q *search) fill(ctx context.Context, from *frames, b *batch) {
	for _, h := range b.hits {
		if b.err = ctx.Err(); b.err != nil {
			return
		}
		var r *Record
		if q.text == nil || q.text.mayBeIn(from, h) {
			if r, b.err = q.read(from, h, q.text != nil); b.err != nil {
				return
			}
		}
		if q.text != nil && r != nil {
			if q.text.in(r) {
				r.dropBodies()
			} else {
				r = nil
			}
		}
		switch {
		case q.render == nil:
			b.records = append(b.records, r)
		case r != nil:
			if b.text, b.err = q.render(b.text, r); b.err != nil {
				return
			}
			b.count++
		}
	}
}

// dropBodies keeps the bodies of a record out of memory.
func (r *Record) dropBodies() {
	r.RequestBody, r.ResponseBody = nil, nil
	for i := range r.Parts {
		r.Parts[i].Body = nil
	}
}

// hand hands the records of a batch on.
func (q *search) hand(b *batch) error {
	if b.count > 0 {
		if err := q.write(b.text); err != nil {
			return err
		}
		q.given += b.count
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
			if whole == nil || err != nil {
				return err
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
	if p := q.f.Patience; q.text != nil && p > 0 && q.t.now().Sub(q.begun) >= p {
		last := b.hits[len(b.hits)-1]
		return &Unfinished{At: Cursor{asTime(last.time), last.seq}}
	}
	return nil
}
