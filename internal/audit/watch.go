package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// watchTicks is every how many rounds of the keeper the disk is looked at.
const watchTicks = 2

// Kinds of the events about the disk of the trail.
const (
	// KindDiskLow: less of the disk is free than Options.DiskWarn, or than
	// Options.DiskStop, which refuses requests; the state in the metadata tells.
	KindDiskLow = "TrailDiskLow"
	// KindDiskRecovered: there is more room again.
	KindDiskRecovered = "TrailDiskRecovered"
)

// DiskLimit is an amount of a disk: the smaller of its parts that are set. The
// zero value is none.
type DiskLimit struct {
	Bytes int64
	Share float64 // of the whole disk, 0.1 is a tenth
}

func (l DiskLimit) of(total int64) int64 {
	share := int64(l.Share * float64(total))
	if l.Bytes == 0 || l.Share > 0 && share < l.Bytes {
		return share
	}
	return l.Bytes
}

// DiskSpace is the size of a disk and what of it is free for the gateway's
// user, in bytes.
type DiskSpace struct{ Total, Free int64 }

// States of the disk.
const (
	DiskOK      = "ok"
	DiskLow     = "low"     // less is free than is warned of
	DiskStopped = "stopped" // less is free than has to stay free: requests are refused
	DiskUnknown = "unknown" // the system does not tell
)

// Disk is the state of the disk of the trail.
type Disk struct {
	State      string `json:"state"` // one of the Disk constants
	FreeBytes  int64  `json:"freeBytes"`
	TotalBytes int64  `json:"totalBytes"`
	WarnBytes  int64  `json:"warnBytes"` // below it the state is low; 0: never
	StopBytes  int64  `json:"stopBytes"` // below it requests are refused; 0: not before the disk is full
}

// diskWatch looks at the disk now and then. Its methods but current and refuse
// are for the keeper.
type diskWatch struct {
	dir        string
	warn, stop DiskLimit
	space      func(dir string) (DiskSpace, error)

	// refusal is why requests are refused; nil: they are not.
	refusal atomic.Pointer[error]

	mu  sync.Mutex // guards the following field
	now Disk
}

func newDiskWatch(opts Options) *diskWatch {
	w := &diskWatch{dir: opts.Dir, warn: opts.DiskWarn, stop: opts.DiskStop, space: opts.DiskSpace, now: Disk{State: DiskUnknown}}
	if w.space == nil {
		w.space = spaceOf
	}
	return w
}

// refuses is the error for requests while less is free than has to stay.
func (w *diskWatch) refuses() error {
	if err := w.refusal.Load(); err != nil {
		return *err
	}
	return nil
}

// Unhealthy is why a trail can't be written, of an error of Healthy, in a
// sentence that anybody may read.
func Unhealthy(err error) string {
	if errors.Is(err, ErrNoSpace) {
		return "The audit trail can't be written: its disk has no room."
	}
	return "The audit trail can't be written."
}

func (w *diskWatch) current() Disk {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// look finds the state out and returns it with the one before.
func (w *diskWatch) look() (before, now Disk) {
	space, err := w.space(w.dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.now
	if err != nil || space.Total <= 0 {
		w.now = Disk{State: DiskUnknown}
	} else {
		w.now = Disk{FreeBytes: space.Free, TotalBytes: space.Total, WarnBytes: w.warn.of(space.Total), StopBytes: w.stop.of(space.Total)}
		w.now.State = w.now.judge(before.State)
	}
	if w.now.State != DiskStopped {
		w.refusal.Store(nil)
		return before, w.now
	}
	err = fmt.Errorf("%w: %d MiB of its disk are free, and audit.disk.stop keeps %d MiB; make room, or lower it",
		ErrNoSpace, w.now.FreeBytes>>20, w.now.StopBytes>>20)
	w.refusal.Store(&err)
	return before, w.now
}

// judge is the state that the figures make of the one before. What was left is
// come back to with a margin, so that it does not flutter.
func (d Disk) judge(before string) string {
	margin := func(limit int64, in bool) int64 {
		if in {
			return limit + limit/10
		}
		return limit
	}
	switch {
	case d.FreeBytes < margin(d.StopBytes, before == DiskStopped):
		return DiskStopped
	case d.FreeBytes < margin(d.WarnBytes, before == DiskStopped || before == DiskLow):
		return DiskLow
	}
	return DiskOK
}

// watch looks at the disk and tells of a change.
func (t *Trail) watch() {
	before, now := t.disk.look()
	rank := map[string]int{DiskUnknown: 0, DiskOK: 0, DiskLow: 1, DiskStopped: 2}
	worse := rank[now.State] - rank[before.State]
	if worse == 0 {
		return
	}
	e := &Event{Kind: KindDiskLow, TargetType: "disk", Metadata: map[string]string{
		"state": now.State, "freeBytes": strconv.FormatInt(now.FreeBytes, 10), "totalBytes": strconv.FormatInt(now.TotalBytes, 10),
		"warnBytes": strconv.FormatInt(now.WarnBytes, 10), "stopBytes": strconv.FormatInt(now.StopBytes, 10),
	}}
	facts := []zap.Field{zap.String("state", now.State), zap.Int64("freeBytes", now.FreeBytes), zap.Int64("totalBytes", now.TotalBytes)}
	if worse > 0 {
		t.log.Warn("the disk of the trail is running full", facts...)
	} else {
		e.Kind = KindDiskRecovered
		t.log.Info("the disk of the trail has more room again", facts...)
	}
	if err := t.Event(e); err != nil {
		t.log.Warn("recording the state of the disk", zap.Error(err))
	}
}

// Disk is the state of the trail's disk, a few seconds old at most.
func (t *Trail) Disk() Disk { return t.disk.current() }

const (
	// growthDays is over how many whole days the growth is averaged.
	growthDays = 7
	// forecastDays is how far a forecast looks.
	forecastDays = 3650
)

// Forecast is how long the disk lasts if the trail goes on to grow as it did.
type Forecast struct {
	// BytesPerDay is what a day took, on average over the last week of whole
	// days; -1: there was none yet.
	BytesPerDay int64 `json:"bytesPerDay"`
	// DaysLeft is after how many days less is free than has to stay, with what
	// retention drops until then; -1: not within ten years, or not known.
	DaysLeft int `json:"daysLeft"`
}

// Forecast estimates from the sizes of the partitions.
func (t *Trail) Forecast() Forecast {
	parts := t.readers.list()
	out := Forecast{BytesPerDay: -1, DaysLeft: -1}
	if len(parts) < 2 {
		return out
	}
	today := parts[len(parts)-1].span.day
	begin := max(parts[0].span.day, today-growthDays)
	sizes := map[day]int64{}
	var sum int64
	for _, p := range parts[:len(parts)-1] {
		sizes[p.span.day] = t.sizeOf(p.span.day)
		if p.span.day >= begin {
			sum += sizes[p.span.day]
		}
	}
	out.BytesPerDay = sum / int64(today-begin)
	disk := t.disk.current()
	if disk.State == DiskUnknown || out.BytesPerDay == 0 {
		return out
	}
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	for left, n := disk.FreeBytes-disk.StopBytes, day(0); n <= forecastDays; n++ {
		if left <= 0 {
			out.DaysLeft = int(n)
			break
		}
		left -= out.BytesPerDay
		old := today + n - day(t.retention)
		if held, err := t.holds.keep(old); t.retention > 0 && !held && err == nil {
			if old >= today {
				left += out.BytesPerDay
			}
			left += sizes[old]
		}
	}
	return out
}

// sizeOf is what a partition takes of the disk, its index included.
func (t *Trail) sizeOf(d day) (sum int64) {
	for _, name := range []string{d.logName(), d.dbName()} {
		if info, err := os.Stat(filepath.Join(t.dir, name)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
