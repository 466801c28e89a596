package s3sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"sluice/internal/sink"
)

// state is what a sink keeps on its own disk.
type state struct {
	Plan *plan    `json:"plan,omitempty"`
	Days []string `json:"days,omitempty"` // that are archived
}

// plan is the batch that was begun last.
type plan struct {
	First uint64 `json:"first"` // sequences that completed its first and its last record
	Last  uint64 `json:"last"`
}

func readState(file string) (state, error) {
	var s state
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the state of the sink (deleting the file is safe: objects are sent again): %w", err)
	}
	return s, nil
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
		err = writeWhole(t.o.State, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping the state of the sink: %w", err)
	}
	t.state = next
	return nil
}

// writeWhole replaces a file so that a crash leaves the old or the new content.
func writeWhole(file string, data []byte) error {
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
