package audit

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// retain drops the partitions that are older than the retention and that no
// hold keeps, and records each: verify accepts that something is missing only
// where the trail itself tells of it. The last partition always stays.
func (t *Trail) retain(today day) error {
	if t.retention <= 0 {
		return nil
	}
	parts := t.readers.list()
	if err := t.leapt(parts); err != nil {
		return err
	}
	kept := 0
	for i := 0; i < len(parts)-1 && parts[i].span.day < today-day(t.retention); i++ {
		dropped, err := t.dropUnheld(parts[i], parts[i+1], kept == 0)
		if err != nil {
			return err
		}
		if !dropped {
			kept++
		}
	}
	return nil
}

const (
	// leapDays is how many days without a record make a new one doubtful: more
	// likely the clock is wrong than the gateway was away for so long.
	leapDays = 31
	// leapWait is how long retention then waits for the clock to be mended. What it
	// drops does not come back.
	leapWait = time.Hour
)

// leapt is an error while the last partition began a moment ago and long after
// the one before.
func (t *Trail) leapt(parts []part) error {
	n := len(parts)
	if n < 2 || parts[n-1].span.day-parts[n-2].span.day <= leapDays {
		return nil
	}
	last := parts[n-1].span.day
	h, _, err := readSegmentMeta(t.dir, last)
	if isTorn(err) {
		return nil // when it began is not known
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", last.logName(), err)
	}
	if since := t.now().Sub(asTime(h.time)); since >= 0 && since < leapWait {
		return fmt.Errorf("the clock went from %s to %s: no day is dropped for an hour; if the clock is wrong, put it right before",
			parts[n-2].span.day, last)
	}
	return nil
}

// dropUnheld drops p unless a hold keeps it. No hold comes or goes meanwhile.
func (t *Trail) dropUnheld(p, next part, leads bool) (bool, error) {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	if held, err := t.heldBy(p.span.day); held || err != nil {
		return false, err
	}
	return true, t.dropPartition(p, next, leads)
}

// dropPartition tells of the drop and then does it. leads says that no
// partition is before p. Requests wait for nothing of this but their turn
// behind the event.
func (t *Trail) dropPartition(p, next part, leads bool) error {
	var known gaps
	if err := t.writer.exclusive(func() error { known = t.writer.gaps; return nil }); err != nil {
		return err
	}
	x, lost := t.extent(p, next, leads, known)
	for _, l := range lost {
		known = known.with(l)
		if err := t.tellLost(l); err != nil {
			return err
		}
	}
	if told, ok := known.at(x.First); !ok || told.Last < x.Last { // else a crash came between telling and doing
		if err := t.tellDropped(p.span.day, x, known); err != nil {
			return err
		}
	}
	// Only what a signature covers excuses that something is missing.
	if err := t.Checkpoint(); err != nil {
		return err
	}
	t.readers.drop(p.partition)
	t.removeIndexOf(p)
	// Whoever reads segments in order has opened this one, or finds it gone
	// from the list.
	t.walking.Lock()
	defer t.walking.Unlock()
	return os.Remove(filepath.Join(t.dir, p.span.day.logName()))
}

// removeIndexOf removes the index of a dropped partition; one that is being
// built goes when it is done. What a crash leaves, the next Open removes.
func (t *Trail) removeIndexOf(p part) {
	remove := func() {
		defer p.building.Unlock()
		if err := removeIndex(filepath.Join(t.dir, p.span.day.dbName())); err != nil {
			t.log.Warn("removing the index of a dropped partition", zap.String("file", p.span.day.dbName()), zap.Error(err))
		}
	}
	if p.building.TryLock() {
		remove()
		return
	}
	t.removing.Go(func() {
		p.building.Lock()
		remove()
	})
}

// extent finds out which frames go with p. lost are those around it that are
// missing and that nothing tells of; they are told of now, so that verify
// names them for as long as that is kept, and not for ever.
func (t *Trail) extent(p, next part, leads bool, known gaps) (x gap, lost []gap) {
	h, _, err := readSegmentMeta(t.dir, p.span.day)
	x = gap{First: h.seq, Prev: hex.EncodeToString(h.prev[:])}
	if leads {
		before := gap{First: 1, Last: h.seq - 1, Prev: beginning, Hash: x.Prev}
		told, ok := known.at(1)
		switch {
		case err != nil && ok:
			x.First, x.Prev = told.Last+1, told.Hash
		case err != nil:
			x.First, x.Prev = 1, beginning
		case h.seq > 1 && !(ok && told == before):
			lost = append(lost, before)
		}
	}
	after, meta, err := readSegmentMeta(t.dir, next.span.day)
	if m := meta.Previous; err == nil && m != nil && m.Day == p.span.day.String() {
		x.Last, x.Hash = m.Sequence, m.Hash
		return x, lost
	}
	if g, ok := known.after(x.First); ok && err == nil && g.Last < after.seq {
		x.Last, x.Hash = g.First-1, g.Prev
		return x, lost
	}
	x.Last, x.Hash = lastFrame(t.dir, p.span.day, x)
	if rest := (gap{x.Last + 1, after.seq - 1, x.Hash, hex.EncodeToString(after.prev[:])}); err == nil && rest.First <= rest.Last {
		lost = append(lost, rest)
	}
	return x, lost
}

// lastFrame goes through a segment to the last frame that can be read.
func lastFrame(dir string, d day, x gap) (uint64, string) {
	last, hash := x.First, x.Prev
	s, err := scanSegment(dir, d, 0, false)
	if err != nil {
		return last, hash
	}
	defer s.close()
	for {
		h, _, err := s.skimOn()
		if err != nil {
			return last, hash
		}
		last, hash = h.seq, hex.EncodeToString(h.chain[:])
	}
}

func (t *Trail) tellDropped(d day, x gap, known gaps) error {
	e := &Event{Kind: KindPartitionDropped, TargetType: "partition", TargetName: d.String(), Metadata: map[string]string{
		"day": d.String(), metaFirst: strconv.FormatUint(x.First, 10), metaLast: strconv.FormatUint(x.Last, 10),
		metaPrev: x.Prev, metaHash: x.Hash, "retentionDays": strconv.Itoa(t.retention),
	}}
	if whole, ok := known.with(x).at(x.First); ok {
		whole.describe(e.Metadata)
	}
	return t.Event(e)
}

func (t *Trail) tellLost(x gap) error {
	e := &Event{Kind: KindRecordsMissing, TargetType: "trail", Metadata: map[string]string{
		"firstMissed": strconv.FormatUint(x.First, 10), "lastMissed": strconv.FormatUint(x.Last, 10),
	}}
	x.describe(e.Metadata)
	return t.Event(e)
}

// removeOrphans removes indexes that have no segment: a crash can leave them.
func removeOrphans(dir string, has func(day) bool) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return fmt.Errorf("listing indexes: %w", err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		d, err := parseDay(name[:len(name)-len(".db")])
		if err != nil || has(d) {
			continue
		}
		if err := removeIndex(path); err != nil {
			return fmt.Errorf("removing an index: %w", err)
		}
	}
	return nil
}
