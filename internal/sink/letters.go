package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	lettersSuffix = ".dead.jsonl"
	// maxLetters bounds the dead letters of a sink; the oldest give way.
	maxLetters = 10_000
)

// Letter is a record that the receiver refused for good, as it is kept: by
// reference. The record itself is in the trail.
type Letter struct {
	RecordID string    `json:"recordId"`
	Sequence uint64    `json:"sequence"` // of the frame that completed the record
	Time     time.Time `json:"time"`     // of the record
	Reason   string    `json:"reason"`
	Refused  time.Time `json:"refused"` // when, the last time
	Tries    int       `json:"tries"`   // how often
}

// letters keeps the dead letters of a sink in a file of one line each.
type letters struct {
	path string

	mu      sync.Mutex // guards the following fields
	list    []Letter   // the newest last
	dropped int64      // that gave way to newer ones since the start
}

func newLetters(dir, name string) *letters {
	return &letters{path: filepath.Join(dir, name+lettersSuffix)}
}

// load reads what is kept. A line that a crash cut off is passed over: its record
// was not passed by the mark, and comes again.
func (l *letters) load() error {
	data, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
	for line := range bytes.Lines(data) {
		var d Letter
		if err := json.Unmarshal(line, &d); err == nil {
			l.put(d)
		}
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return l.rewrite() // else the next letter would be added to half a line
	}
	return nil
}

// put adds a letter in memory, in place of an older one of the same record.
func (l *letters) put(d Letter) {
	if i := l.find(d.RecordID); i >= 0 {
		d.Tries += l.list[i].Tries
		l.list = slices.Delete(l.list, i, i+1)
	}
	l.list = append(l.list, d)
}

// find looks from the newest on: records are refused again soon or never.
func (l *letters) find(id string) int {
	for i := len(l.list) - 1; i >= 0; i-- {
		if l.list[i].RecordID == id {
			return i
		}
	}
	return -1
}

// add keeps a letter durably.
func (l *letters) add(d Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.find(d.RecordID) >= 0
	l.put(d)
	if n := len(l.list) - maxLetters; n > 0 {
		n += maxLetters / 10 // so that the file is not written anew for each
		l.dropped += int64(n)
		l.list = slices.Delete(l.list, 0, n)
		again = true
	}
	if again {
		return l.rewrite()
	}
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (l *letters) rewrite() error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, d := range l.list {
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return WriteDurably(l.path, out.Bytes())
}

// raise takes letters out whose records were delivered after all.
func (l *letters) raise(ids map[string]bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(d Letter) bool { return ids[d.RecordID] })
	if len(l.list) == n {
		return nil
	}
	return l.rewrite()
}

func (l *letters) count() (kept int, dropped int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list), l.dropped
}

// all returns the letters, the newest first.
func (l *letters) all() []Letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.list)
	slices.Reverse(out)
	return out
}

// bury makes a dead letter of a record.
func (w *worker) bury(e *Entry, reason string) error {
	err := w.dead.add(Letter{
		RecordID: e.Record.RecordID, Sequence: e.Completed(), Time: e.Record.Time, Reason: reason, Refused: w.m.o.Now().UTC(), Tries: 1,
	})
	if err != nil {
		return err
	}
	w.log.Warn("a record was refused and set aside", zap.String("record", e.Record.RecordID), zap.String("reason", reason))
	w.figures.buried(reason)
	return nil
}
