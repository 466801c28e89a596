// Package filesink is the sink type file: one line for each record, in a file
// that is rotated by size.
package filesink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/internal/config"
	"sluice/internal/sink"
)

// batchAge is how long a record waits for others to be made durable with.
const batchAge = 100 * time.Millisecond

// Target appends lines to a file. What Deliver has confirmed is on the disk.
type Target struct {
	o    config.SinkFile
	file *os.File // nil: to be opened
	size int64
	buf  []byte
}

// Open makes a Target. The file is opened when there is something to write.
func Open(o config.SinkFile) *Target { return &Target{o: o} }

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
		if err := t.write(); err != nil {
			return done, fmt.Errorf("writing %s: %w", t.o.Path, err)
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
		next := t.size + int64(len(t.buf)+len(entries[i].Data)+1)
		if next > t.o.RotateBytes && (i > 0 || t.size > 0) {
			return i
		}
		t.buf = append(append(t.buf, entries[i].Data...), '\n')
	}
	return len(entries)
}

// open opens the file, and again when it was renamed or removed by another
// program that rotates it.
func (t *Target) open() error {
	if t.file != nil {
		held, err := t.file.Stat()
		if err == nil {
			named, namedErr := os.Stat(t.o.Path)
			if namedErr == nil && os.SameFile(held, named) {
				t.size = named.Size() // another program may have emptied it
				return nil
			}
		}
		t.file.Close()
		t.file = nil
	}
	if err := os.MkdirAll(filepath.Dir(t.o.Path), 0o700); err != nil {
		return fmt.Errorf("making the folder of %s: %w", t.o.Path, err)
	}
	f, err := os.OpenFile(t.o.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the file of the sink: %w", err)
	}
	size, err := mend(f)
	if err != nil {
		f.Close()
		return fmt.Errorf("opening %s: %w", t.o.Path, err)
	}
	t.file, t.size = f, size
	return nil
}

// mend cuts off a line that a crash left without its end: its record was not
// confirmed, and comes again. It returns the length of the file.
func mend(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	size := info.Size()
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(end-int64(len(buf)), 0)
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			if whole := start + int64(i) + 1; whole < size {
				return whole, f.Truncate(whole)
			}
			return size, nil
		}
		end = start
	}
	if size == 0 {
		return 0, nil
	}
	return 0, f.Truncate(0)
}

// write appends buf and makes it durable. After an error the file is as it was.
func (t *Target) write() error {
	_, err := t.file.Write(t.buf)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		err = errors.Join(err, t.file.Truncate(t.size))
		t.file.Close()
		t.file = nil
		return err
	}
	t.size += int64(len(t.buf))
	if cap(t.buf) > 8<<20 {
		t.buf = nil
	}
	return nil
}

// rotate renames the file and those before it: path.1 is the newest.
func (t *Target) rotate() error {
	t.file.Close()
	t.file = nil
	name := func(n int) string { return t.o.Path + "." + strconv.Itoa(n) }
	if t.o.Keep == 0 {
		return os.Remove(t.o.Path)
	}
	for n := t.o.Keep - 1; n > 0; n-- {
		if err := os.Rename(name(n), name(n+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.Rename(t.o.Path, name(1))
}

// Close implements sink.Target.
func (t *Target) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

var _ sink.Batcher = (*Target)(nil)
