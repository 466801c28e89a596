package sink

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

// batch collects entries whose data is in one buffer.
type batch struct {
	entries []Entry
	ends    []int // of the data of each
}

// gather collects entries until a limit is reached, or until there is nothing
// more and the oldest has waited long enough. The mark of the reader is behind
// them.
func (w *worker) gather() ([]Entry, error) {
	b := batch{}
	w.buf = w.buf[:0]
	var first time.Time
	for {
		room := min(w.limits.Entries-len(b.entries), readRecords)
		records, err := w.reader.Ready(w.ctx, room, min(readBytes, max(w.limits.Bytes-int64(len(w.buf)), 1)))
		if err != nil && len(b.entries) == 0 {
			return nil, err
		}
		w.skipped(w.reader.Gaps())
		for _, r := range records {
			if !w.unwanted(r) && !w.add(&b, r, false) {
				return nil, errUnkept
			}
		}
		if first.IsZero() && len(b.entries) > 0 {
			first = w.m.o.Now()
			w.figures.waiting(CompletedAt(b.entries[0].Record))
		}
		if err != nil || len(b.entries) >= w.limits.Entries || int64(len(w.buf)) >= w.limits.Bytes {
			break
		}
		if len(records) > 0 || w.reader.Behind() > 0 {
			if w.ctx.Err() != nil {
				return nil, w.ctx.Err()
			}
			if len(b.entries) == 0 {
				w.moved(w.reader.Mark()) // the filter let none of them pass
				w.keep()
			}
			// What a rare filter let pass does not wait for the rest of the backlog.
			if len(b.entries) == 0 || w.m.o.Now().Sub(first) < w.limits.Age {
				continue
			}
			break
		}
		wait := w.limits.Age - w.m.o.Now().Sub(first)
		if len(b.entries) == 0 || wait <= 0 || w.stopping() {
			break
		}
		w.pause(min(wait, time.Second))
	}
	return w.sealed(&b), nil
}

// unwanted reports whether a record is not for the sink, or is there already.
func (w *worker) unwanted(r *audit.Record) bool {
	completed := max(r.Sequence, r.EndSequence)
	// What was never confirmed is wanted however old it is: it never had its time there.
	tooOld := completed <= w.had && !w.since.IsZero() && r.Time.Before(w.since)
	return completed <= w.past || tooOld || !matches(&w.cfg.Filter, r)
}

// add puts a record into a batch, as the sink's settings let it out. What its
// format can't say is a dead letter. It is false when the worker is to stop before
// that could be kept.
func (w *worker) add(b *batch, r *audit.Record, again bool) bool {
	out := w.m.o.Trail.Outgoing(r, w.cfg.Bodies, w.cfg.BodyBytes)
	data, err := w.format(w.buf, out)
	e := Entry{Record: out, Again: again}
	if err != nil {
		for {
			err := w.bury(&e, fmt.Sprintf("it can't be said in the format %s", w.cfg.Format))
			if err == nil {
				return true
			}
			if !w.failed(fmt.Errorf("keeping a dead letter: %w", err)) {
				return false
			}
		}
	}
	w.buf = data
	b.entries = append(b.entries, e)
	b.ends = append(b.ends, len(data))
	return true
}

var errUnkept = errors.New("a dead letter could not be kept")

// sealed gives the entries their data.
func (w *worker) sealed(b *batch) []Entry {
	start := 0
	for i, end := range b.ends {
		b.entries[i].Data = w.buf[start:end:end]
		start = end
	}
	if int64(cap(w.buf)) > 2*w.limits.Bytes {
		w.buf = nil // one long record; the entries still have it
	}
	return b.entries
}

// CompletedAt is when a record was completed.
func CompletedAt(r *audit.Record) time.Time {
	if r.Outcome != nil && !r.Outcome.Time.IsZero() {
		return r.Outcome.Time
	}
	return r.Time
}

// skipped tells of what could not be read.
func (w *worker) skipped(gaps []audit.Gap) {
	for _, g := range gaps {
		n := g.To - g.From + 1
		w.store.skipped += n
		w.unsaved = true
		w.figures.skip(n)
		w.log.Error("records were not sent: the trail does not have them any more",
			zap.Uint64("from", g.From), zap.Uint64("to", g.To), zap.String("reason", g.Reason))
		w.event(KindSkipped, map[string]string{"from": number(g.From), "to": number(g.To), "reason": g.Reason})
	}
}
