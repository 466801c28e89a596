package audit

import (
	"errors"
	"fmt"
	"time"
)

const (
	// endReserve is the room kept for the response half of each exchange that
	// is under way: an outcome without its body always fits, and so does the
	// body of a usual answer.
	endReserve = 64 << 10
	// aheadBytes is taken from the disk at a time, so that taking it costs a
	// record next to nothing.
	aheadBytes = 8 << 20
	// partReserve is the room kept for what the response half says of each part.
	partReserve = 256
)

// timeRange is the range of the times of records, in nanoseconds.
type timeRange struct{ lo, hi int64 }

var noTimes = timeRange{lo: 1<<63 - 1, hi: -1 << 63}

func (r *timeRange) add(t int64) {
	r.lo, r.hi = min(r.lo, t), max(r.hi, t)
}

// admit decides whether e may be written now. Everything but the response half
// of an exchange also makes the day turn, and needs room beyond what is kept
// for response halves.
func (w *writer) admit(e *entry, today day) error {
	begun, known := w.open[e.id]
	switch {
	case w.shut:
		return ErrClosed
	case (e.kind == frameEnd || e.kind == framePart) && !known:
		return ErrNotBegun
	case e.kind == framePart && len(begun.parts) >= maxParts:
		return ErrTooLarge
	case (e.kind == frameBegin || e.kind == frameWhole) && known:
		return ErrDuplicate
	case e.id == "" && e.kind != frameEvent:
		return ErrNoID
	}
	if e.kind == frameBegin || e.kind == frameWhole {
		if err := w.disk.refuses(); err != nil {
			return err
		}
	}
	if err := w.usable(); err != nil {
		return w.failed(err)
	}
	if w.file == nil || e.kind != frameEnd && today > w.next.day {
		w.flush()
		if err := w.roll(today); err != nil {
			return w.failed(err)
		}
	}
	reserved := w.reserved
	switch e.kind {
	case frameBegin:
		reserved += endReserve
	case framePart:
		reserved += partReserve
	case frameEnd:
		reserved -= begun.reserve()
		if len(begun.parts) > 0 {
			if err := e.listParts(begun.parts); err != nil {
				return err
			}
		}
	}
	if err := w.ensure(w.next.off + int64(len(e.frame)) + reserved); err != nil {
		return w.failed(err)
	}
	return nil
}

// usable tries to mend what an earlier failure left behind.
func (w *writer) usable() error {
	if w.shut {
		return ErrClosed
	}
	if w.removed {
		return fmt.Errorf("%w: the segment was removed, replaced or shortened while it was open; start the gateway again", ErrUnwritable)
	}
	if w.dirty {
		if err := w.cut(w.position().off); err != nil {
			return refused("cutting a half-written record off", err)
		}
	}
	if w.suspect {
		return w.mend()
	}
	return nil
}

func (w *writer) failed(err error) error {
	if w.shut {
		return err
	}
	w.failing.Store(&err)
	return err
}

// ensure takes room on the disk up to the offset need.
func (w *writer) ensure(need int64) error {
	if need <= w.alloc || !w.spared {
		return nil
	}
	ahead, err := takeRoom(w.file, w.alloc, need)
	if errors.Is(err, errNoPreallocation) {
		w.spared = false
		return nil
	}
	if err != nil {
		return refused("taking room for the trail", err)
	}
	w.alloc = ahead
	return nil
}

// takeRoom takes room from one offset to another and, if there is enough, some
// more ahead. It returns where the room ends.
func takeRoom(f segmentFile, from, to int64) (int64, error) {
	if f.Preallocate(from, to+aheadBytes-from) == nil {
		return to + aheadBytes, nil
	}
	return to, f.Preallocate(from, to-from)
}

// probe tries whether the log can be written again. Where room is taken ahead
// a lack of it shows there; else something is written behind the end and cut
// off again, which gives up the room.
func (w *writer) probe() error {
	if err := w.usable(); err != nil {
		return w.failed(err)
	}
	off := w.position().off
	need := off + w.reserved + 2*endReserve
	if err := w.ensure(need); err != nil {
		return w.failed(err)
	}
	if failing := w.failing.Load(); !w.spared || failing != nil && !errors.Is(*failing, ErrNoSpace) {
		w.dirty = true
		_, err := w.file.WriteAt(make([]byte, endReserve), off)
		if cutErr := w.cut(off); err == nil {
			err = cutErr
		}
		if err != nil {
			return w.failed(refused("probing the trail", err))
		}
		if err := w.ensure(need); err != nil {
			return w.failed(err)
		}
	}
	w.succeeded()
	return nil
}

// healthy is nil when the last attempt to write succeeded, or one would now.
func (w *writer) healthy() error {
	if err := w.disk.refuses(); err != nil {
		return err
	}
	if w.failing.Load() == nil {
		return nil
	}
	return w.exclusive(w.probe)
}

// turn starts the segment of the day if it is time to, though nothing is
// written.
func (w *writer) turn(now time.Time) error {
	return w.exclusive(func() error {
		if today := dayOf(now); today > w.next.day || w.file == nil {
			return w.roll(today)
		}
		return nil
	})
}

// close gives the room that was taken ahead back and refuses what comes after.
func (w *writer) close() error {
	return w.exclusive(func() error {
		w.mu.Lock()
		w.closed = true
		off := w.pos.off
		w.mu.Unlock()
		w.shut = true
		if w.removed {
			return w.file.Close()
		}
		err := w.file.Truncate(off)
		if syncErr := w.file.Sync(); err == nil {
			err = syncErr
		}
		if closeErr := w.file.Close(); err == nil {
			err = closeErr
		}
		return err
	})
}
