package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink/format"
)

// What a worker gathers, where neither its settings nor its Target say more.
const (
	batchEntries = 500
	batchBytes   = 4 << 20
	batchAge     = 200 * time.Millisecond
	// readRecords and readBytes are read from the trail at a time.
	readRecords = 500
	readBytes   = 1 << 20
	// saveEvery is how often the mark is written; a crash sends again what was
	// confirmed since.
	saveEvery = time.Second
	// checkEvery is how often an idle receiver is asked what it has.
	checkEvery = 5 * time.Second
	// drowse is how long a worker waits after the first of new frames: at a high
	// rate it is woken so often and no more.
	drowse = 20 * time.Millisecond
)

// worker carries records to one sink.
type worker struct {
	m      *Manager
	cfg    config.Sink
	format format.Func
	log    *zap.Logger

	ctx     context.Context // done: stop at once
	cancel  context.CancelFunc
	ending  chan struct{} // closed: send what there is, then stop
	once    sync.Once
	over    chan struct{}
	wake    chan struct{} // a replay was asked for
	figures figures
	dead    *letters
	before  []*worker               // of the same name, that have to end first
	fresh   audit.Mark              // from where it sends when it is new
	noter   atomic.Pointer[Noter]   // the target, when it is one
	worrier atomic.Pointer[Worrier] // likewise

	// The following fields belong to the goroutine of run.
	begun   bool // what is kept was read
	store   *store
	target  Target
	reader  *audit.Reader
	limits  Batch
	past    uint64    // what was completed up to here the receiver has
	since   time.Time // what is older the receiver does not want, of what it had
	had     uint64    // what was completed up to here it had confirmed before it lost it
	buf     []byte
	saved   time.Time
	unsaved bool
	checked time.Time
	asked   bool // the receiver was asked what it has
	playing *playing
	turn    bool // it is the turn of a replay
	tries   int  // that have failed, one after the other
	trouble bool // the last failure was here, not at the receiver
	// wentBack says that the receiver had lost records and has taken none since.
	wentBack bool
	refusals int  // of one record after the other
	told     bool // that the sink fails is in the trail
	toldAt   time.Time
}

// newWorker makes the worker of a sink. before are those that had its name and may
// not have ended.
func newWorker(m *Manager, c config.Sink, before []*worker) *worker {
	w := &worker{
		m: m, cfg: c, log: m.o.Log.With(zap.String("sink", c.Name)), before: before,
		ending: make(chan struct{}), over: make(chan struct{}), wake: make(chan struct{}, 1),
		limits: Batch{Entries: batchEntries, Bytes: batchBytes, Age: batchAge},
		store:  newStore(m.o.Dir, c.Name), dead: newLetters(m.o.Dir, c.Name),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.figures.since = m.o.Now()
	w.figures.fresh = w.figures.since
	if c.Start != config.SinkStartOldest {
		w.fresh = m.o.Trail.EndMark()
		w.figures.mark = w.fresh.Sequence()
	}
	return w
}

// finish makes the worker send what there is and stop.
func (w *worker) finish() { w.once.Do(func() { close(w.ending) }) }

// end makes the worker stop at once.
func (w *worker) end() {
	w.finish()
	w.cancel()
}

// stopping reports whether the worker is to come to an end.
func (w *worker) stopping() bool {
	select {
	case <-w.ending:
		return true
	default:
		return false
	}
}

// ended reports whether the worker has come to an end.
func (w *worker) ended() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// delayed reports whether another worker of this name has not ended.
func (w *worker) delayed() bool {
	return slices.ContainsFunc(w.before, func(b *worker) bool { return !b.ended() })
}

func (w *worker) run() {
	defer close(w.over)
	defer w.cancel()
	for _, b := range w.before {
		select {
		case <-b.over:
		case <-w.ending:
			return // it has begun nothing
		}
	}
	defer w.close()
	for w.ctx.Err() == nil && w.round() {
	}
}

var errPanic = errors.New("the sink broke down, which is a fault of this program; it begins anew from its mark")

// round prepares and makes a step. It is false when the worker is to stop. A sink
// that breaks down must not take the gateway along: it begins anew.
func (w *worker) round() (more bool) {
	defer func() {
		if recover() == nil { // the value may hold a piece of a record
			return
		}
		w.log.Error("the sink broke down", zap.ByteString("stack", debug.Stack()))
		if w.target != nil {
			_ = w.target.Close() // whatever it says
		}
		if w.reader != nil {
			w.reader.Close()
		}
		w.endReplay()
		w.target, w.reader, w.asked = nil, nil, false
		more = w.stumbled(errPanic)
	}()
	if err := w.prepare(); err != nil {
		return w.stumbled(err)
	}
	return w.step()
}

// targetNotes are what the target has to say.
func (w *worker) targetNotes() []string {
	if n := w.noter.Load(); n != nil {
		return (*n).Notes()
	}
	return nil
}

// targetTrouble is what fails of the target beside delivering.
func (w *worker) targetTrouble() Trouble {
	if n := w.worrier.Load(); n != nil {
		return (*n).Trouble()
	}
	return Trouble{}
}

// close gives back what the worker holds.
func (w *worker) close() {
	w.saveChanges()
	if w.reader != nil {
		w.reader.Close()
	}
	w.endReplay()
	if w.target != nil {
		if err := w.target.Close(); err != nil {
			w.log.Warn("closing the sink", zap.Error(err))
		}
	}
}

// prepare reads what is kept of the sink, makes the target, asks its receiver
// what it has, and finds the place to go on from.
func (w *worker) prepare() error {
	if !w.begun {
		if err := w.begin(); err != nil {
			return err
		}
		w.begun = true
	}
	if w.target == nil {
		t, err := w.m.o.Open(&w.cfg)
		if err != nil {
			return err
		}
		w.target = t
		if n, ok := t.(Noter); ok {
			w.noter.Store(&n)
		}
		if n, ok := t.(Worrier); ok {
			w.worrier.Store(&n)
		}
		w.size()
	}
	if w.reader == nil {
		r, err := w.m.o.Trail.Reader(w.store.mark)
		if errors.Is(err, audit.ErrNoMark) {
			r, err = w.fallBack()
		}
		if err != nil {
			return err
		}
		w.reader = r
	}
	if w.asked && w.m.o.Now().Sub(w.checked) < checkEvery {
		return nil
	}
	return w.check()
}

// begin reads what is kept of the sink, or settles from where a new one sends.
func (w *worker) begin() error {
	f, known := format.Named(w.cfg.Format)
	if !known {
		return fmt.Errorf("the format %q is not known", w.cfg.Format)
	}
	w.format = f
	if err := w.dead.load(); err != nil {
		return fmt.Errorf("reading the dead letters: %w", err)
	}
	err := w.store.load()
	var damaged *damagedError
	switch {
	case errors.As(err, &damaged):
		w.damaged(damaged)
	case err != nil:
		return err
	case w.store.isNew:
		w.store.mark = w.fresh
	}
	w.figures.begun(w.store.mark.Sequence(), w.store.skipped)
	if w.store.isNew || damaged != nil {
		return w.store.save()
	}
	return nil
}

// damaged goes on where the file of the mark can't be understood: with the oldest
// that the trail has, since records that come again do less harm than records that
// never come.
func (w *worker) damaged(d *damagedError) {
	w.figures.note("The file with the mark was damaged and is kept as " + d.aside + ". It was gone on from the oldest record.")
	w.log.Error("the file with the mark is damaged; it is gone on from the oldest record", zap.String("kept", d.aside), zap.Error(d.err))
	w.event(KindMarkLost, map[string]string{"reason": "the file with the mark was damaged", "kept": d.aside, "from": number(0)})
}

// size settles how much is gathered: what the settings say, else the target,
// else the defaults.
func (w *worker) size() {
	want := Batch{}
	if b, ok := w.target.(Batcher); ok {
		want = b.Batch()
	}
	set := w.cfg.Batch
	w.limits = Batch{
		Entries: cmp.Or(set.Records, want.Entries, batchEntries),
		Bytes:   cmp.Or(set.Bytes, want.Bytes, batchBytes),
		Age:     cmp.Or(set.Age, want.Age, batchAge),
	}
}

// check asks the receiver whether it still has what it confirmed. It does not
// ask while there is something to send: Deliver shows it then.
func (w *worker) check() error {
	c, ok := w.target.(Checker)
	if !ok || w.asked && w.reader.Behind() > 0 {
		return nil
	}
	err := c.Check(w.ctx, w.store.confirmed)
	var lost *Lost
	if errors.As(err, &lost) {
		err = w.goBack(lost)
	}
	if err == nil {
		w.asked, w.checked = true, w.m.o.Now()
		w.recovered()
	}
	return err
}

// step sends a batch, of the trail or of a replay, or waits for one. It is false
// when the worker is to stop.
func (w *worker) step() bool {
	final := w.stopping()
	if !final && w.replaying() && w.playing.due(w.m.o.Now()) && (w.turn || w.reader.Behind() == 0) {
		w.turn = false
		return w.replayStep()
	}
	w.turn = true
	entries, err := w.gather()
	if err != nil {
		return w.stumbled(err)
	}
	if w.trouble {
		w.recovered()
	}
	if len(entries) > 0 && !w.send(entries) {
		return false
	}
	w.moved(w.reader.Mark())
	w.keep()
	if len(entries) > 0 {
		return true
	}
	if w.reader.Behind() == 0 {
		w.figures.reached(w.m.o.Now())
		if final {
			return false
		}
	}
	return w.rest()
}

// stumbled notes a failure to open the target or to read the trail. It is false
// when the worker is to stop.
func (w *worker) stumbled(err error) bool {
	w.trouble = true
	return !errors.Is(err, audit.ErrClosed) && w.failed(err)
}

// rest waits until there is something to do. It is false when the worker is to
// stop.
func (w *worker) rest() bool {
	if w.stopping() {
		return w.ctx.Err() == nil
	}
	if moved := w.reader.Arrival(); moved != nil {
		timer := time.NewTimer(w.idle())
		defer timer.Stop()
		select {
		case <-moved:
		case <-timer.C:
			return true
		case <-w.wake:
			return true
		case <-w.ending:
			return true
		case <-w.ctx.Done():
			return false
		}
	}
	w.pause(min(drowse, w.limits.Age))
	return w.ctx.Err() == nil
}

// idle is how long a worker waits when nothing arrives.
func (w *worker) idle() time.Duration {
	if w.playing == nil {
		return checkEvery
	}
	return min(max(w.playing.until.Sub(w.m.o.Now()), 0), checkEvery)
}

// pause waits, unless the worker is to stop.
func (w *worker) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ending:
	case <-w.ctx.Done():
	}
}

// moved notes the place up to which everything is where it is to be.
func (w *worker) moved(to audit.Mark) {
	if to == w.store.mark {
		return
	}
	w.store.mark, w.unsaved = to, true
	w.figures.moved(to.Sequence())
}

// keep writes the mark when that is due.
func (w *worker) keep() {
	if w.store.wasTouched() {
		w.save()
	}
	if now := w.m.o.Now(); w.unsaved && now.Sub(w.saved).Abs() >= saveEvery {
		w.store.remember(now)
		w.save()
	}
}

// saveChanges writes what changed since the last time, at once.
func (w *worker) saveChanges() {
	if w.begun && (w.unsaved || w.store.wasTouched()) {
		w.save()
	}
}

func (w *worker) save() {
	if err := w.store.save(); err != nil {
		w.log.Error("the mark of the sink was not kept; after a crash records are sent again", zap.Error(err))
		return
	}
	w.saved, w.unsaved = w.m.o.Now(), false
}
