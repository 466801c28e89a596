package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Trail is an open trail. Its methods may be called from any goroutine.
type Trail struct {
	dir        string
	id         string // of the segments and of what is signed
	ids        incarnations
	keeps      string // of bodies: a Bodies constant
	bodyBytes  int    // most that is kept of one body
	syncs      bool   // a record is on the disk before it counts as written
	redaction  redaction
	retention  int
	now        func() time.Time
	log        *zap.Logger
	lock       *os.File
	encoder    *encoder
	compressor *compressor
	entries    sync.Pool
	writer     *writer
	indexer    *indexer
	readers    *readers
	keeper     *keeper
	holds      *holds
	disk       *diskWatch
	damages    *damages
	removing   sync.WaitGroup // indexes of dropped partitions that were being built
	closing    atomic.Bool
	signer     atomic.Pointer[Signer]
	reading    bool       // opened by OpenRead
	heading    sync.Mutex // held while the head is written
	lastSigned atomic.Pointer[head]
	followers  atomic.Pointer[[]*Follower] // changed by whoever leads the writer
	arrivals   arrivals
	recovered  Recovery
	tape       tape
	downloads  downloads

	// walking is held for reading while segments are walked, and for writing
	// while retention removes some.
	walking sync.RWMutex
}

// Open opens the trail in opts.Dir and makes it when there is none. What was
// left half-written is completed: a torn record at the end is cut off and kept
// aside, and each exchange that was begun and not ended is ended with
// ResultInterrupted. The errors are ErrLocked and what the disk says.
func Open(opts Options) (*Trail, error) { return openTrail(opts, openDisk) }

func openTrail(opts Options, opener fileOpener) (*Trail, error) {
	if _, err := os.Stat(filepath.Join(opts.Dir, ExcerptName)); err == nil {
		return nil, fmt.Errorf("opening the trail: %w: %s holds days that were imported; they can be read and not gone on with", ErrDamaged, opts.Dir)
	}
	t, err := newTrail(opts)
	if err != nil {
		return nil, err
	}
	if t.lock, err = lockDir(opts.Dir); err != nil {
		return nil, fmt.Errorf("opening the trail: %w", err)
	}
	if err := t.start(opts, opener); err != nil {
		t.lock.Close()
		return nil, fmt.Errorf("opening the trail: %w", err)
	}
	return t, nil
}

func newTrail(opts Options) (*Trail, error) {
	t := &Trail{dir: opts.Dir, retention: opts.RetentionDays, now: opts.Now, log: opts.Log, encoder: newEncoder(opts.Node)}
	switch t.keeps = cmp.Or(opts.Bodies, BodiesFull); t.keeps {
	case BodiesFull, BodiesRedacted, BodiesNone:
	default:
		return nil, fmt.Errorf("opening the trail: bodies is %q, not %q, %q or %q", opts.Bodies, BodiesFull, BodiesRedacted, BodiesNone)
	}
	switch opts.Sync {
	case SyncFsync:
		t.syncs = true
	case SyncOS, "":
	default:
		return nil, fmt.Errorf("opening the trail: sync is %q, not %q or %q", opts.Sync, SyncOS, SyncFsync)
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.bodyBytes = opts.BodyBytes; t.bodyBytes <= 0 {
		t.bodyBytes = DefaultBodyBytes
	}
	t.bodyBytes = min(t.bodyBytes, MaxBodyBytes)
	if t.log == nil {
		t.log = zap.NewNop()
	}
	t.redaction.log, t.downloads, t.damages = t.log, newDownloads(), newDamages(t.log)
	t.disk = newDiskWatch(opts)
	t.entries.New = func() any { return &entry{wake: make(chan bool, 1)} }
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the trail: %w", err)
	}
	var err error
	t.compressor, err = newCompressor()
	return t, err
}

// start recovers the folder and begins to write.
func (t *Trail) start(opts Options, opener fileOpener) error {
	boot := bootID()
	before, err := readHead(t.dir)
	if err != nil {
		return err
	}
	state, err := recoverTrail(t.dir, boot, t.now(), t.log)
	if err != nil {
		return err
	}
	t.id = cmp.Or(state.trail, newID())
	if t.ids, err = readIncarnations(t.dir, t.id); err != nil {
		return err
	}
	for _, x := range state.damaged {
		t.damages.saw(x)
	}
	if err := t.renamed(state); err != nil {
		return err
	}
	var restored *Event
	if t.ids, restored, err = t.ids.restored(t.dir, state.pos.seq); err != nil {
		return err
	}
	t.recovered.First = state.pos.seq == 0
	t.recovered.Orderly = t.recovered.First || before != nil && before.Clean && len(state.events) == 0
	if restored != nil {
		state.events = append(state.events, restored)
	}
	t.indexer = &indexer{
		dir: t.dir, boot: boot, log: t.log, saw: t.damages.saw,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), over: make(chan struct{}),
		done: state.indexed, open: state.indexOpen, progress: make(chan struct{}), times: noTimes,
	}
	if len(state.items) > 0 {
		t.indexer.push(state.items)
		t.indexer.pushed = state.pos.seq
		t.indexer.lost = t.indexer.lost || state.items[len(state.items)-1].at.seq != state.pos.seq
	}
	t.readers = newReaders(t.dir, boot, state, t.damages.saw)
	t.arrivals.push(state.pos)
	if err := removeOrphans(t.dir, t.readers.has); err != nil {
		return err
	}
	t.holds = openHolds(t.dir, state, opts.Signed, t.now())
	t.lastSigned.Store(state.head.lastSigned())
	t.writer = &writer{dir: t.dir, trail: t.id, now: t.now, opener: opener, index: t.written, disk: t.disk, pos: state.pos, lo: state.times.lo, hi: state.times.hi}
	t.writer.gaps, t.writer.holding = state.gaps, state.holding
	t.writer.ending = func() { _ = t.sign(t.now()) } // a segment that ends unsigned is signed by the next
	t.writer.each = t.syncs
	t.writer.open, t.writer.ended, t.writer.next = map[string]*row{}, state.times, state.pos
	go t.indexer.run()
	if err := t.resume(state); err != nil {
		t.indexer.close()
		if t.writer.file != nil {
			t.writer.file.Close()
		}
		return err
	}
	t.keeper = startKeeper(t)
	t.readers.tend(t.indexer.position, t.log)
	return nil
}

// resume opens the last segment for writing, tells what was found and ends
// what was interrupted.
func (t *Trail) resume(state *found) error {
	w := t.writer
	if state.pos.seq > 0 {
		file, err := w.opener(filepath.Join(t.dir, state.pos.day.logName()), os.O_RDWR)
		if err != nil {
			return refused("opening the segment", err)
		}
		w.file, w.alloc, w.spared = file, state.pos.off, true
		w.shown = file
		// The run before may have died with records on their way to the disk.
		if err := file.Sync(); err != nil {
			return refused("getting the trail onto the disk", err)
		}
		w.synced = state.pos
		w.open, w.reserved = state.open, reservedFor(state.open)
		// The head must not call the trail closed when records follow. A signed
		// one stays until there is a key again.
		kept := state.pos.head(t.id, false)
		if state.head != nil && state.head.Signature != "" && state.head.Sequence <= state.pos.seq {
			kept = *state.head
			kept.Clean = false
		}
		if err := writeHead(t.dir, kept); err != nil {
			return err
		}
	}
	for _, e := range state.events {
		if err := t.Event(e); err != nil {
			return err
		}
	}
	rows := slices.SortedFunc(maps.Values(state.open), compareRows)
	interrupted := make([]string, len(rows))
	for i, r := range rows {
		interrupted[i] = r.id
	}
	for _, id := range interrupted {
		o := &Outcome{
			Result: ResultInterrupted, InputTokens: Unknown, OutputTokens: Unknown, CachedTokens: Unknown, ReasoningTokens: Unknown,
			CacheWriteTokens: Unknown, CostNanoUSD: Unknown,
			Code: "interrupted", Message: "The gateway ended before the exchange did.",
		}
		if err := t.End(id, o, nil); err != nil {
			return err
		}
	}
	t.recovered.Interrupted = len(interrupted)
	if len(interrupted) > 0 {
		t.log.Info("exchanges that were under way when the gateway ended are recorded as interrupted", zap.Int("count", len(interrupted)))
	}
	if err := w.turn(t.now()); err != nil {
		return err
	}
	if state.head != nil && state.head.Signature != "" {
		return nil
	}
	return t.writeHead(w.position(), false)
}

// Recovery says what Open found of the process that wrote before.
type Recovery struct {
	First   bool // there was no trail yet
	Orderly bool // the trail had been closed, or is new
	// Interrupted counts exchanges that were begun and not ended.
	Interrupted int
}

// Recovered says what Open found.
func (t *Trail) Recovered() Recovery { return t.recovered }

// ID names the trail as RecordID has it: 16 hexadecimal digits, drawn when it is
// made and anew when it goes on from a backup. No other trail has it.
func (t *Trail) ID() string { return t.ids.current() }

func newID() string {
	var id [8]byte
	rand.Read(id[:]) // never fails: the process ends where there is no randomness
	return hex.EncodeToString(id[:])
}

// written tells the index, the readers and the followers of frames that were
// written.
func (t *Trail) written(items []item) {
	for _, it := range items {
		if it.kind == frameSegment {
			t.readers.add(it.at, t.writer.before)
		}
	}
	t.indexer.push(items)
	for _, f := range t.following() {
		f.push(items)
	}
	t.arrivals.push(items[len(items)-1].at)
}

// Begin writes the request half of an exchange. When it returns nil the half is
// with the operating system, and End with no body will find room. The errors
// are ErrNoSpace, ErrUnwritable, ErrDuplicate, ErrNoID, ErrTooLarge and
// ErrClosed. The trail keeps neither x nor requestBody; x.Caller must not change.
func (t *Trail) Begin(x *Exchange, requestBody []byte) error {
	at := t.moment(x.Time)
	mode := t.mode(x)
	x, requestBody = t.redaction.exchange(mode, x), t.redaction.body(mode, requestBody)
	e := t.entry(frameBegin)
	defer t.release(e)
	var err error
	if e.frame, err = t.encoder.appendExchange(e.frame, x, at); err != nil {
		return err
	}
	e.id, e.row = x.ID, exchangeRow(x, at)
	e.bare = mode == BodiesNone
	if err = t.write(e, requestBody, at); err == nil {
		t.redaction.begun(x.ID, mode)
	}
	return err
}

// End writes the response half of an exchange that was begun. When it returns
// nil the record is whole and with the operating system. After an error the
// exchange is still under way: End may be called again, and with no body it
// succeeds though the disk is full. The errors are those of Begin, with
// ErrNotBegun in place of ErrDuplicate.
func (t *Trail) End(id string, o *Outcome, responseBody []byte) error {
	at := t.moment(o.Time)
	mode := t.redaction.of(id)
	o, responseBody = t.redaction.outcome(mode, o), t.redaction.body(mode, responseBody)
	e := t.entry(frameEnd)
	defer t.release(e)
	e.frame = appendOutcome(e.frame, id, o, at)
	e.id, e.end, e.bare = id, o, mode == BodiesNone
	err := t.write(e, responseBody, at)
	if err == nil {
		t.redaction.ended(id, mode)
	}
	return err
}

// Refuse writes a request that was turned away, whole: a denial, a failed
// authentication, a malformed request. The errors are those of Begin.
func (t *Trail) Refuse(x *Exchange, requestBody []byte, o *Outcome) error {
	at := t.moment(x.Time)
	mode := t.mode(x)
	x, o, requestBody = t.redaction.exchange(mode, x), t.redaction.outcome(mode, o), t.redaction.body(mode, requestBody)
	e := t.entry(frameWhole)
	defer t.release(e)
	var err error
	if e.frame, err = t.encoder.appendWhole(e.frame, x, o, at, t.moment(o.Time)); err != nil {
		return err
	}
	e.id, e.row = x.ID, exchangeRow(x, at)
	e.row.setOutcome(o)
	e.bare = mode == BodiesNone
	return t.write(e, requestBody, at)
}

// Event writes an administrative change or a system event. The errors are
// those of Begin without ErrDuplicate and ErrNoID.
func (t *Trail) Event(v *Event) error {
	event := *t.redaction.event(t.keeps, v)
	event.Time, event.Node = t.moment(v.Time).UTC(), cmp.Or(v.Node, t.encoder.node)
	meta, err := json.Marshal(&event)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	e := t.entry(frameEvent)
	defer t.release(e)
	e.frame = append(e.frame, meta...)
	e.row = eventRow(&event, event.Time)
	if x, ok := gapOf(&event); ok {
		e.gap = &x
	}
	e.held = holdingOf(&event)
	return t.write(e, nil, event.Time)
}

func (t *Trail) moment(at time.Time) time.Time {
	if at.IsZero() {
		return t.now()
	}
	return at
}

// write adds the body to the meta data in e and appends the frame to the log.
func (t *Trail) write(e *entry, body []byte, at time.Time) error {
	if len(e.frame)-headerSize > maxMeta {
		return ErrTooLarge
	}
	var kept []byte
	if !e.bare && t.keeps != BodiesNone {
		kept = body[:min(len(body), t.bodyBytes)]
	}
	e.frame = t.compressor.appendFrames(e.frame, e.kind, kept, len(body), at.UnixNano())
	return t.writer.append(e)
}

// entry returns an entry with room for the header of its frame.
func (t *Trail) entry(kind frameKind) *entry {
	e := t.entries.Get().(*entry)
	if cap(e.frame) < headerSize {
		e.frame = make([]byte, headerSize, 4096)
	}
	e.frame = e.frame[:headerSize]
	e.kind = kind
	return e
}

func (t *Trail) release(e *entry) {
	if cap(e.frame) > 1<<20 {
		e.frame = nil
	}
	*e = entry{frame: e.frame, wake: e.wake}
	t.entries.Put(e)
}

// Healthy is nil when the log can be written. After a failure it tries whether
// that is so again.
func (t *Trail) Healthy() error {
	if t.closing.Load() {
		return ErrClosed
	}
	return t.writer.healthy()
}

// Verify walks the whole trail up to what was written when it was called, and
// compares its end with what is in memory.
func (t *Trail) Verify(ctx context.Context) (Report, error) {
	return t.VerifyWith(ctx, VerifyOptions{})
}

// VerifyWith is Verify with other keys than those of the signer, or for a range.
func (t *Trail) VerifyWith(ctx context.Context, o VerifyOptions) (Report, error) {
	if t.reading {
		return VerifyDirWith(ctx, t.dir, o)
	}
	if o.Keys == nil {
		o.Keys = t.PublicKeys()
	}
	return verifyDir(ctx, t.dir, o, t.now(), func() *position { p := t.writer.position(); return &p })
}

// Close ends the trail: it indexes what is left and writes the head. Exchanges
// that are under way are not ended; the next Open records them as interrupted.
// No other method may be under way or follow, save those that then return
// ErrClosed.
func (t *Trail) Close() error {
	if t.closing.Swap(true) {
		return ErrClosed
	}
	if t.reading {
		return t.closeRead()
	}
	t.keeper.close()
	t.removing.Wait()
	err := t.tellPending() // what the keeper did not come to
	if signErr := t.Checkpoint(); err == nil {
		err = signErr
	}
	if closeErr := t.writer.close(); err == nil {
		err = closeErr
	}
	t.indexer.close()
	t.readers.close()
	t.arrivals.push(t.arrivals.position()) // wakes those who wait
	t.tape.close()
	if headErr := t.writeHead(t.writer.position(), true); err == nil {
		err = headErr
	}
	t.compressor.close()
	if lockErr := t.lock.Close(); err == nil {
		err = lockErr
	}
	if err != nil {
		return fmt.Errorf("closing the trail: %w", err)
	}
	return nil
}
