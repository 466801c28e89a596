package audit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// runBytes bounds what is gathered into one write call.
	runBytes = 1 << 20
	// leadRounds is how many groups a leader writes for others before it
	// hands the lead on, so that its own caller is not kept for long.
	leadRounds = 4
)

// entry is one append under way: a frame with those that belong to it, or an
// operation that needs the log to itself.
type entry struct {
	frame  []byte // one behind the other
	kind   frameKind
	row    *row       // what the index will know; nil for the response half and for parts
	id     string     // of the exchange, for begin, part and end
	end    *Outcome   // for the response half
	part   storedPart // for a part
	bare   bool       // the body is not kept, only its length
	op     func() error
	placed *row     // set by place: what was told to the index
	gap    *gap     // what the event says was dropped
	before gaps     // set by place, with gap: those before it
	held   *holding // what the event says is held
	prior  *holding // set by place, with held: what was held before it
	err    error
	wake   chan bool // true: lead now; false: done
}

// writer appends frames to the segment of the day. Callers that come while
// another one writes are gathered and written together by one of them; a lone
// caller writes by itself and waits for nobody.
type writer struct {
	dir    string
	trail  string // id of the trail
	now    func() time.Time
	opener fileOpener
	index  func([]item) // told of every frame written, in order
	disk   *diskWatch

	mu     sync.Mutex // guards the following fields
	queue  []*entry
	spare  []*entry // the other of two slices that take turns as queue
	busy   bool     // somebody leads
	closed bool
	pos    position
	lo, hi int64       // times of the records ended in this segment
	shown  segmentFile // file, for those who do not lead
	synced position    // up to here the segment is on the disk

	ending   func()                // called before the segment ends
	since    atomic.Int64          // frames since the last checkpoint
	failing  atomic.Pointer[error] // why the last attempt failed; nil: it did not
	counters counters

	// The following fields belong to whoever leads.
	segment
	durability
}

// segment is the file that is written and what is known of it.
type segment struct {
	file     segmentFile
	next     position // with the run that is being gathered
	alloc    int64    // up to here writing needs no new room
	spared   bool     // the file system can take room ahead
	dirty    bool     // bytes of a failed write could not be cut off yet
	removed  bool     // the file was taken away from under the trail
	shut     bool     // the trail is closed
	open     map[string]*row
	reserved int64
	run      []byte
	gathered int // bytes of the run that is being gathered
	runOf    []*entry
	items    []item
	ended    timeRange // with the run that is being gathered
	before   timeRange // what ended was in the segment before
	gaps     gaps      // with the run that is being gathered
	holding  *holding  // with the run that is being gathered
}

type counters struct {
	frames, bytes, writes, syncs, failures, open, reserved atomic.Int64
}

// append writes e, alone or with others, and returns when it is with the
// operating system.
func (w *writer) append(e *entry) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.queue = append(w.queue, e)
	if w.busy {
		w.mu.Unlock()
		if lead := <-e.wake; !lead {
			return e.err
		}
		w.mu.Lock()
	}
	w.busy = true
	w.lead(e)
	return e.err
}

// lead writes what is queued, self among it, until the queue is empty or
// another one takes over. It is called with w.mu held and releases it.
func (w *writer) lead(self *entry) {
	for round := 1; ; round++ {
		group := w.queue
		w.queue, w.spare = w.spare[:0], nil
		w.mu.Unlock()

		w.commit(group)
		for i, e := range group {
			group[i] = nil
			if e != self {
				e.wake <- false
			}
		}

		w.mu.Lock()
		w.spare = group
		if len(w.queue) == 0 {
			w.busy = false
			break
		}
		if round == leadRounds {
			w.queue[0].wake <- true
			break
		}
	}
	w.mu.Unlock()
}

// commit gives each entry its place and writes them in as few calls as their
// sizes allow.
func (w *writer) commit(group []*entry) {
	today := dayOf(w.now())
	for _, e := range group {
		if e.op != nil {
			w.flush()
			e.err = e.op()
			continue
		}
		if e.err = w.admit(e, today); e.err != nil {
			w.counters.failures.Add(1)
			continue
		}
		if w.gathered+len(e.frame) > runBytes {
			w.flush()
		}
		w.place(e)
	}
	w.flush()
}

// place gives e the next place in the chain and adds it to the run.
func (w *writer) place(e *entry) {
	at, seq := place{w.next.day, w.next.off}, w.next.seq+1
	switch e.kind {
	case frameBegin:
		e.row.seq, e.row.first = seq, at
		e.placed = e.row
		w.open[e.id] = e.row
		w.reserved += endReserve
	case framePart:
		e.row = w.open[e.id]
		e.part.Sequence, e.part.Day, e.part.Offset = seq, at.day.String(), at.off
		e.placed = e.row.withPart(e.part)
		w.open[e.id] = e.placed
		w.reserved += partReserve
	case frameEnd:
		e.row = w.open[e.id]
		e.placed = e.row.completed(e.end, at)
		delete(w.open, e.id)
		w.reserved -= e.row.reserve()
	default:
		e.row.seq, e.row.first = seq, at
		e.placed = e.row
	}
	if e.kind != frameBegin && e.kind != framePart {
		w.ended.add(e.placed.time)
	}
	if e.gap != nil {
		e.before, w.gaps = w.gaps, w.gaps.with(*e.gap)
	}
	if e.held != nil {
		e.prior, w.holding = w.holding, e.held
	}
	for row, rest := e.placed, e.frame; len(rest) > 0; row = nil {
		n := sizeOf(rest)
		w.next.seq++
		w.next.hash = sealChain(rest[:n], w.next.seq, w.next.hash)
		w.next.last = w.next.off
		w.next.off += int64(n)
		w.items = append(w.items, item{kind: frameKind(rest[offKind]), at: w.next, row: row})
		rest = rest[n:]
	}
	w.gathered += len(e.frame)
	w.runOf = append(w.runOf, e)
}

// flush writes the run. If that fails the log is as it was before the run, and
// each entry of the run has the error.
func (w *writer) flush() {
	if len(w.runOf) == 0 {
		return
	}
	data := w.gather()
	w.mu.Lock()
	good, lo, hi := w.pos, w.lo, w.hi
	w.mu.Unlock()
	err := w.write(data, good.off)
	if err == nil {
		err = w.sync(good.off)
	}
	if err != nil {
		w.undo(err)
		w.next, w.ended = good, timeRange{lo, hi}
	} else {
		w.counters.frames.Add(int64(len(w.items)))
		w.counters.bytes.Add(int64(len(data)))
		w.since.Add(int64(len(w.items)))
		w.succeeded()
		w.publish()
	}
	w.counters.open.Store(int64(len(w.open)))
	w.counters.reserved.Store(w.reserved)
	clear(w.runOf)
	clear(w.items)
	w.runOf, w.items, w.gathered = w.runOf[:0], w.items[:0], 0
}

// gather returns the bytes of the run; a single frame is not copied.
func (w *writer) gather() []byte {
	if len(w.runOf) == 1 {
		return w.runOf[0].frame
	}
	w.run = w.run[:0]
	for _, e := range w.runOf {
		w.run = append(w.run, e.frame...)
	}
	return w.run
}

// publish makes the frames of the run known to readers and to the index.
func (w *writer) publish() {
	w.index(w.items)
	w.mu.Lock()
	w.pos, w.lo, w.hi, w.shown = w.next, w.ended.lo, w.ended.hi, w.file
	if w.each {
		w.synced = w.next
	}
	w.mu.Unlock()
}

// undo takes the entries of a run that was not written back out of what the
// writer knows.
func (w *writer) undo(err error) {
	for i := len(w.runOf) - 1; i >= 0; i-- {
		e := w.runOf[i]
		e.err = err
		w.counters.failures.Add(1)
		if e.gap != nil {
			w.gaps = e.before
		}
		if e.held != nil {
			w.holding = e.prior
		}
		switch e.kind {
		case frameBegin:
			delete(w.open, e.id)
			w.reserved -= endReserve
		case framePart:
			w.open[e.id] = e.row
			w.reserved -= partReserve
		case frameEnd:
			w.open[e.id] = e.row
			w.reserved += e.row.reserve()
		}
	}
	w.failing.Store(&err)
}

// write puts data at the end of the log, or leaves the log as it is.
func (w *writer) write(data []byte, off int64) error {
	w.counters.writes.Add(1)
	n, err := w.file.WriteAt(data, off)
	if err == nil {
		return nil
	}
	if n > 0 {
		w.dirty = true
		if cutErr := w.cut(off); cutErr != nil {
			return refused("writing the trail", fmt.Errorf("%w; cutting the half-written record off: %w", err, cutErr))
		}
	}
	return refused("writing the trail", err)
}

// cut shortens the segment to the last good frame. That gives up the room
// taken ahead too.
func (w *writer) cut(off int64) error {
	if err := w.file.Truncate(off); err != nil {
		return err
	}
	w.dirty = false
	w.alloc = off
	return nil
}

func (w *writer) succeeded() {
	if w.failing.Load() != nil {
		w.failing.Store(nil)
	}
}

// exclusive runs fn while nothing is being written.
func (w *writer) exclusive(fn func() error) error {
	return w.append(&entry{op: fn, wake: make(chan bool, 1)})
}

// position returns the end of the log.
func (w *writer) position() position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pos
}

// current returns the end of the log and the file it is in.
func (w *writer) current() (position, segmentFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pos, w.shown
}
