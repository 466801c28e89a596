package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// indexQueue bounds how many frames wait in memory; when more do, the
	// indexer reads them back from the segments.
	indexQueue = 1 << 15
	// indexBatch bounds a transaction of the index.
	indexBatch = 4096
	// indexGather is how long frames are gathered for a transaction when no
	// query waits.
	indexGather = 100 * time.Millisecond
	// indexRetry is the pause after an index could not be written.
	indexRetry = time.Second
	// indexPatience is how long a query waits for the index.
	indexPatience = 10 * time.Second
)

// indexer keeps the index up with the log, behind the requests.
type indexer struct {
	dir  string
	boot string
	log  *zap.Logger
	saw  func(Damage)
	wake chan struct{} // there is something to do
	stop chan struct{}
	over chan struct{}

	mu       sync.Mutex // guards the following fields
	queue    []item
	lost     bool   // frames were not queued: read them back
	pushed   uint64 // sequence of the last frame the writer told of
	done     position
	open     map[string]*row // under way at done
	urgent   bool            // a query waits
	progress chan struct{}   // closed and replaced when done moves
	err      error
	errs     uint64

	// The following fields belong to the goroutine.
	table *table
	times timeRange // of the records in table
	spare []item
}

// push tells the indexer of frames that were written.
func (x *indexer) push(items []item) {
	x.mu.Lock()
	x.pushed = items[len(items)-1].at.seq
	first := len(x.queue) == 0
	if len(x.queue)+len(items) > indexQueue {
		x.lost, x.queue = true, nil
	}
	if !x.lost {
		x.queue = append(x.queue, items...)
	}
	x.mu.Unlock()
	if first {
		x.signal()
	}
}

func (x *indexer) signal() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run indexes until stop is closed, and then what is left.
func (x *indexer) run() {
	defer close(x.over)
	for {
		select {
		case <-x.wake:
			x.gather()
			if err := x.step(); err != nil {
				x.pause()
			}
		case <-x.stop:
			// Once more for what was queued, and again if that has to be
			// read back; a failure is mended at the next Open.
			for range 3 {
				if x.step() != nil || x.idle() {
					return
				}
			}
			return
		}
	}
}

func (x *indexer) idle() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.done.seq >= x.pushed
}

// gather lets frames come together, unless a query waits for them.
func (x *indexer) gather() {
	timer := time.NewTimer(indexGather)
	defer timer.Stop()
	for {
		x.mu.Lock()
		ready := x.urgent || x.lost || len(x.queue) >= indexBatch
		x.mu.Unlock()
		if ready {
			return
		}
		select {
		case <-x.wake:
		case <-timer.C:
			return
		case <-x.stop:
			return
		}
	}
}

// pause waits after a failure and then has another try.
func (x *indexer) pause() {
	select {
	case <-time.After(indexRetry):
	case <-x.stop:
	}
	x.signal()
}

// step indexes what is queued. After a failure the frames are read back from
// the segments at the next step.
func (x *indexer) step() error {
	x.mu.Lock()
	batch, lost := x.queue, x.lost
	x.queue, x.spare = x.spare[:0], nil
	x.urgent = false
	x.mu.Unlock()

	var err error
	if lost {
		err = x.catchUp()
	} else {
		err = x.apply(batch)
	}
	clear(batch)

	x.mu.Lock()
	defer x.mu.Unlock()
	x.spare = batch[:0]
	if errors.Is(err, errGap) || errors.Is(err, errDropped) {
		x.lost = true
		defer x.signal()
		return nil
	}
	if err != nil {
		if x.err == nil || x.err.Error() != err.Error() {
			x.log.Warn("the index of the trail is not written; the trail itself is", zap.Error(err))
		}
		x.lost, x.err = true, err
		x.errs++
		return err
	}
	x.err = nil
	return nil
}

// errGap says that queued frames do not follow on what is indexed.
var errGap = errors.New("frames were not queued")

// apply indexes items, which may begin with some that are indexed already.
func (x *indexer) apply(items []item) error {
	for len(items) > 0 && items[0].at.seq <= x.done.seq {
		items = items[1:]
	}
	for len(items) > 0 {
		if items[0].at.seq != x.done.seq+1+items[0].lost {
			return errGap
		}
		if items[0].kind == frameSegment && items[0].at.day != x.done.day {
			if err := x.turn(items[0].at); err != nil {
				return err
			}
		}
		n := 1
		for n < len(items) && n < indexBatch && items[n].kind != frameSegment {
			n++
		}
		if err := x.commit(items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// turn completes the index of a day that has ended.
func (x *indexer) turn(next position) error {
	if x.done.seq > 0 {
		if err := x.attach(); err != nil {
			return err
		}
		t := x.table
		x.table = nil
		state := x.state(x.done, nil, nil, x.times)
		state.complete = true
		if err := t.finish(state); err != nil {
			return err
		}
	}
	x.mu.Lock()
	x.done.day, x.done.off, x.done.last = next.day, 0, 0
	x.mu.Unlock()
	x.times = noTimes
	return nil
}

// attach opens the index of the day that done is in. An index that is not as
// far as done, since it is new or was removed, is filled from the segment.
func (x *indexer) attach() error {
	if x.table != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(x.dir, x.done.day.logName())); errors.Is(err, os.ErrNotExist) {
		return errDropped
	}
	path := filepath.Join(x.dir, x.done.day.dbName())
	t, state, err := openTable(path, x.boot, x.done.day)
	if err != nil {
		return err
	}
	if x.done.off == 0 && state.pos.seq > 0 { // left by a segment that is gone
		t.close()
		if err := removeIndex(path); err != nil {
			return fmt.Errorf("removing the index: %w", err)
		}
		if t, state, err = openTable(path, x.boot, x.done.day); err != nil {
			return err
		}
	}
	if x.done.off > 0 && state.pos != x.done {
		t.close()
		if state, err = buildIndex(context.Background(), x.dir, x.done.day, x.done.seq, x.boot, false, x.saw); err != nil {
			return err
		}
		if t, _, err = openTable(path, x.boot, x.done.day); err != nil {
			return err
		}
	}
	x.table, x.times = t, state.times
	return nil
}

// commit indexes items of one segment in one transaction.
func (x *indexer) commit(items []item) error {
	if err := x.attach(); err != nil {
		return err
	}
	var rows []*row
	begun := map[string]*row{}
	ended := map[string]bool{}
	times := x.times
	for _, it := range items {
		switch {
		case it.row == nil:
		case !it.completes():
			begun[it.row.id] = it.row
		default:
			if it.kind == frameEnd {
				delete(begun, it.row.id)
				ended[it.row.id] = true
			}
			rows = append(rows, it.row)
			times.add(it.row.time)
		}
	}
	at := items[len(items)-1].at
	if err := x.table.commit(rows, x.state(at, begun, ended, times)); err != nil {
		x.table.close()
		x.table = nil
		return err
	}
	x.times = times
	x.mu.Lock()
	defer x.mu.Unlock()
	for id := range ended {
		delete(x.open, id)
	}
	maps.Copy(x.open, begun)
	x.done = at
	close(x.progress)
	x.progress = make(chan struct{})
	return nil
}

func (x *indexer) state(at position, begun map[string]*row, ended map[string]bool, times timeRange) tableState {
	s := tableState{pos: at, times: times}
	for id, r := range x.open {
		if !ended[id] {
			if begun[id] == nil {
				s.open = append(s.open, r.openPlace())
			}
		}
	}
	for _, r := range begun {
		s.open = append(s.open, r.openPlace())
	}
	return s
}

// catchUp indexes from the segments what was written and not queued.
func (x *indexer) catchUp() error {
	x.mu.Lock()
	x.lost, x.queue = false, nil
	target := x.pushed
	x.mu.Unlock()
	days, err := listDays(x.dir)
	if err != nil {
		return err
	}
	if !slices.Contains(days, x.done.day) {
		if err := x.skip(days); err != nil {
			return err
		}
	}
	for _, d := range days {
		if d < x.done.day || x.done.seq >= target {
			continue
		}
		if err := x.leap(d); err != nil {
			return fmt.Errorf("indexing %s: %w", d.logName(), err)
		}
		if err := x.catchUpDay(d, target); err != nil {
			return fmt.Errorf("indexing %s: %w", d.logName(), err)
		}
	}
	if x.done.seq < target {
		return fmt.Errorf("the segments end at record %d of %d", x.done.seq, target)
	}
	return nil
}

// skip goes on at the first segment there is when retention has dropped the
// one that was being indexed.
func (x *indexer) skip(days []day) error {
	i := slices.IndexFunc(days, func(d day) bool { return d > x.done.day })
	if i < 0 {
		return errDropped
	}
	b, err := readBegin(x.dir, days[i])
	if err != nil {
		return err
	}
	if x.table != nil {
		x.table.close()
		x.table = nil
	}
	x.goOn(days[i], b)
	return nil
}

// goOn makes the segment of d, which begins with b, the next to index.
func (x *indexer) goOn(d day, b segmentBegin) {
	x.times = noTimes
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done = position{day: d, seq: b.seq - 1, hash: b.prev}
	if b.why == nil { // else what was under way is what it was at the end of the day before
		x.open = carriedOver(x.dir, b.meta)
	}
}

// leap passes over partitions that were dropped between the one that was being
// indexed, which a hold keeps, and that of d; and over what is damaged where d
// begins.
func (x *indexer) leap(d day) error {
	if d == x.done.day {
		return nil
	}
	b, err := readBegin(x.dir, d)
	if err != nil || b.why == nil && b.seq <= x.done.seq+1 {
		return err
	}
	if err := x.turn(position{day: d}); err != nil {
		return err
	}
	x.goOn(d, b)
	return nil
}

func (x *indexer) catchUpDay(d day, target uint64) error {
	off := int64(0)
	if d == x.done.day {
		off = x.done.off
	}
	s, err := scanSegment(x.dir, d, off, false)
	if err != nil {
		return err
	}
	defer s.close()
	s.saw = x.saw
	known := maps.Clone(x.open)
	for last := x.done.seq; last < target; {
		var items []item
		items, last, err = readItems(s, known, last, target)
		if applyErr := x.apply(items); applyErr != nil {
			return applyErr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readItems reads up to a batch of frames, behind the sequence last and none
// behind target, and passes over what is damaged. known is kept up with what is
// under way.
func readItems(s *scanner, known map[string]*row, last, target uint64) ([]item, uint64, error) {
	var items []item
	var lost uint64
	for len(items) < indexBatch && last < target {
		h, content, err := s.next()
		if isTorn(err) {
			on, found, lookErr := s.passDamage(last, err)
			if found {
				lost, last = lost+on-last, on
				continue
			}
			err = cmp.Or(lookErr, err)
		}
		if err != nil {
			return items, last, err
		}
		it, err := decodeItem(&h, content[:h.meta], s.at(&h), func(id string) *row { return known[id] })
		if isTorn(err) {
			s.noted(Damage{Day: s.day.String(), Offset: it.at.last, Sequence: h.seq, Reason: err.Error()})
			err = nil
		}
		if err != nil {
			return items, last, err
		}
		it.lost, lost = lost, 0
		it.keep(known)
		items, last = append(items, it), h.seq
	}
	return items, last, nil
}

// wait returns when everything up to seq is in the index.
func (x *indexer) wait(ctx context.Context, seq uint64) error {
	patience := time.NewTimer(indexPatience)
	defer patience.Stop()
	for {
		x.mu.Lock()
		done, err, progress := x.done.seq, x.err, x.progress
		x.urgent = x.urgent || done < seq
		x.mu.Unlock()
		if done >= seq {
			return nil
		}
		x.signal()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			if err != nil {
				return fmt.Errorf("%w: %d records: %w", ErrIndexBehind, seq-done, err)
			}
			return fmt.Errorf("%w: %d records", ErrIndexBehind, seq-done)
		case <-x.over:
			return ErrClosed
		}
	}
}

// underWay returns the exchanges that are begun and not ended, as far as the
// index has come, in order.
func (x *indexer) underWay() []*row {
	x.mu.Lock()
	rows := slices.Collect(maps.Values(x.open))
	x.mu.Unlock()
	slices.SortFunc(rows, compareRows)
	return rows
}

// close indexes what is left and closes the index.
func (x *indexer) close() {
	close(x.stop)
	<-x.over
	if x.table == nil {
		return
	}
	if err := x.table.finish(x.state(x.done, nil, nil, x.times)); err != nil {
		x.log.Warn("the index of the trail was not closed in order; it is built anew when needed", zap.Error(err))
	}
	x.table = nil
}

// position returns how far the index goes.
func (x *indexer) position() position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.done
}
