package audit

import "time"

// Stats are counters since the trail was opened, and gauges.
type Stats struct {
	Sequence   uint64 `json:"sequence"` // of the last frame written
	Day        string `json:"day"`      // of the partition that is written, YYYY-MM-DD
	Frames     uint64 `json:"frames"`   // written since Open
	Bytes      uint64 `json:"bytes"`    // written since Open
	Writes     uint64 `json:"writes"`   // write calls since Open: Frames/Writes is the size of a group
	Syncs      uint64 `json:"syncs"`    // groups that were got onto the disk before their callers went on, since Open
	Failures   uint64 `json:"failures"` // refused or failed appends since Open
	Open       int    `json:"open"`     // exchanges under way
	Reserved   int64  `json:"reserved"` // bytes kept free for the outcomes of exchanges under way
	Partitions int    `json:"partitions"`
	Disk       Disk   `json:"disk"`
	Damaged    int    `json:"damaged"`              // places that are known to be damaged (Trail.Damaged)
	IndexLag   uint64 `json:"indexLag"`             // frames written and not yet in the index
	IndexErrs  uint64 `json:"indexErrors"`          // failed batches of the index since Open
	IndexErr   string `json:"indexError,omitempty"` // the last error of the index, "" while it works
}

// Stats returns counters and gauges.
func (t *Trail) Stats() Stats {
	pos, c := t.writer.position(), &t.writer.counters
	s := Stats{
		Sequence: pos.seq, Day: pos.day.String(),
		Frames: uint64(c.frames.Load()), Bytes: uint64(c.bytes.Load()), Writes: uint64(c.writes.Load()),
		Syncs: uint64(c.syncs.Load()), Failures: uint64(c.failures.Load()), Open: int(c.open.Load()), Reserved: c.reserved.Load(),
		Partitions: len(t.readers.list()), Disk: t.disk.current(), Damaged: len(t.Damaged()),
	}
	t.indexer.mu.Lock()
	defer t.indexer.mu.Unlock()
	if pos.seq > t.indexer.done.seq {
		s.IndexLag = pos.seq - t.indexer.done.seq
	}
	s.IndexErrs = t.indexer.errs
	if t.indexer.err != nil {
		s.IndexErr = t.indexer.err.Error()
	}
	return s
}

// Days are the UTC days, YYYY-MM-DD, of which the trail has a partition, in order.
func (t *Trail) Days() []string {
	parts := t.readers.list()
	days := make([]string, len(parts))
	for i, p := range parts {
		days[i] = p.span.day.String()
	}
	return days
}

// Oldest is the first UTC day that the trail holds.
func (t *Trail) Oldest() time.Time {
	if parts := t.readers.list(); len(parts) > 0 {
		return parts[0].span.day.start()
	}
	return dayOf(t.now()).start()
}
