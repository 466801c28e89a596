package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// KindDamaged: a place of the trail was found that is not as it was written. It
// stays as it is, and the records behind it are read and gone on with; verify
// names it until retention drops the day.
const KindDamaged = "TrailDamaged"

// Damage is a place of the trail that is not as it was written.
type Damage struct {
	Day    string `json:"day"`    // of the file, YYYY-MM-DD
	Offset int64  `json:"offset"` // bytes from the start of the file
	// Sequence is that of the first record there, 0 where it is not known.
	Sequence uint64 `json:"sequence,omitempty"`
	Reason   string `json:"reason"` // a sentence without its stop
}

const (
	// mostDamages bounds how many places are kept in memory and recorded.
	mostDamages = 1000
	// damageRetry is how long after a failure damage is looked up again.
	damageRetry = time.Minute
)

// damages are the places that are known to be damaged.
type damages struct {
	log *zap.Logger

	mu     sync.Mutex
	places map[damagePlace]Damage
	fresh  []Damage // not told of by the trail yet

	// The following fields belong to the keeper.
	looked bool // for what the trail tells of already
	again  time.Time
}

type damagePlace struct {
	day    string
	offset int64
}

func newDamages(log *zap.Logger) *damages {
	return &damages{log: log, places: map[damagePlace]Damage{}}
}

// saw notes a place. The first time it is logged, and the keeper records it.
func (d *damages) saw(x Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := damagePlace{x.Day, x.Offset}
	if _, known := d.places[at]; known {
		return
	}
	if len(d.places) >= mostDamages {
		return
	}
	d.places[at] = x
	d.fresh = append(d.fresh, x)
	d.log.Error("a place of the trail is damaged; see sluice audit verify",
		zap.String("file", x.Day+".log"), zap.Int64("offset", x.Offset), zap.Uint64("sequence", x.Sequence), zap.String("reason", x.Reason))
}

// told notes a place that the trail tells of.
func (d *damages) told(x Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.places) < mostDamages {
		d.places[damagePlace{x.Day, x.Offset}] = x
	}
	d.fresh = slices.DeleteFunc(d.fresh, func(f Damage) bool { return f.Day == x.Day && f.Offset == x.Offset })
}

// list returns the places on days that are there, in order.
func (d *damages) list(has func(day) bool) []Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Damage
	for _, x := range d.places {
		if on, err := parseDay(x.Day); err == nil && has(on) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Damage) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Offset, b.Offset)) })
	return out
}

// pending returns what the trail does not tell of yet.
func (d *damages) pending() []Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.fresh)
}

// Damaged are the places of the days at hand that were found damaged, by this
// process or one before, in order; up to a thousand. It finds none by itself:
// Verify does.
func (t *Trail) Damaged() []Damage { return t.damages.list(t.readers.has) }

// tellDamage has the trail tell of damage that was found.
func (t *Trail) tellDamage(ctx context.Context) {
	d, now := t.damages, t.now()
	if waited := now.Sub(d.again); waited >= 0 && waited < damageRetry {
		return
	}
	err := t.lookUpDamage(ctx)
	if err == nil {
		err = t.tellPending()
	}
	if d.again = (time.Time{}); err != nil && !t.closing.Load() {
		d.again = now
		t.log.Warn("telling of damage to the trail; it is tried again in a minute", zap.Error(err))
	}
}

// tellPending records what the trail does not tell of yet.
func (t *Trail) tellPending() error {
	for _, x := range t.damages.pending() {
		if err := t.Event(&Event{Kind: KindDamaged, TargetType: "segment", TargetName: x.Day + ".log", Metadata: x.metadata()}); err != nil {
			return err
		}
		t.damages.told(x)
	}
	return nil
}

// lookUpDamage reads what the trail tells of already, once.
func (t *Trail) lookUpDamage(ctx context.Context) error {
	if t.damages.looked {
		return nil
	}
	err := t.Query(ctx, Filter{Kinds: []string{KindDamaged}}, func(r *Record) error {
		if r.Event == nil || len(r.Event.TargetName) < len(dayLayout) {
			return nil
		}
		x := Damage{Day: r.Event.TargetName[:len(dayLayout)], Reason: r.Event.Metadata["reason"]}
		x.Offset, _ = strconv.ParseInt(r.Event.Metadata["offset"], 10, 64)
		x.Sequence, _ = strconv.ParseUint(r.Event.Metadata["sequence"], 10, 64)
		t.damages.told(x)
		return nil
	})
	t.damages.looked = err == nil
	return err
}

// damaged tells a record that is not as it was written, or that the disk can't
// read, from errors that another try may not meet.
func damaged(err error) bool { return isTorn(err) || errors.Is(err, syscall.EIO) }

// wounded notes damage at a place of the record; other errors are returned.
func (r *Record) wounded(at place, seq uint64, err error) error {
	if !damaged(err) {
		return err
	}
	r.Damaged = append(r.Damaged, Damage{Day: at.day.String(), Offset: at.off, Sequence: seq, Reason: err.Error()})
	return nil
}

// unreadable makes r the event that stands for a record of which nothing can be
// read.
func (r *Record) unreadable() {
	r.Event = &Event{Time: r.Time, Kind: KindDamaged, TargetType: "segment"}
	if len(r.Damaged) > 0 {
		x := r.Damaged[0]
		r.Event.TargetName, r.Event.Metadata = x.Day+".log", x.metadata()
	}
}

func (x Damage) metadata() map[string]string {
	m := map[string]string{"offset": strconv.FormatInt(x.Offset, 10), "reason": x.Reason}
	if x.Sequence != 0 {
		m["sequence"] = strconv.FormatUint(x.Sequence, 10)
	}
	return m
}
