package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// readingLock is held by who builds an index in a folder that is read only.
const readingLock = "reading.lock"

// OpenRead opens the trail in dir for Query, Get, Reader and Verify, without a
// gateway: what was imported, restored or left by a gateway that has stopped.
// No record is written, cut off or ended, and nothing outside dir is touched;
// indexes that are missing are built inside it. Begin, End, Event and what else
// writes return ErrClosed. The errors are ErrLocked while a gateway has the
// folder open, ErrDamaged when it holds no trail, and what the disk says.
func OpenRead(dir string) (*Trail, error) {
	t, err := openRead(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the trail to read: %w", err)
	}
	return t, nil
}

func openRead(dir string) (_ *Trail, err error) {
	days, err := listDays(dir)
	if err != nil {
		return nil, err
	}
	if len(days) == 0 {
		return nil, fmt.Errorf("%w: %s has no day of a trail", ErrDamaged, dir)
	}
	t, err := newTrail(Options{Dir: dir, Bodies: BodiesNone})
	if err != nil {
		return nil, err
	}
	t.reading = true
	if t.lock, err = shareDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.lock.Close()
		}
	}()
	boot := bootID()
	state, err := lookAt(dir, boot)
	if err != nil {
		return nil, err
	}
	if len(state.partitions) == 0 {
		return nil, fmt.Errorf("%w: the days in %s can't be read", ErrDamaged, dir)
	}
	t.id = state.trail
	if t.ids, err = readIncarnations(dir, t.id); err != nil {
		return nil, err
	}
	t.readers = newReaders(dir, boot, state, t.damages.saw)
	t.readers.guard = func() (func(), error) { return lockFile(filepath.Join(dir, readingLock)) }
	if err := t.readers.readWhole(state); err != nil {
		return nil, err
	}
	for _, x := range state.damaged {
		t.damages.saw(x)
	}
	t.arrivals.push(state.pos)
	t.holds = openHolds(dir, state, false, t.now())
	t.writer = &writer{dir: dir, trail: t.id, now: t.now, pos: state.pos, disk: t.disk, closed: true}
	// To queries the indexer has come to a day behind the last: every index is
	// one of a day that has ended.
	t.indexer = &indexer{
		dir: dir, boot: boot, log: t.log, saw: t.damages.saw, wake: make(chan struct{}, 1), over: make(chan struct{}), progress: make(chan struct{}),
		done: position{seq: state.pos.seq, day: state.pos.day + 1}, open: state.open, pushed: state.pos.seq,
	}
	return t, nil
}

// lookAt is recoverTrail without mending anything.
func lookAt(dir, boot string) (*found, error) {
	r := &recovery{dir: dir, boot: boot, now: time.Now(), log: zap.NewNop(), look: true}
	return r.all()
}

// readWhole makes the index of the last day, and lets it count as one that has
// ended.
func (r *readers) readWhole(state *found) error {
	p := r.parts[len(r.parts)-1]
	times := state.times
	if state.indexed.seq != state.pos.seq {
		release, err := r.guard()
		if err != nil {
			return err
		}
		defer release()
		built, err := buildIndex(context.Background(), r.dir, p.day, state.pos.seq, r.boot, false, r.saw)
		if err != nil {
			return err
		}
		times = built.times
	}
	p.last, p.times, p.checked = state.pos.seq, times, true
	return nil
}

// shareDir keeps gateways off the folder while it is read.
func shareDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s; ask that gateway, or export what is to be read", ErrLocked, dir)
	}
	return nil, fmt.Errorf("locking the trail: %w", err)
}

// lockFile waits for the lock of a file.
func lockFile(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", filepath.Base(path), err)
	}
	return func() { f.Close() }, nil
}

// closeRead is Close for what OpenRead opened.
func (t *Trail) closeRead() error {
	t.readers.close()
	t.arrivals.push(t.arrivals.position()) // wakes those who wait
	t.tape.close()
	t.compressor.close()
	return t.lock.Close()
}
