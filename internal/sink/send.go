package sink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = time.Minute
	// tellAfter is how long a sink fails before the trail says so, and tellEvery
	// how often at most: the events go to sinks as well.
	tellAfter = 10 * time.Second
	tellEvery = 10 * time.Minute
)

// refusalsInARow is how many records a receiver may refuse without taking one in
// between. From then on it is more likely wrong than they are: the sink fails, and
// only one record is set aside after each wait.
const refusalsInARow = 20

// errWentBack says that what the receiver lacks is being sent already.
var errWentBack = errors.New("the receiver has taken nothing since records are sent again")

var errNoReason = errors.New("the target took only a part and does not say why")

// send hands entries to the target until all of them are where they are to be,
// whatever that takes. It is false when the worker is to stop, or has to go back.
func (w *worker) send(entries []Entry) bool {
	for len(entries) > 0 {
		n, err := w.target.Deliver(w.ctx, entries)
		if n > 0 {
			w.sent(entries[:n])
			entries = entries[n:]
		}
		var refused *Refused
		var lost *Lost
		switch {
		case len(entries) == 0:
			w.recovered()
		case errors.As(err, &refused):
			if w.refusals++; w.refusals > refusalsInARow {
				if !w.failed(fmt.Errorf("the receiver refuses one record after the other: %w", refused)) {
					return false
				}
			} else {
				w.recovered()
			}
			if err := w.bury(&entries[0], refused.Reason); err != nil {
				if !w.failed(err) {
					return false
				}
				continue
			}
			w.passed(&entries[0])
			entries = entries[1:]
		case errors.As(err, &lost):
			err := w.goBack(lost)
			for err != nil && !errors.Is(err, errWentBack) {
				if !w.failed(err) {
					return false
				}
				err = w.goBack(lost)
			}
			if err == nil {
				return w.ctx.Err() == nil // what is to be sent is read anew
			}
			if !w.failed(err) {
				return false
			}
		default:
			if err == nil {
				err = errNoReason
			}
			if n > 0 {
				w.tries = 0
			}
			if !w.failed(err) {
				return false
			}
		}
	}
	return true
}

// sent notes entries that were confirmed.
func (w *worker) sent(entries []Entry) {
	w.wentBack, w.refusals = false, 0
	w.count(entries)
	w.passed(&entries[len(entries)-1])
}

// count notes how much was confirmed.
func (w *worker) count(entries []Entry) {
	var bytes int64
	for i := range entries {
		bytes += int64(len(entries[i].Data))
	}
	w.figures.sent(len(entries), bytes, w.m.o.Now())
}

// passed notes that nothing before and with e is to be sent any more.
func (w *worker) passed(e *Entry) {
	w.store.confirmed = e.Completed()
	w.moved(e.Record.Mark())
	w.keep()
}

// failed notes a failure and waits before the next try. It is false when the
// worker is to stop.
func (w *worker) failed(err error) bool {
	if w.ctx.Err() != nil {
		return false
	}
	now := w.m.o.Now()
	w.tries++
	since := w.figures.failed(err.Error(), now)
	if w.tries == 1 {
		w.log.Warn("the sink fails; it is tried again until it succeeds", zap.String("error", err.Error()))
	}
	if !w.told && now.Sub(since) >= tellAfter && (w.toldAt.IsZero() || now.Sub(w.toldAt) >= tellEvery) {
		w.told, w.toldAt = true, now
		w.event(KindFailing, map[string]string{"since": since.UTC().Format(time.RFC3339), "error": err.Error()})
	}
	w.saveChanges()
	if w.stopping() {
		return false
	}
	w.pause(w.backoff(err))
	return !w.stopping()
}

// backoff is how long to wait after a failure: twice as long each time, and up
// to a fifth more or less, so that sinks that failed together do not come back
// together. A receiver that says how long is heeded.
func (w *worker) backoff(err error) time.Duration {
	var later *Later
	if errors.As(err, &later) && later.After > 0 {
		return min(later.After, maxLater)
	}
	return backoff(w.tries)
}

// backoff is how long to wait after so many failures, one after the other.
func backoff(tries int) time.Duration {
	d := min(firstBackoff<<min(tries-1, 10), lastBackoff)
	return d + time.Duration((rand.Float64()*0.4-0.2)*float64(d))
}

// recovered notes that the sink works.
func (w *worker) recovered() {
	w.tries, w.trouble = 0, false
	since, failing := w.figures.recover(w.m.o.Now())
	if failing {
		w.log.Info("the sink works again")
	}
	if w.told {
		w.told = false
		w.event(KindRecovered, map[string]string{"failingSince": since.UTC().Format(time.RFC3339)})
	}
}

// goBack returns to the place from which the receiver lacks records.
func (w *worker) goBack(lost *Lost) error {
	if w.wentBack && lost.After >= w.past {
		return fmt.Errorf("%w: %w", errWentBack, lost) // it was told, and has taken nothing since
	}
	r, err := w.m.o.Trail.Reader(w.m.o.Trail.MarkOf(lost.After + 1))
	if err != nil {
		return err
	}
	w.reader.Close()
	w.had = max(w.had, w.store.confirmed)
	w.reader, w.past, w.since, w.wentBack = r, lost.After, lost.Since, true
	w.store.confirmed = lost.After
	w.moved(r.Mark())
	w.save()
	w.log.Warn("the receiver lost records that it had confirmed; they are sent again",
		zap.Uint64("after", lost.After), zap.String("reason", lost.Reason))
	w.event(KindReceiverLost, map[string]string{"after": number(lost.After), "reason": lost.Reason})
	return nil
}

// fallBack goes on where the trail has no place any more that the mark names:
// records are sent again rather than left out.
func (w *worker) fallBack() (*audit.Reader, error) {
	r, err := w.store.nearest(w.m.o.Trail)
	if err != nil {
		return nil, err
	}
	was, now := w.store.mark.Sequence(), r.Mark().Sequence()
	w.moved(r.Mark())
	w.save()
	w.figures.note("The trail does not have the place any more up to which was sent (" + number(was) +
		"): it was cut off after a crash, or restored from a copy. It was gone on from " + number(now) + ".")
	w.log.Error("the trail does not have the place up to which was sent; it is gone on from an earlier one",
		zap.Uint64("was", was), zap.Uint64("from", now))
	w.event(KindMarkLost, map[string]string{"was": number(was), "from": number(now)})
	return r, nil
}
