package sink

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// States of a Replay.
const (
	ReplayWaiting = "waiting"
	ReplayRunning = "running"
	ReplayDone    = "done"
)

// maxWaiting is how many replays of a sink may be under way.
const maxWaiting = 8

// ErrReplays says that enough replays of the sink are under way.
var ErrReplays = errors.New("too many replays of this sink are under way; wait until one is done")

// ErrRange says that a range selects nothing.
var ErrRange = errors.New("the range ends before it begins")

// Replay is a range of the trail that is sent again beside what is new. It goes
// on after a restart. The sink's filter and settings hold for it.
type Replay struct {
	ID string `json:"id"`
	// From and To bound the time of the records, First and Last the sequence of
	// the frame that completed them, as audit.Range has it.
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	First uint64    `json:"first,omitempty"`
	Last  uint64    `json:"last,omitempty"`
	// Letters says that only the dead letters are sent again.
	Letters bool      `json:"letters,omitempty"`
	By      string    `json:"by,omitempty"` // name of who asked
	Asked   time.Time `json:"asked"`
	State   string    `json:"state"`
	Sent    int64     `json:"sent"`
	At      uint64    `json:"at,omitempty"` // what was completed up to here was sent
	Ended   time.Time `json:"ended,omitzero"`
}

// playing is the replay that a worker is at.
type playing struct {
	*Replay
	store  *store
	r      *audit.RangeReader
	wanted map[uint64]bool // nil: all of the range
}

func (p *playing) passed(completed uint64) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.At = completed
}

// Replay sends a range again. The sequence of a record is that of the frame that
// completed it. The errors are ErrNoSink, ErrReplays, ErrRange and what the disk
// says.
func (m *Manager) Replay(name string, r audit.Range, by string) (Replay, error) {
	if !r.From.IsZero() && !r.To.IsZero() && !r.To.After(r.From) || r.Last != 0 && r.Last < r.First {
		return Replay{}, ErrRange
	}
	return m.ask(name, Replay{From: r.From, To: r.To, First: r.First, Last: r.Last, By: by})
}

// RetryLetters sends the dead letters of a sink again; those that are taken now
// are dead letters no more. The errors are those of Replay.
func (m *Manager) RetryLetters(name, by string) (Replay, error) {
	return m.ask(name, Replay{Letters: true, By: by})
}

func (m *Manager) ask(name string, r Replay) (Replay, error) {
	w, err := m.named(name)
	if err != nil {
		return Replay{}, err
	}
	r.ID, r.Asked, r.State = catalog.NewID(), m.o.Now().UTC(), ReplayWaiting
	s := w.store
	s.mu.Lock()
	busy := 0
	for _, o := range s.replays {
		if o.State != ReplayDone {
			busy++
		}
	}
	if busy >= maxWaiting {
		s.mu.Unlock()
		return Replay{}, ErrReplays
	}
	job := r
	s.replays = append(s.replays, &job)
	if len(s.replays) > keptReplays {
		i := slices.IndexFunc(s.replays, func(o *Replay) bool { return o.State == ReplayDone })
		s.replays = slices.Delete(s.replays, i, i+1)
	}
	s.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return r, nil
}

// Letters returns the dead letters of a sink, the newest first. The error is
// ErrNoSink.
func (m *Manager) Letters(name string) ([]Letter, error) {
	w, err := m.named(name)
	if err != nil {
		return nil, err
	}
	return w.dead.all(), nil
}

// replaying reports whether there is a replay to go on with, and takes it up.
func (w *worker) replaying() bool {
	if w.playing != nil {
		return true
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, r := range w.store.replays {
		if r.State == ReplayDone {
			continue
		}
		if r.State == ReplayWaiting {
			r.State = ReplayRunning
			w.unsaved = true
		}
		w.playing = &playing{Replay: r, store: w.store}
		return true
	}
	return false
}

// begin opens the range of the replay.
func (p *playing) begin(w *worker) error {
	r := audit.Range{From: p.From, To: p.To, First: p.First, Last: p.Last}
	if p.Letters {
		p.wanted = map[uint64]bool{}
		r.First = math.MaxUint64
		for _, l := range w.dead.all() {
			p.wanted[l.Sequence] = true
			r.First, r.Last = min(r.First, l.Sequence), max(r.Last, l.Sequence)
		}
	}
	r.First = max(r.First, p.At+1)
	var err error
	p.r, err = w.m.o.Trail.ReadRange(r)
	return err
}

// replayStep sends the next batch of a replay. It is false when the worker is to
// stop.
func (w *worker) replayStep() bool {
	p := w.playing
	if p.r == nil {
		if err := p.begin(w); err != nil {
			return w.stumbled(err)
		}
	}
	records, err := p.r.Next(w.ctx, min(w.limits.Entries, readRecords), min(w.limits.Bytes, readBytes))
	if err != nil {
		return w.stumbled(err)
	}
	if len(records) == 0 {
		w.log.Info("the replay is done", zap.String("replay", p.ID), zap.Int64("sent", p.Sent))
		w.store.mu.Lock()
		p.State, p.Ended = ReplayDone, w.m.o.Now().UTC()
		w.store.mu.Unlock()
		w.endReplay()
		w.save()
		return true
	}
	b := batch{}
	w.buf = w.buf[:0]
	for _, r := range records {
		if (p.wanted == nil || p.wanted[max(r.Sequence, r.EndSequence)]) && matches(&w.cfg.Filter, r) &&
			!w.add(&b, r, true) {
			return w.stumbled(errUnkept)
		}
	}
	if entries := w.sealed(&b); len(entries) > 0 && !w.send(entries, true) {
		return false
	}
	if w.wentBack { // the batch was given up
		p.r.Close()
		p.r = nil
		return true
	}
	last := records[len(records)-1]
	p.passed(max(last.Sequence, last.EndSequence))
	w.unsaved = true
	w.keep()
	return true
}

// endReplay gives back what the replay at hand holds.
func (w *worker) endReplay() {
	if w.playing != nil && w.playing.r != nil {
		w.playing.r.Close()
	}
	w.playing = nil
}

// resent notes entries of a replay that were confirmed.
func (w *worker) resent(entries []Entry) {
	w.store.mu.Lock()
	w.playing.Sent += int64(len(entries))
	w.store.mu.Unlock()
	ids := make(map[string]bool, len(entries))
	for i := range entries {
		ids[entries[i].Record.RecordID] = true
	}
	if err := w.dead.raise(ids); err != nil {
		w.log.Error("dead letters that were delivered are still listed", zap.Error(fmt.Errorf("writing them: %w", err)))
	}
}
