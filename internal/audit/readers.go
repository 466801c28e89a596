package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// idleReaders is how many indexes stay open for reading when no query uses
// them.
const idleReaders = 24

// span says what a partition holds.
type span struct {
	day   day
	first uint64    // sequence of the first frame
	last  uint64    // sequence of the last frame; 0: it is still written, or not known
	times timeRange // of the records that ended in it, when it is not written any more
}

// everAt is the range of a partition that is still written.
var everAt = timeRange{math.MinInt64, math.MaxInt64}

// partition is a day of the trail as queries see it.
type partition struct {
	span // guarded by readers.mu, as are the following fields

	db      *sql.DB
	refs    int
	used    uint64
	dropped bool

	building sync.Mutex  // held while the index is checked and built
	checked  bool        // guarded by building
	named    atomic.Bool // there is a file of names
}

// readers hands out indexes for reading.
type readers struct {
	dir  string
	boot string
	saw  func(Damage) // told of what is damaged
	// guard, where it is set, keeps other processes from building indexes.
	guard func() (release func(), err error)

	stop chan struct{}
	over chan struct{} // nil: nobody tends the files of names

	mu    sync.Mutex // guards the following fields
	parts []*partition
	tick  uint64
}

func newReaders(dir, boot string, state *found, saw func(Damage)) *readers {
	r := &readers{dir: dir, boot: boot, saw: saw, stop: make(chan struct{})}
	for i, info := range state.partitions {
		p := &partition{span: span{day: info.day, first: info.first, times: everAt}}
		if i+1 < len(state.partitions) {
			p.ends(state.partitions[i+1])
			p.endsBeforeGap(dir, state.gaps, state.partitions[i+1])
		}
		r.parts = append(r.parts, p)
	}
	return r
}

// ends fills in what the start of the next segment says about p.
func (p *partition) ends(next partitionInfo) {
	m := next.previous
	if !next.readable || m == nil || m.Day != p.day.String() {
		return
	}
	p.last, p.times = m.Sequence, noTimes
	if m.From != nil && m.To != nil {
		p.times = timeRange{m.From.UnixNano(), m.To.UnixNano()}
	}
}

// endsBeforeGap finds the end of a partition whose successor was dropped or does
// not tell it; the times of its records are known when its index is opened.
func (p *partition) endsBeforeGap(dir string, known gaps, next partitionInfo) {
	if p.last != 0 {
		return
	}
	if g, ok := known.after(p.first); ok && next.readable && g.Last < next.first {
		p.last = g.First - 1
		return
	}
	p.last, _ = lastFrame(dir, p.day, gap{First: p.first})
}

// add makes the segment that begins at pos known, and closes the one before.
func (r *readers) add(pos position, before timeRange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.parts); n > 0 {
		r.parts[n-1].last, r.parts[n-1].times = pos.seq-1, before
	}
	r.parts = append(r.parts, &partition{span: span{day: pos.day, first: pos.seq, times: everAt}})
}

// part is a partition with its span of one moment.
type part struct {
	span
	*partition
}

// list returns the partitions in order.
func (r *readers) list() []part {
	r.mu.Lock()
	defer r.mu.Unlock()
	parts := make([]part, len(r.parts))
	for i, p := range r.parts {
		parts[i] = part{p.span, p}
	}
	return parts
}

// errDropped says that retention removed the partition.
var errDropped = errors.New("the partition was dropped")

// acquire returns the index of p for reading; release gives it back. live says
// that the indexer is still at work on it.
func (r *readers) acquire(ctx context.Context, p part, live bool) (*sql.DB, error) {
	if !live {
		if err := r.check(ctx, p); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.dropped {
		return nil, errDropped
	}
	if p.db == nil {
		query := "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(5000)"
		if !live {
			query = endedIndex
		}
		db, err := r.open(p.span.day, query)
		if err != nil {
			return nil, err
		}
		p.db = db
	}
	p.refs++
	r.tick++
	p.used = r.tick
	return p.db, nil
}

// endedIndex opens the index of a partition that is not written any more. Up to
// idleReaders stay open, so that none may keep much in memory.
const endedIndex = "mode=ro&immutable=1&_pragma=cache_size(-500)"

func (r *readers) open(d day, query string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", indexURI(filepath.Join(r.dir, d.dbName()), query))
	if err != nil {
		return nil, fmt.Errorf("opening an index: %w", err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(1)
	return db, nil
}

// check makes sure that the index of a partition that has ended is whole.
func (r *readers) check(ctx context.Context, p part) error {
	p.building.Lock()
	defer p.building.Unlock()
	if r.gone(p) {
		return errDropped
	}
	if p.checked {
		return nil
	}
	if r.guard != nil {
		release, err := r.guard()
		if err != nil {
			return err
		}
		defer release()
	}
	if p.span.last == 0 {
		return r.checkLast(ctx, p)
	}
	if state, ok := r.whole(ctx, p); ok {
		r.settle(p, state)
		return nil
	}
	// The file is replaced: what was opened of it while it was written goes.
	r.mu.Lock()
	if p.refs == 0 {
		p.closeDB()
	}
	r.mu.Unlock()
	state, err := buildIndex(ctx, r.dir, p.span.day, p.span.last, r.boot, true, r.saw)
	if err != nil {
		return err
	}
	r.settle(p, state)
	return nil
}

// settle notes what the whole index of a partition tells.
func (r *readers) settle(p part, state tableState) {
	p.checked = true
	if p.span.times == everAt {
		r.mu.Lock()
		defer r.mu.Unlock()
		p.partition.times = state.times
	}
}

// checkLast is check for a partition of which nothing but its own segment tells
// where it ends.
func (r *readers) checkLast(ctx context.Context, p part) error {
	t, state, err := openTable(filepath.Join(r.dir, p.span.day.dbName()), r.boot, p.span.day)
	if err != nil {
		return err
	}
	t.close()
	if !state.complete {
		if state, err = buildIndex(ctx, r.dir, p.span.day, wholeSegment, r.boot, true, r.saw); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.partition.last, p.partition.times, p.checked = state.pos.seq, state.times, true
	return nil
}

// whole returns the state of the index of a partition that has ended, false
// where it is not all of it. It keeps the index open. A journal beside it says
// that it was not closed in order.
func (r *readers) whole(ctx context.Context, p part) (tableState, bool) {
	path := filepath.Join(r.dir, p.span.day.dbName())
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			return r.journaled(p)
		}
	}
	db, err := r.open(p.span.day, endedIndex)
	if err != nil {
		return tableState{}, false
	}
	state, usable, err := readState(ctx, db, r.boot, p.span.day)
	if err != nil || !usable || !state.complete || state.pos.seq != p.span.last {
		db.Close()
		return state, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.refs > 0 || p.dropped {
		db.Close()
		return state, true
	}
	p.closeDB()
	p.db = db
	return state, true
}

// journaled is whole for an index with a journal.
func (r *readers) journaled(p part) (tableState, bool) {
	t, state, err := openTable(filepath.Join(r.dir, p.span.day.dbName()), r.boot, p.span.day)
	if err != nil {
		return state, false
	}
	t.close()
	return state, state.complete && state.pos.seq == p.span.last
}

// gone reports whether retention has dropped p.
func (r *readers) gone(p part) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.dropped
}

// has reports whether the partition of d is in the trail.
func (r *readers) has(d day) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.parts, func(p *partition) bool { return p.day == d })
}

func (r *readers) release(p *partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.refs--
	if p.refs == 0 && p.dropped {
		p.closeDB()
		return
	}
	r.trim()
}

// trim closes the indexes that were used longest ago.
func (r *readers) trim() {
	var idle []*partition
	for _, p := range r.parts {
		if p.db != nil && p.refs == 0 {
			idle = append(idle, p)
		}
	}
	if len(idle) <= idleReaders {
		return
	}
	oldest := slices.MinFunc(idle, func(a, b *partition) int { return int(a.used) - int(b.used) })
	oldest.closeDB()
}

func (p *partition) closeDB() {
	if p.db != nil {
		p.db.Close()
		p.db = nil
	}
}

// drop forgets a partition; its index is closed when no query uses it any more.
func (r *readers) drop(p *partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = slices.DeleteFunc(slices.Clone(r.parts), func(q *partition) bool { return q == p })
	p.dropped = true
	if p.refs == 0 {
		p.closeDB()
	}
}

func (r *readers) close() {
	close(r.stop)
	if r.over != nil {
		<-r.over
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		p.dropped = true
		if p.refs == 0 {
			p.closeDB()
		}
	}
}
