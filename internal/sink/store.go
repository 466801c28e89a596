package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sluice/internal/audit"
)

const (
	markSuffix = ".json"
	// earlierMarks is how many older marks are kept: with each that is as old as
	// two others together. If the trail loses its end, or is restored from a copy,
	// a sink goes on from the last one that the trail has.
	earlierMarks = 24
	earlierEvery = time.Minute
	keptReplays  = 20
)

// store is what is kept of a sink between two runs. A mark is written after what
// it stands for was confirmed, and never before: a crash makes records come
// twice, and loses none. Its fields belong to the worker, save replays.
type store struct {
	path  string
	isNew bool

	mark      audit.Mark
	confirmed uint64 // sequence that completed the last record that was confirmed
	earlier   []earlierMark
	skipped   uint64
	written   time.Time // of earlier's last

	mu      sync.Mutex // guards the following fields
	replays []*Replay
	touched bool // somebody else than the worker has changed replays
}

type earlierMark struct {
	Mark string    `json:"mark"`
	Time time.Time `json:"time"`
}

// saved is the file of a store.
type saved struct {
	Mark      string        `json:"mark"`
	Confirmed uint64        `json:"confirmed"`
	Earlier   []earlierMark `json:"earlier,omitempty"`
	Skipped   uint64        `json:"skipped,omitempty"`
	Replays   []*Replay     `json:"replays,omitempty"`
}

func newStore(dir, name string) *store { return &store{path: filepath.Join(dir, name+markSuffix)} }

// damagedError says that what is kept of a sink is not what a sink writes. It was
// set aside.
type damagedError struct {
	aside string // the file's name now
	err   error
}

func (d *damagedError) Error() string { return fmt.Sprintf("it is damaged: %v", d.err) }
func (d *damagedError) Unwrap() error { return d.err }

// load reads what is kept. The error is a *damagedError where that is not what a
// sink writes, and then the store is empty; or what the disk says.
func (s *store) load() error {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.isNew = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the mark: %w", err)
	}
	var v saved
	err = json.Unmarshal(data, &v)
	var mark audit.Mark
	if err == nil {
		mark, err = audit.ParseMark(v.Mark)
	}
	if err != nil {
		aside, moveErr := SetAside(s.path)
		if moveErr != nil {
			return fmt.Errorf("reading the mark: %w", errors.Join(err, moveErr))
		}
		return &damagedError{aside, err}
	}
	s.mark, s.confirmed, s.earlier, s.skipped = mark, v.Confirmed, v.Earlier, v.Skipped
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replays = append(v.Replays, s.replays...) // some may have been asked for already
	return nil
}

// SetAside renames a file that can't be understood, and returns its new name
// without the folder: NAME.damaged-N with the first N that is free.
func SetAside(path string) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, n)
		if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return "", fmt.Errorf("setting a damaged file aside: %w", err)
			}
			continue
		}
		if err := os.Rename(path, aside); err != nil {
			return "", fmt.Errorf("setting a damaged file aside: %w", err)
		}
		return filepath.Base(aside), nil
	}
}

// wasTouched reports whether there are replays to be kept that the worker did not
// change itself.
func (s *store) wasTouched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.touched
}

// save makes the store durable.
func (s *store) save() error {
	s.mu.Lock()
	s.touched = false
	v := saved{Mark: s.mark.String(), Confirmed: s.confirmed, Earlier: s.earlier, Skipped: s.skipped, Replays: s.replays}
	data, err := json.Marshal(v)
	s.mu.Unlock()
	if err == nil {
		err = WriteDurably(s.path, data)
	}
	if err != nil {
		s.mu.Lock()
		s.touched = true
		s.mu.Unlock()
		return fmt.Errorf("writing the mark: %w", err)
	}
	return nil
}

// remember keeps the mark among the earlier ones, from time to time. Of these
// the newer half is dense and the older thin.
func (s *store) remember(now time.Time) {
	if now.Sub(s.written) < earlierEvery || s.mark.Sequence() == 0 {
		return
	}
	s.written = now
	s.earlier = append(s.earlier, earlierMark{s.mark.String(), now})
	if len(s.earlier) <= earlierMarks {
		return
	}
	half := s.earlier[:earlierMarks/2]
	kept := make([]earlierMark, 0, earlierMarks)
	for i := 0; i < len(half); i += 2 {
		kept = append(kept, half[i])
	}
	s.earlier = append(kept, s.earlier[earlierMarks/2:]...)
}

// nearest returns a reader from the newest place before the mark that the trail
// has, the beginning at worst.
func (s *store) nearest(t *audit.Trail) (*audit.Reader, error) {
	for _, e := range slices.Backward(s.earlier) {
		m, err := audit.ParseMark(e.Mark)
		if err != nil {
			continue
		}
		r, err := t.Reader(m)
		if err == nil || !errors.Is(err, audit.ErrNoMark) {
			return r, err
		}
	}
	return t.Reader(audit.Mark{})
}

// WriteDurably puts data in place of a file: after a crash either is there.
func WriteDurably(path string, data []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
