package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/internal/identity"
)

// ErrNoMark says that the trail does not hold the place that a mark names: it
// was cut off after a crash, or the mark is of another trail.
var ErrNoMark = errors.New("the trail does not have this place")

// Ended is what a Follower hands on: an exchange that has ended, or the name
// that an event gives to what it is about.
type Ended struct {
	Sequence uint64 // of the frame that completed it
	// Time is when the request arrived or the event happened.
	Time time.Time
	// The following are those of Exchange; with an Event they are empty.
	Caller                   *identity.Caller
	EndpointID, EndpointName string
	Provider, Model          string
	Operation                string
	Stream                   bool
	Outcome                  *Outcome // without Attempts; nil with an Event
	// Event is nil with an exchange, and has the three fields of its target.
	Event *Event
}

// Mark is a place between two frames of a trail, to go on from later. The zero
// Mark is the beginning.
type Mark struct{ at position }

// Sequence is that of the last frame before the mark.
func (m Mark) Sequence() uint64 { return m.at.seq }

// String returns what ParseMark reads.
func (m Mark) String() string {
	if m.at.seq == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d %d %d %x", m.at.day, m.at.seq, m.at.last, m.at.off, m.at.hash[:])
}

// ParseMark reads what String wrote.
func ParseMark(text string) (Mark, error) {
	var m Mark
	if text == "" {
		return m, nil
	}
	name, rest, _ := strings.Cut(text, " ")
	d, err := parseDay(name)
	var hash string
	if err == nil {
		_, err = fmt.Sscanf(rest, "%d %d %d %s", &m.at.seq, &m.at.last, &m.at.off, &hash)
	}
	var sum []byte
	if err == nil {
		sum, err = hex.DecodeString(hash)
	}
	if err != nil || len(sum) != len(m.at.hash) {
		return Mark{}, fmt.Errorf("reading the mark %q: %w", text, ErrNoMark)
	}
	m.at.day, m.at.hash = d, chainHash(sum)
	return m, nil
}

// Follower hands on everything that ends in a trail, once each and in order,
// from a mark on. What comes faster than it is fetched is read back from the
// segments; the requests never wait. Its methods are for one goroutine.
type Follower struct {
	t    *Trail
	room int
	// known are the exchanges whose request half was read back and whose
	// response half was not yet.
	known map[string]*row

	mu     sync.Mutex // guards the following fields
	at     Mark       // what was handed on goes to here
	queue  []item     // what ended behind behind
	pushed position   // of the last frame that the writer told of
	behind uint64     // up to here frames are to be read back
	missed uint64     // things that ended and did not fit into the queue
}

// Follow begins at from. Up to room things are kept in memory until Next
// fetches them. The error is ErrNoMark, ErrClosed or what the disk says.
func (t *Trail) Follow(from Mark, room int) (*Follower, error) {
	f := &Follower{t: t, room: room, at: from, known: map[string]*row{}}
	err := t.writer.exclusive(func() error {
		f.pushed = t.writer.position()
		f.behind = f.pushed.seq
		if err := t.has(from, f.pushed); err != nil {
			return err
		}
		t.followers.Store(new(append(slices.Clone(t.following()), f)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("following the trail: %w", err)
	}
	return f, nil
}

// has checks that the trail has the mark. A partition that retention dropped
// can't be asked.
func (t *Trail) has(m Mark, end position) error {
	switch {
	case m.at.seq == 0 || !t.readers.has(m.at.day) && m.at.day < end.day:
		return nil
	case m.at.seq > end.seq || !t.readers.has(m.at.day):
		return ErrNoMark
	}
	if m.at.off == 0 { // before the first frame of a segment
		if !slices.ContainsFunc(t.readers.list(), func(p part) bool { return p.span.day == m.at.day && p.span.first == m.at.seq+1 }) {
			return ErrNoMark
		}
		return nil
	}
	frames := newFrames(t.ids, t.dir, t.compressor)
	defer frames.close()
	fr, err := frames.read(place{m.at.day, m.at.last}, false)
	if err != nil || fr.seq != m.at.seq || fr.chain != m.at.hash {
		return ErrNoMark
	}
	return nil
}

func (t *Trail) following() []*Follower {
	if all := t.followers.Load(); all != nil {
		return *all
	}
	return nil
}

// Close ends the following. Nothing is told of any more.
func (f *Follower) Close() {
	_ = f.t.writer.exclusive(func() error { // fails when the trail is closed, which ends it too
		f.t.followers.Store(new(slices.DeleteFunc(slices.Clone(f.t.following()), func(o *Follower) bool { return o == f })))
		return nil
	})
}

// push takes frames that were written, in order.
func (f *Follower) push(items []item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pushed = items[len(items)-1].at
	for _, it := range items {
		if !it.ends() {
			continue
		}
		if len(f.queue) == f.room {
			f.missed += uint64(len(f.queue)) + 1
			clear(f.queue)
			f.queue, f.behind = f.queue[:0], it.at.seq
		}
		if len(f.queue) > 0 || it.at.seq > f.behind {
			f.queue = append(f.queue, it)
		}
	}
}

// ends reports whether a frame completes something that followers are told of.
func (it item) ends() bool {
	return it.completes() && (it.row.outcome != nil || it.row.event != nil)
}

// Missed is how many things did not fit into memory and were read back, or
// will be.
func (f *Follower) Missed() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.missed
}

// Behind is how many frames were written and not yet handed on.
func (f *Follower) Behind() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pushed.seq - min(f.at.at.seq, f.pushed.seq)
}

// Next returns up to about max things that have ended since the mark before,
// and the mark behind them. With none the trail was reached; the mark may have
// moved all the same. The error is ErrClosed, the context's or what the disk
// says; the next call tries again from the same place.
func (f *Follower) Next(ctx context.Context, max int) ([]Ended, Mark, error) {
	for {
		if f.t.closing.Load() {
			return nil, f.mark(), ErrClosed
		}
		items, done := f.take(max)
		if done {
			return endedOf(items), f.mark(), nil
		}
		items, at, err := f.readBack(ctx, max)
		if err != nil {
			return nil, f.mark(), fmt.Errorf("following the trail: %w", err)
		}
		f.mu.Lock()
		f.at.at = at
		f.mu.Unlock()
		if len(items) > 0 {
			return endedOf(items), f.mark(), nil
		}
	}
}

func (f *Follower) mark() Mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// take takes from the queue, unless frames before it have to be read back.
func (f *Follower) take(max int) ([]item, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.at.seq < f.behind {
		return nil, false
	}
	clear(f.known)
	n := min(max, len(f.queue))
	items := slices.Clone(f.queue[:n])
	if n == len(f.queue) {
		f.at.at = f.pushed
	} else {
		f.at.at = items[n-1].at
	}
	rest := copy(f.queue, f.queue[n:])
	clear(f.queue[rest:])
	f.queue = f.queue[:rest]
	return items, true
}

// readBack reads from the segments, at most to where the queue begins, and
// returns the place that it came to.
func (f *Follower) readBack(ctx context.Context, max int) (items []item, at position, err error) {
	f.t.walking.RLock()
	defer f.t.walking.RUnlock()
	f.mu.Lock()
	at, behind := f.at.at, f.behind
	f.mu.Unlock()
	parts := f.t.readers.list()
	i := slices.IndexFunc(parts, func(p part) bool { return at.seq == 0 || p.span.day >= at.day })
	if i < 0 {
		return nil, at, fmt.Errorf("%w: its partition is gone", ErrNoMark)
	}
	if here := parts[i].span; at.seq == 0 || here.day != at.day {
		at = position{day: here.day, seq: here.first - 1}
	}
	s, err := scanSegment(f.t.dir, at.day, at.off, false)
	if err != nil {
		return nil, at, err
	}
	defer s.close()
	s.saw = f.t.damages.saw
	for len(items) < max && at.seq < behind {
		if err := ctx.Err(); err != nil {
			return nil, at, err
		}
		it, err := f.read(ctx, s)
		if isTorn(err) {
			on, found, lookErr := s.passDamage(at.seq, err)
			if lookErr != nil {
				return items, at, lookErr
			}
			if found {
				at = position{seq: on, hash: at.hash, day: at.day, off: s.off, last: at.last}
				continue
			}
		}
		switch {
		case err == io.EOF && i+1 == len(parts):
			return nil, at, fmt.Errorf("%s ends at record %d of %d", at.day.logName(), at.seq, behind)
		case (err == io.EOF || isTorn(err)) && i+1 < len(parts):
			if err != io.EOF {
				f.t.log.Error("the rest of a damaged segment is passed over", zap.String("file", at.day.logName()), zap.Error(err))
			}
			next := parts[i+1].span
			return items, position{day: next.day, seq: next.first - 1, hash: at.hash}, nil
		case err != nil:
			return nil, at, err
		}
		if at = it.at; it.ends() {
			items = append(items, it)
		}
	}
	return items, at, nil
}

// read reads the next frame of s.
func (f *Follower) read(ctx context.Context, s *scanner) (item, error) {
	h, content, err := s.next()
	if err != nil {
		return item{}, err
	}
	it, err := decodeItem(&h, content[:h.meta], s.at(&h), func(id string) *row { return f.known[id] })
	if isTorn(err) {
		s.noted(Damage{Day: s.day.String(), Offset: it.at.last, Sequence: h.seq, Reason: err.Error()})
		return it, nil
	}
	if err != nil {
		return it, err
	}
	if h.kind == frameEnd && f.known[it.row.id] == nil {
		err = f.complete(ctx, &it)
	}
	it.keep(f.known)
	return it, err
}

// complete finds the request half of an exchange that began before the mark.
func (f *Follower) complete(ctx context.Context, it *item) error {
	var found *Record
	err := f.t.Query(ctx, Filter{ID: it.row.id, Descending: true}, func(r *Record) error {
		if r.EndSequence != it.at.seq {
			return nil
		}
		found = r
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	if err == nil && found != nil && found.Exchange != nil {
		begun := exchangeRow(found.Exchange, found.Time)
		it.row = begun.completed(it.row.outcome, it.row.second)
	}
	return err
}

func endedOf(items []item) []Ended {
	out := make([]Ended, len(items))
	for i, it := range items {
		e := Ended{Sequence: it.at.seq, Time: asTime(it.row.time), Outcome: it.row.outcome, Event: it.row.event}
		if x := it.row.exchange; x != nil && e.Event == nil {
			e.Caller, e.EndpointID, e.EndpointName = it.row.caller, it.row.what.targetID, it.row.what.targetName
			e.Provider, e.Model, e.Operation, e.Stream = x.Provider, x.Model, x.Operation, x.Stream
		}
		out[i] = e
	}
	return out
}
