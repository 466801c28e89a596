// Package filesink is the sink type file: one line for each record, in a file
// that is rotated by size.
package filesink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"sluice/internal/config"
	"sluice/internal/linefile"
	"sluice/internal/sink"
)

// batchAge is how long a record waits for others to be made durable with.
const batchAge = 100 * time.Millisecond

// Target appends lines to a file. What Deliver has confirmed is on the disk.
type Target struct {
	o    config.SinkFile
	file *linefile.File
	buf  []byte
	torn atomic.Pointer[string] // where half a line went
}

// Open makes a Target. The file is opened when there is something to write.
func Open(o config.SinkFile) *Target { return &Target{o: o, file: linefile.New(o.Path)} }

// Batch implements sink.Batcher.
func (t *Target) Batch() sink.Batch { return sink.Batch{Age: batchAge} }

// Deliver implements sink.Target.
func (t *Target) Deliver(_ context.Context, entries []sink.Entry) (int, error) {
	done := 0
	for done < len(entries) {
		if err := t.open(); err != nil {
			return done, err
		}
		n := t.gather(entries[done:])
		if n == 0 {
			if err := t.rotate(); err != nil {
				return done, fmt.Errorf("rotating %s: %w", t.o.Path, err)
			}
			continue
		}
		if err := t.file.Append(t.buf); err != nil {
			return done, err
		}
		if cap(t.buf) > 8<<20 {
			t.buf = nil
		}
		done += n
	}
	return done, nil
}

// gather puts as many lines into buf as the file has room for; into an empty
// file one always goes.
func (t *Target) gather(entries []sink.Entry) int {
	t.buf = t.buf[:0]
	for i := range entries {
		next := t.file.Size() + int64(len(t.buf)+len(entries[i].Data)+1)
		if next > t.o.RotateBytes && (i > 0 || t.file.Size() > 0) {
			return i
		}
		t.buf = append(append(t.buf, entries[i].Data...), '\n')
	}
	return len(entries)
}

// open opens the file, and again when it was renamed or removed by another
// program that rotates it.
func (t *Target) open() error {
	if err := os.MkdirAll(filepath.Dir(t.o.Path), 0o700); err != nil {
		return fmt.Errorf("making the folder of %s: %w", t.o.Path, err)
	}
	if err := t.file.Open(); err != nil {
		return err
	}
	if aside := t.file.Aside(); aside != "" {
		t.torn.Store(&aside)
	}
	return nil
}

// Notes implements sink.Noter.
func (t *Target) Notes() []string {
	if aside := t.torn.Load(); aside != nil {
		return []string{"The file ended in half a line, which was kept aside in " + *aside + "."}
	}
	return nil
}

// rotate renames the file and those before it: path.1 is the newest.
func (t *Target) rotate() error {
	name := func(n int) string { return t.o.Path + "." + strconv.Itoa(n) }
	if t.o.Keep == 0 {
		return t.file.Remove()
	}
	for n := t.o.Keep - 1; n > 0; n-- {
		if err := os.Rename(name(n), name(n+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return t.file.Rename(name(1))
}

// Close implements sink.Target.
func (t *Target) Close() error { return t.file.Close() }

var (
	_ sink.Batcher = (*Target)(nil)
	_ sink.Noter   = (*Target)(nil)
)
