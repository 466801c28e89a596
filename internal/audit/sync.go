package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// When what was written counts as written (Options.Sync).
const (
	SyncOS    = "os"    // when the operating system has it: a power failure may lose the last seconds
	SyncFsync = "fsync" // when it is on the disk
)

// page is what a disk loses at a time.
const page = 4096

// mendEvery is the pause between two attempts to take up a segment again.
const mendEvery = time.Second

// durability is what is known of how much of the segment is on the disk. The
// fields belong to whoever leads the writer.
type durability struct {
	each    bool      // a run is on the disk before its callers return
	suspect bool      // the disk may have lost what was written since the last sync
	lost    error     // it has: nothing more is written until the next start
	tried   time.Time // to mend it
	failure error     // what came of that
}

// sync has the run that was just written on the disk, where that is asked for.
// After a failure the run is taken back: the operating system may have given up
// the pages and call them clean, so that a second sync would succeed and mean
// nothing.
func (w *writer) sync(off int64) error {
	if !w.each {
		return nil
	}
	w.counters.syncs.Add(1)
	err := w.file.Datasync()
	if err == nil {
		return nil
	}
	w.suspect, w.dirty = true, true
	if cutErr := w.cut(off); cutErr != nil {
		err = fmt.Errorf("%w; cutting it off: %w", err, cutErr)
	}
	return refused("getting the trail onto the disk", err)
}

// reached takes note that file is on the disk up to pos.
func (w *writer) reached(file segmentFile, pos position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shown == file && w.synced.day == pos.day && pos.seq > w.synced.seq {
		w.synced = pos
	}
}

// distrust takes note that what is in file could not be got onto the disk.
func (w *writer) distrust(file segmentFile) error {
	return w.exclusive(func() error {
		if w.file != file || w.shut {
			return nil
		}
		w.suspect, w.tried = true, time.Time{}
		return w.failed(w.usable())
	})
}

// mend takes up a segment again after a failed sync. What was written since the
// last good one is read back; if it is all there it is written again, from the
// page on that holds the last of what was on the disk, and only a sync of that
// makes the segment good.
func (w *writer) mend() error {
	if w.lost != nil {
		return w.lost
	}
	now := w.now()
	if waited := now.Sub(w.tried); w.failure != nil && waited >= 0 && waited < mendEvery {
		return w.failure
	}
	w.tried = now
	w.failure = w.tryMend()
	if w.failure == nil {
		w.suspect = false
	}
	return w.failure
}

func (w *writer) tryMend() error {
	w.mu.Lock()
	good, synced := w.pos, w.synced
	w.mu.Unlock()
	file, err := w.opener(filepath.Join(w.dir, good.day.logName()), os.O_RDWR)
	if err != nil {
		return refused("opening the segment again", err)
	}
	if err := readsBack(file, synced, good); err != nil {
		file.Close()
		if !isTorn(err) && !errors.Is(err, io.EOF) {
			return refused("reading back what may have been lost", err)
		}
		w.lost = fmt.Errorf("%w: the disk has lost records behind number %d of %s (%w). Start the gateway again: it cuts off what is not whole and records that",
			ErrUnwritable, synced.seq, good.day.logName(), err)
		return w.lost
	}
	if err := rewrite(file, synced.off/page*page, good.off); err != nil {
		file.Close()
		return refused("writing again what may have been lost", err)
	}
	w.file.Close() // whatever it says: the new one is good
	w.file, w.alloc = file, good.off
	w.mu.Lock()
	w.shown, w.synced = file, good
	w.mu.Unlock()
	return nil
}

// readsBack checks that the frames from one position to another are in the
// file, and the last one before them.
func readsBack(file segmentFile, from, to position) error {
	s := &scanner{day: to.day, off: from.last, deep: true}
	s.r = bufio.NewReaderSize(io.NewSectionReader(file, from.last, 1<<62), 256<<10)
	for at := from; ; {
		h, _, err := s.next()
		if err != nil {
			return err
		}
		next := s.at(&h)
		switch {
		case next.seq == from.seq:
			if next != from {
				return badRecord("it is not the record that was on the disk")
			}
		case h.seq != at.seq+1 || h.prev != at.hash:
			return badRecord("the record does not follow the one before")
		}
		if at = next; at.seq >= to.seq {
			if at != to {
				return badRecord("it is not the record that was written last")
			}
			return nil
		}
	}
}

// rewrite writes a range of a file as it is, and has it on the disk.
func rewrite(file segmentFile, from, to int64) error {
	buf := make([]byte, min(to-from, 1<<20))
	for off := from; off < to; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), to-off)]
		if _, err := file.ReadAt(buf, off); err != nil {
			return err
		}
		if _, err := file.WriteAt(buf, off); err != nil {
			return err
		}
	}
	return file.Datasync()
}
