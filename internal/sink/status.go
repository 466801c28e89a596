package sink

import (
	"slices"
	"sync"
	"time"
)

// States of a sink.
const (
	StateRunning = "running" // it sends, or has nothing to send
	StateFailing = "failing" // the last try failed; it is tried again
	// StateStopping is that of a sink that was changed or taken out and does not
	// end: what it writes to hangs. One that has its name begins when it has ended.
	StateStopping = "stopping"
)

// Status is how a sink does.
type Status struct {
	Name, Type, Format, Bodies string
	State                      string    // a State constant
	Since                      time.Time // of the state
	Mark                       uint64    // up to this sequence of the trail all was sent
	// Lag is how many sequences of the trail are behind the mark: an exchange that
	// was answered has two or more, an event one.
	Lag uint64
	// OldestAge is how long the oldest record that was not sent has been waiting;
	// 0: there is none.
	OldestAge time.Duration
	// The following count since the start of the gateway.
	Sent, SentBytes, Errors, Refused int64
	LastSent                         time.Time // zero: nothing was sent yet
	LastError                        string
	LastErrorAt                      time.Time
	DeadLetters                      int    // that are kept
	DeadLettersDropped               int64  // that gave way to newer ones, since the start
	Skipped                          uint64 // sequences that were gone before they were sent, ever
	Notes                            []string
	Replays                          []Replay // the newest first
}

// figures are what a worker counts.
type figures struct {
	mu                     sync.Mutex // guards the following fields
	failing                bool
	since                  time.Time
	fresh                  time.Time // when the worker was made
	mark                   uint64
	sentRecords, sentBytes int64
	errors, refused        int64
	skipped                uint64
	lastSent, lastErrorAt  time.Time
	lastError              string
	oldest                 time.Time // completion of the oldest record at hand; zero: there is none
	caughtUp               time.Time
	notes                  []string
}

// begun notes what was kept.
func (f *figures) begun(mark, skipped uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark, f.skipped = mark, f.skipped+skipped
}

func (f *figures) moved(to uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark = to
}

// waiting notes when the oldest record at hand was completed.
func (f *figures) waiting(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest = since
}

// reached notes that nothing is left to send.
func (f *figures) reached(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest, f.caughtUp = time.Time{}, now
}

func (f *figures) sent(n int, bytes int64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sentRecords += int64(n)
	f.sentBytes += bytes
	f.lastSent = now
}

func (f *figures) buried(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused++
	f.lastError = "a record was refused: " + reason
}

func (f *figures) skip(n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skipped += n
}

func (f *figures) note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.notes, text) {
		f.notes = append(f.notes[max(0, len(f.notes)-4):], text)
	}
}

// failed notes a failure and returns since when the sink fails.
func (f *figures) failed(text string, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors++
	f.lastError, f.lastErrorAt = text, now
	if !f.failing {
		f.failing, f.since = true, now
	}
	return f.since
}

// stumbled notes a failure of something beside what is new.
func (f *figures) stumbled(text string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors++
	f.lastError, f.lastErrorAt = text, now
}

// recover notes that the sink works, and returns since when it had failed.
func (f *figures) recover(now time.Time) (since time.Time, failing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, failing = f.since, f.failing
	if failing {
		f.failing, f.since = false, now
	}
	return since, failing
}

// report tells how the sink does.
func (w *worker) report() Status {
	end, now := w.m.o.Trail.EndMark().Sequence(), w.m.o.Now()
	s := Status{Name: w.cfg.Name, Type: w.cfg.Type, Format: w.cfg.Format, Bodies: w.cfg.Bodies, State: StateRunning}
	f := &w.figures
	f.mu.Lock()
	if f.failing {
		s.State = StateFailing
	}
	delayed := w.delayed()
	if delayed {
		s.State = StateStopping
	}
	s.Since, s.Mark, s.Lag = f.since, f.mark, end-min(end, f.mark)
	switch {
	case s.Lag == 0:
	case !f.oldest.IsZero():
		s.OldestAge = max(now.Sub(f.oldest), 0)
	case !f.caughtUp.IsZero():
		s.OldestAge = max(now.Sub(f.caughtUp), 0)
	case f.failing: // it has not come so far as to read
		s.OldestAge = max(now.Sub(f.since), 0)
	case delayed:
		s.OldestAge = max(now.Sub(f.fresh), 0)
	}
	s.Sent, s.SentBytes, s.Errors, s.Refused, s.Skipped = f.sentRecords, f.sentBytes, f.errors, f.refused, f.skipped
	s.LastSent, s.LastError, s.LastErrorAt = f.lastSent, f.lastError, f.lastErrorAt
	s.Notes = slices.Clone(f.notes)
	f.mu.Unlock()
	if t := w.targetTrouble(); t.Failures > 0 {
		s.Errors += t.Failures
		if t.At.After(s.LastErrorAt) {
			s.LastErrorAt = t.At
		}
		if t.Error != "" && s.State == StateRunning {
			s.State, s.Since, s.LastError = StateFailing, t.Since, t.Error
		}
	}
	s.DeadLetters, s.DeadLettersDropped = w.dead.count()
	s.Notes = append(s.Notes, w.targetNotes()...)
	if delayed {
		s.Notes = append(s.Notes, "The sink that had this name before does not end: what it writes to hangs. This one begins when it has ended.")
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, r := range slices.Backward(w.store.replays) {
		s.Replays = append(s.Replays, *r)
	}
	return s
}
