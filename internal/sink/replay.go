package sink

import (
	"errors"
	"slices"
	"time"

	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// States of a Replay.
const (
	ReplayWaiting   = "waiting"
	ReplayRunning   = "running"
	ReplayDone      = "done"
	ReplayCancelled = "cancelled"
)

// maxWaiting is how many replays of a sink may be under way.
const maxWaiting = 8

// ErrReplays says that enough replays of the sink are under way.
var ErrReplays = errors.New("too many replays of this sink are under way; wait until one is done")

// ErrNoReplay says that nothing is under way that could be cancelled.
var ErrNoReplay = errors.New("no replay of this sink is under way")

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
	// Error is why its last try failed, "" where it did not. It is tried again, and
	// what is new is sent meanwhile.
	Error string `json:"error,omitempty"`
}

// Over reports whether the replay has come to an end.
func (r *Replay) Over() bool { return r.State == ReplayDone || r.State == ReplayCancelled }

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
		if !o.Over() {
			busy++
		}
	}
	if busy >= maxWaiting {
		s.mu.Unlock()
		return Replay{}, ErrReplays
	}
	job := r
	s.replays, s.touched = append(s.replays, &job), true
	if len(s.replays) > keptReplays {
		i := slices.IndexFunc(s.replays, func(o *Replay) bool { return o.Over() })
		s.replays = slices.Delete(s.replays, i, i+1)
	}
	s.mu.Unlock()
	w.rouse()
	return r, nil
}

// CancelReplays ends the replays of a sink that are under way, and returns them. A
// batch that is being sent at that moment still is. The errors are ErrNoSink and
// ErrNoReplay.
func (m *Manager) CancelReplays(name string) ([]Replay, error) {
	w, err := m.named(name)
	if err != nil {
		return nil, err
	}
	var ended []Replay
	w.store.mu.Lock()
	for _, r := range w.store.replays {
		if !r.Over() {
			r.State, r.Ended = ReplayCancelled, m.o.Now().UTC()
			ended = append(ended, *r)
		}
	}
	w.store.touched = w.store.touched || len(ended) > 0
	w.store.mu.Unlock()
	if len(ended) == 0 {
		return nil, ErrNoReplay
	}
	w.rouse()
	return ended, nil
}

// rouse tells the worker that its replays have changed.
func (w *worker) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
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
