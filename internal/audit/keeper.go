package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// keepEvery is how often the keeper looks around.
	keepEvery = time.Second
	// checkpointTicks is every how many of these it makes the log durable.
	// That delays a write of the moment by some milliseconds, so it is not
	// done more often than file systems do it by themselves.
	checkpointTicks = 5
)

// keeper does what has to be done from time to time: checkpoints, the turn of
// the day without traffic, retention.
type keeper struct {
	trail   *Trail
	stop    chan struct{}
	over    chan struct{}
	signed  time.Time // last signed checkpoint
	kept    uint64    // sequence of the last checkpoint
	swept   day       // day of the last retention
	last    position  // the end at the last look whether the segment is there
	unseen  string    // why that could not be seen, "" when it could
	failure string    // why the last one failed, "" when it did not
	telling sync.WaitGroup
	again   atomic.Bool // retention has to look again: a hold was lifted
}

func startKeeper(t *Trail) *keeper {
	k := &keeper{trail: t, stop: make(chan struct{}), over: make(chan struct{})}
	t.watchHolds()
	k.sweep()
	k.present()
	t.watch()
	go k.run()
	k.telling.Go(k.tell)
	return k
}

func (k *keeper) close() {
	close(k.stop)
	<-k.over
	k.telling.Wait()
}

// tell has the trail tell of damage. That looks through indexes, and so nothing
// else waits for it.
func (k *keeper) tell() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	k.telling.Go(func() {
		select {
		case <-k.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		k.trail.tellDamage(ctx)
		select {
		case <-ticker.C:
		case <-k.stop:
			return
		}
	}
}

func (k *keeper) run() {
	defer close(k.over)
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for tick := 1; ; tick++ {
		select {
		case <-ticker.C:
			k.present()
			k.sign()
			if tick%checkpointTicks == 0 {
				k.checkpoint()
				k.trail.watchHolds()
			}
			k.sweep()
			if tick%watchTicks == 0 {
				k.trail.watch()
			}
		case <-k.stop:
			return
		}
	}
}

// checkpoint makes what was written durable and then keeps the head, so that
// the head is never ahead of the log, not even after a power failure.
func (k *keeper) checkpoint() {
	w := k.trail.writer
	pos, file := w.current()
	if pos.seq == k.kept {
		return
	}
	err := file.Sync()
	if errors.Is(err, os.ErrClosed) {
		return // the day has turned; the next checkpoint is on the new segment
	}
	if err != nil {
		k.trail.log.Error("what was written to the trail could not be got onto the disk; it is written again", zap.Error(err))
		err = w.distrust(file)
		if err == nil {
			return // the next checkpoint keeps the head
		}
	} else {
		w.reached(file, pos)
		err = k.trail.writeHead(pos, false)
	}
	if err != nil {
		k.trail.log.Warn("checkpoint of the trail", zap.Error(err))
		return
	}
	k.kept = pos.seq
}

// sign signs a checkpoint once a minute, if anything was written.
func (k *keeper) sign() {
	t := k.trail
	now := t.now()
	if waited := now.Sub(k.signed); t.writer.since.Load() == 0 || waited >= 0 && waited < signEvery {
		return
	}
	if err := t.Checkpoint(); err != nil {
		t.log.Warn("signing a checkpoint of the trail", zap.Error(err))
		return
	}
	k.signed = now
}

// present stops the trail when its segment was removed, replaced or shortened:
// what is written to it would be lost, or was.
func (k *keeper) present() {
	pos, file := k.trail.writer.current()
	held, err := file.Stat()
	if err != nil {
		return
	}
	named, err := os.Stat(filepath.Join(k.trail.dir, pos.day.logName()))
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		// A disk that can't tell at the moment has not lost the file by that.
		if err.Error() != k.unseen {
			k.unseen = err.Error()
			k.trail.log.Warn("looking whether the segment of the trail is still there; it is tried again every second", zap.Error(err))
		}
		return
	case err == nil && os.SameFile(held, named) && held.Size() >= pos.off && k.inPlace(file, pos):
		k.unseen, k.last = "", pos
		return
	}
	if k.trail.writer.failing.Load() == nil {
		k.trail.log.Error("the segment of the trail was removed, replaced or shortened; records are refused until a restart",
			zap.String("file", pos.day.logName()))
	}
	w := k.trail.writer
	w.exclusive(func() error {
		if w.next.day != pos.day {
			return nil
		}
		w.removed = true
		return w.failed(w.usable())
	})
}

// inPlace reports whether the frame that was the last at the look before is still
// there. A file that was shortened and written on is as long as before, with zeros
// where it was cut off.
func (k *keeper) inPlace(file segmentFile, now position) bool {
	if k.last.seq == 0 || k.last.day != now.day {
		return true
	}
	head := make([]byte, headerSize)
	if _, err := file.ReadAt(head, k.last.last); err != nil {
		return err != io.EOF // other errors say nothing of that
	}
	h, err := parseHeader(head, false)
	return err == nil && h.chain == k.last.hash
}

// sweep turns the day and applies retention, once a day and after a hold was
// lifted.
func (k *keeper) sweep() {
	t := k.trail
	now := t.now()
	today := dayOf(now)
	if !k.again.Swap(false) && today <= k.swept {
		return
	}
	err := t.writer.turn(now)
	if err == nil {
		err = t.retain(today) // not of a day before which the clock was set back
	}
	if err == nil {
		k.swept, k.failure = max(today, k.swept), ""
		return
	}
	k.again.Store(true)
	if !errors.Is(err, errNotJudged) && err.Error() != k.failure {
		k.failure = err.Error()
		t.log.Warn("starting the partition of the day, or dropping old ones; it is tried again every second", zap.Error(err))
	}
}
