// Package linefile appends lines to a file so that what counts as written stays
// written: it is on the disk, half a line that a crash left is kept aside and never
// thrown away, another program may rotate the file, and no two write to it at once.
package linefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Errors of Open, which passes when somebody does something about it.
var (
	// ErrInUse says that somebody else has the file open to append to it.
	ErrInUse = errors.New("another sink, gateway or consumer writes to this file; give each a file of its own")
	// ErrForeign says that there is a file already, with something else in it.
	ErrForeign = errors.New("there is a file already that does not begin with a record; it is left alone: name another path, or move it away")
	// ErrIrregular says that the path is of a folder, a pipe or a device.
	ErrIrregular = errors.New("want a regular file, not a folder, a pipe or a device")
)

// File is a file of lines. Its methods must not be called at once.
type File struct {
	path  string
	f     *os.File // nil: to be opened
	size  int64
	aside string
}

// New names a file. It is opened, or made for its owner only, by Open.
func New(path string) *File { return &File{path: path} }

// Open opens the file where it is not open, or where another program has renamed
// or removed it since, and locks it. A last line that is whole but for its end gets
// that; one that is not goes to a file of its own, path.torn-OFFSET-TIME.
func (l *File) Open() error {
	if l.current() {
		return nil
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("closing what was %s: %w", l.path, err)
	}
	if info, err := os.Stat(l.path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("opening %s: %w", l.path, ErrIrregular)
	}
	_, missing := os.Stat(l.path)
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the file: %w", err)
	}
	if missing != nil { // its name is to survive a power failure as well
		err = syncDir(l.path)
	}
	if err == nil {
		err = lock(f)
	}
	if err == nil {
		l.size, err = l.mend(f)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("opening %s: %w", l.path, err)
	}
	l.f = f
	return nil
}

// current reports whether the file that is open still has the name, and notes
// how long it is: another program may have emptied it.
func (l *File) current() bool {
	if l.f == nil {
		return false
	}
	held, err := l.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.path)
	if err != nil || !os.SameFile(held, named) {
		return false
	}
	l.size = held.Size()
	return true
}

// lock takes the file for this process. A file system that has no locks is
// trusted.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return nil
}

// Size is how long the file is.
func (l *File) Size() int64 { return l.size }

// Aside names the file to which the last half line went since New, "" for none.
func (l *File) Aside() string { return l.aside }

// Append appends lines and makes them durable. After an error none of them is
// there, and the file is to be opened again.
func (l *File) Append(lines []byte) error {
	n, err := l.f.Write(lines)
	if err == nil {
		err = l.f.Sync()
	}
	if err == nil {
		l.size += int64(n)
		return nil
	}
	// Where another program emptied the file meanwhile, cutting it to the length
	// that it had would make it longer.
	if info, statErr := l.f.Stat(); statErr == nil && info.Size() > l.size {
		err = errors.Join(err, l.f.Truncate(l.size))
	}
	return errors.Join(fmt.Errorf("writing %s: %w", l.path, err), l.Close())
}

// Rename gives the file another name; the next Open begins a new one.
func (l *File) Rename(to string) error {
	if err := os.Rename(l.path, to); err != nil {
		return err
	}
	return errors.Join(l.Close(), syncDir(l.path))
}

// Remove removes the file; the next Open begins a new one.
func (l *File) Remove() error { return errors.Join(os.Remove(l.path), l.Close()) }

// Tail reads about the last most bytes, from the beginning of a line.
func (l *File) Tail(most int64) (io.Reader, error) {
	from := max(l.size-most, 0)
	if from > 0 {
		end, err := firstEnd(l.f, from, l.size)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", l.path, err)
		}
		from = end
	}
	return io.NewSectionReader(l.f, from, l.size-from), nil
}

// Close closes the file and lets others have it.
func (l *File) Close() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}

func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// torn names the file for what follows off.
func (l *File) torn(off int64) string {
	return fmt.Sprintf("%s.torn-%d-%d", l.path, off, time.Now().UnixNano())
}
