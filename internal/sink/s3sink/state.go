package s3sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"sluice/internal/sink"
)

// state is what a sink keeps on its own disk.
type state struct {
	Plan *plan    `json:"plan,omitempty"`
	Days []string `json:"days,omitempty"` // that are archived
	From string   `json:"from,omitempty"` // no day before is; "": all are
}

// plan is the batch that was begun last.
type plan struct {
	First uint64 `json:"first"` // sequences that completed its first and its last record
	Last  uint64 `json:"last"`
}

// begin reads the state, or makes a new one. One that is damaged is set aside: at
// worst objects are sent again.
func (t *Target) begin() error {
	raw, err := os.ReadFile(t.o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return t.remember(func(s *state) {
			if t.o.FromToday {
				s.From = t.o.Now().UTC().Format(time.DateOnly)
			}
		})
	}
	if err != nil {
		return fmt.Errorf("reading the state of the sink: %w", err)
	}
	if err := json.Unmarshal(raw, &t.state); err != nil {
		aside, moveErr := sink.SetAside(t.o.State)
		if moveErr != nil {
			return fmt.Errorf("reading the state of the sink: %w", errors.Join(err, moveErr))
		}
		t.state = state{}
		t.note = "The file with the days that are archived was damaged and is kept as " + aside + ". All days are archived again."
		t.o.Log.Error("the state of the sink is damaged; all days are archived again", zap.String("kept", aside), zap.Error(err))
		return t.remember(func(*state) {})
	}
	return nil
}

// planned is how many of the entries are the batch that was begun before; all of
// them where none was.
func (s *state) planned(entries []sink.Entry) int {
	if p := s.Plan; p != nil && entries[0].Completed() == p.First && !entries[0].Again {
		if i := slices.IndexFunc(entries, func(e sink.Entry) bool { return e.Completed() == p.Last }); i >= 0 {
			return i + 1
		}
	}
	return len(entries)
}

// remember changes the state and writes it.
func (t *Target) remember(change func(*state)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.state
	next.Days = slices.Clone(next.Days)
	change(&next)
	raw, err := json.Marshal(next)
	if err == nil {
		err = sink.WriteDurably(t.o.State, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping the state of the sink: %w", err)
	}
	t.state = next
	return nil
}
