package sink

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

// playing is the replay that a worker is at. It has every second turn, and only
// one try in each: what fails or is refused again must not hold up what is new.
type playing struct {
	*Replay
	store  *store
	r      *audit.RangeReader
	wanted map[uint64]bool // nil: all of the range
	rest   []*audit.Record // that were read and are still to be sent
	few    int             // how many are sent at a time after one was refused; 0: all
	until  time.Time       // no try before
	tries  int             // that have failed, one after the other
	refuse int             // how many were refused, one after the other
}

// due reports whether it is time for the next try.
func (p *playing) due(now time.Time) bool { return !now.Before(p.until) }

// passed notes that a record needs no more sending.
func (p *playing) passed(r *audit.Record) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.At = max(r.Sequence, r.EndSequence)
}

// over reports whether it was cancelled.
func (p *playing) over() bool {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.Over()
}

// fault notes why the last try failed.
func (p *playing) fault(text string) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.Error = text
}

// replaying reports whether there is a replay to go on with, and takes it up.
func (w *worker) replaying() bool {
	if w.playing != nil && w.playing.over() {
		w.endReplay()
	}
	if w.playing != nil {
		return true
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, r := range w.store.replays {
		if r.Over() {
			continue
		}
		if r.State == ReplayWaiting {
			r.State, w.store.touched = ReplayRunning, true
		}
		w.playing = &playing{Replay: r, store: w.store}
		return true
	}
	return false
}

// begin opens the range of the replay.
func (p *playing) begin(w *worker) error {
	r := audit.Range{From: p.From, To: p.To, First: p.First, Last: p.Last}
	if p.Letters {
		p.wanted = map[uint64]bool{}
		r.First = math.MaxUint64
		for _, l := range w.dead.all() {
			p.wanted[l.Sequence] = true
			r.First, r.Last = min(r.First, l.Sequence), max(r.Last, l.Sequence)
		}
	}
	r.First = max(r.First, p.At+1)
	var err error
	p.r, err = w.m.o.Trail.ReadRange(r)
	return err
}

// replayStep sends the next batch of a replay, as far as one try goes. It is false
// when the worker is to stop.
func (w *worker) replayStep() bool {
	p := w.playing
	if p.r == nil {
		if err := p.begin(w); err != nil {
			return w.replayFailed(fmt.Errorf("reading the range: %w", err))
		}
	}
	if len(p.rest) == 0 {
		records, err := p.r.Next(w.ctx, min(w.limits.Entries, readRecords), min(w.limits.Bytes, readBytes))
		if err != nil {
			return w.replayFailed(err)
		}
		if len(records) == 0 {
			w.replayDone()
			return true
		}
		p.rest = records
	}
	b := batch{}
	w.buf = w.buf[:0]
	taken := 0
	for _, r := range p.rest {
		if p.few > 0 && len(b.entries) >= p.few {
			break
		}
		if (p.wanted == nil || p.wanted[max(r.Sequence, r.EndSequence)]) && matches(&w.cfg.Filter, r) && !w.add(&b, r, true) {
			return w.stumbled(errUnkept)
		}
		taken++
	}
	if entries := w.sealed(&b); len(entries) > 0 {
		n, err := w.target.Deliver(w.ctx, entries)
		if n > 0 {
			w.resent(entries[:n])
			p.few, p.refuse, p.tries = 2*p.few, 0, 0
		}
		if n < len(entries) {
			for n > 0 && p.rest[0].RecordID != entries[n].Record.RecordID {
				w.replayed(1)
			}
			return w.notReplayed(&entries[n], err)
		}
		p.fault("")
	}
	w.replayed(taken)
	w.keep()
	return true
}

// replayed notes that the first n records are done with.
func (w *worker) replayed(n int) {
	p := w.playing
	p.passed(p.rest[n-1])
	p.rest = p.rest[n:]
	w.unsaved = true
}

// notReplayed does what is to be done about an entry that was not taken. It is
// false when the worker is to stop.
func (w *worker) notReplayed(e *Entry, err error) bool {
	p := w.playing
	var refused *Refused
	var lost *Lost
	switch {
	case errors.As(err, &refused):
		// Its neighbours may be refused as well, and each is looked for by halves.
		p.few = 1
		if p.refuse++; p.refuse > refusalsInARow && !p.Letters {
			// As with what is new: a setting that became wrong must not make dead
			// letters of the range. That dead letters are refused again is no news.
			if !w.replayFailed(fmt.Errorf("the receiver refuses one record after the other: %w", refused)) {
				return false
			}
		}
		if err := w.bury(e, refused.Reason); err != nil {
			return w.replayFailed(fmt.Errorf("keeping a dead letter: %w", err))
		}
		for p.rest[0].RecordID != e.Record.RecordID {
			w.replayed(1) // what the filter leaves out
		}
		w.replayed(1)
		w.keep()
		return true
	case errors.As(err, &lost):
		if err := w.goBack(lost); err != nil {
			return w.replayFailed(err)
		}
		return w.ctx.Err() == nil
	case err == nil:
		err = errNoReason
	}
	return w.replayFailed(err)
}

// replayFailed notes a failure and puts off the next try. What is new is sent
// meanwhile, and whether the sink fails that shows. It is false when the worker is
// to stop.
func (w *worker) replayFailed(err error) bool {
	if w.ctx.Err() != nil {
		return false
	}
	p, now := w.playing, w.m.o.Now()
	p.tries++
	after := backoff(p.tries)
	var later *Later
	if errors.As(err, &later) && later.After > 0 {
		after = min(later.After, maxLater)
	}
	p.until = now.Add(after)
	p.fault(err.Error())
	w.figures.stumbled("a replay: "+err.Error(), now)
	if p.tries == 1 {
		w.log.Warn("a replay fails; it is tried again until it succeeds", zap.String("replay", p.ID), zap.String("error", err.Error()))
	}
	w.keep()
	return true
}

// replayDone notes that all of the range was sent.
func (w *worker) replayDone() {
	p := w.playing
	w.log.Info("the replay is done", zap.String("replay", p.ID), zap.Int64("sent", p.Sent))
	p.store.mu.Lock()
	if !p.Over() {
		p.State, p.Ended, p.Error = ReplayDone, w.m.o.Now().UTC(), ""
	}
	p.store.mu.Unlock()
	w.endReplay()
	w.save()
}

// endReplay gives back what the replay at hand holds.
func (w *worker) endReplay() {
	if w.playing != nil && w.playing.r != nil {
		w.playing.r.Close()
	}
	w.playing = nil
}

// resent notes entries of a replay that were confirmed.
func (w *worker) resent(entries []Entry) {
	w.wentBack = false
	w.count(entries)
	w.store.mu.Lock()
	w.playing.Sent += int64(len(entries))
	w.store.mu.Unlock()
	ids := make(map[string]bool, len(entries))
	for i := range entries {
		ids[entries[i].Record.RecordID] = true
	}
	if err := w.dead.raise(ids); err != nil {
		w.log.Error("dead letters that were delivered are still listed", zap.Error(fmt.Errorf("writing them: %w", err)))
	}
}
