package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
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
	trail *Trail
	stop  chan struct{}
	over  chan struct{}
	kept  uint64 // sequence of the last checkpoint
	swept day    // day of the last retention
}

func startKeeper(t *Trail) *keeper {
	k := &keeper{trail: t, stop: make(chan struct{}), over: make(chan struct{})}
	k.sweep()
	go k.run()
	return k
}

func (k *keeper) close() {
	close(k.stop)
	<-k.over
}

func (k *keeper) run() {
	defer close(k.over)
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for tick := 1; ; tick++ {
		select {
		case <-ticker.C:
			k.present()
			if tick%checkpointTicks == 0 {
				k.checkpoint()
			}
			k.sweep()
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
	if err == nil {
		err = writeHead(k.trail.dir, pos.head(false))
	}
	if err != nil {
		k.trail.log.Warn("checkpoint of the trail", zap.Error(err))
		return
	}
	k.kept = pos.seq
}

// present stops the trail when its segment was removed or replaced: what is
// written to it would be lost.
func (k *keeper) present() {
	pos, file := k.trail.writer.current()
	held, err := file.Stat()
	if err != nil {
		return
	}
	named, err := os.Stat(filepath.Join(k.trail.dir, pos.day.logName()))
	if err == nil && os.SameFile(held, named) {
		return
	}
	if k.trail.writer.failing.Load() == nil {
		k.trail.log.Error("the segment of the trail was removed or replaced; records are refused until a restart",
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

// sweep turns the day and applies retention, once a day.
func (k *keeper) sweep() {
	t := k.trail
	now := t.now()
	today := dayOf(now)
	if today <= k.swept {
		return
	}
	if err := t.writer.turn(now); err != nil {
		t.log.Warn("starting the partition of the day", zap.Error(err))
		return
	}
	if err := t.retain(today); err != nil {
		t.log.Warn("dropping old partitions of the trail", zap.Error(err))
		return
	}
	k.swept = today
}

// retain drops the partitions that are older than the retention, and records
// each. Verify accepts a trail that begins behind a recorded one only.
func (t *Trail) retain(today day) error {
	if t.retention <= 0 {
		return nil
	}
	parts := t.readers.list()
	for i, p := range parts {
		if i == len(parts)-1 || p.span.day >= today-day(t.retention) {
			return nil
		}
		if err := t.dropPartition(p, parts[i+1].span.day); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trail) dropPartition(p part, next day) error {
	_, meta, err := readSegmentMeta(t.dir, next)
	if err != nil {
		return err
	}
	event := &Event{Kind: KindPartitionDropped, TargetType: "partition", TargetName: p.span.day.String(), Metadata: map[string]string{
		"day": p.span.day.String(), "firstSequence": strconv.FormatUint(p.span.first, 10),
		"retentionDays": strconv.Itoa(t.retention),
	}}
	if meta.Previous != nil {
		event.Metadata["lastSequence"] = strconv.FormatUint(meta.Previous.Sequence, 10)
		event.Metadata["hash"] = meta.Previous.Hash
	}
	if err := t.Event(event); err != nil {
		return err
	}
	t.walking.Lock()
	defer t.walking.Unlock()
	t.readers.drop(p.partition)
	p.building.Lock() // nobody may be making the index while it is removed
	defer p.building.Unlock()
	if err := removeIndex(filepath.Join(t.dir, p.span.day.dbName())); err != nil {
		return err
	}
	return os.Remove(filepath.Join(t.dir, p.span.day.logName()))
}
