package audit

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// What downloads hold in memory is bounded for all of them together: each has one
// worker, and some have more while there are more to be had.
const (
	// mostDownloads is how many run at a time; others wait.
	mostDownloads = 10
	// moreWorkers is how many workers there are besides the first of each.
	moreWorkers = 6
	// workerBytes bounds what a worker holds: blocks of segments, a frame, a piece
	// of a body, the bodies of a record that are not long, and texts that were made
	// and not written yet.
	workerBytes = 4 << 20
	// bodiesAtOnce is how much of the bodies of a record is in memory; of what is
	// longer there is a piece.
	bodiesAtOnce = 256 << 10
	// chunkBytes is about how much text is written at a time.
	chunkBytes = 128 << 10
)

// downloads is what the downloads of a trail share.
type downloads struct {
	first, more *semaphore.Weighted
}

func newDownloads() downloads {
	return downloads{semaphore.NewWeighted(mostDownloads), semaphore.NewWeighted(moreWorkers)}
}

// Export is Query for many records: render appends the text of one, on several
// goroutines at a time, and write is called with the texts of some, in order; it
// must not keep them. A record and its bodies are valid until render returns. It
// returns how many records that were. Where more than a few exports are under way
// it waits for its turn, so that all together have less than 64 MB in memory;
// Bodies takes that of the longest record more.
func (t *Trail) Export(ctx context.Context, f Filter, render func(dst []byte, r *Record) ([]byte, error), write func([]byte) error) (int, error) {
	return t.export(ctx, &search{f: &f, write: write, render: render})
}

// Lines exports the JSON of records, each on a line. With Bodies too its memory
// does not depend on how long they are; write may be called with a part of a line.
func (t *Trail) Lines(ctx context.Context, f Filter, write func([]byte) error) (int, error) {
	return t.export(ctx, &search{f: &f, write: write, pieces: true, render: func(dst []byte, r *Record) ([]byte, error) {
		dst, err := r.AppendJSON(dst)
		return append(dst, '\n'), err
	}})
}

func (t *Trail) export(ctx context.Context, q *search) (int, error) {
	if err := t.downloads.first.Acquire(ctx, 1); err != nil {
		return 0, fmt.Errorf("waiting for other exports to end: %w", err)
	}
	defer t.downloads.first.Release(1)
	err := t.search(ctx, q)
	return q.given, err
}

// chunk is text that was made of records.
type chunk struct {
	text  []byte
	count int // of records that end in it
}

// outlet hands on what a worker makes of a batch, in chunks.
type outlet struct {
	ctx   context.Context
	spare chan []byte // room for chunks
	to    chan<- chunk
	buf   []byte
	count int    // of records that end in buf
	rest  []byte // of a long body
}

func (o *outlet) full() bool { return len(o.buf) >= chunkBytes }

// flush hands on what there is.
func (o *outlet) flush() error {
	if len(o.buf) == 0 && o.count == 0 {
		return nil
	}
	select {
	case o.to <- chunk{o.buf, o.count}:
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
	o.count = 0
	select {
	case o.buf = <-o.spare:
	default:
		o.buf = newChunk()
	}
	return nil
}

func newChunk() []byte { return make([]byte, 0, chunkBytes+chunkBytes/4) }

// reuse takes back the room of a chunk that was written, unless it has grown large.
func (o chunk) reuse(spare chan<- []byte) {
	if cap(o.text) > 4*chunkBytes {
		return
	}
	select {
	case spare <- o.text[:0]:
	default:
	}
}
