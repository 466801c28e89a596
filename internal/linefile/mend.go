package linefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// wholeBytes is how long a last line without its end may be to be looked at for
	// whether it is a record; a longer one is kept aside.
	wholeBytes = 256 << 20
	piece      = 64 << 10
)

// mend makes the file end with a line, and returns its length.
func (l *File) mend(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	size := info.Size()
	head := make([]byte, min(size, 4))
	if _, err := f.ReadAt(head, 0); err != nil {
		return 0, err
	}
	if !begins(head) {
		return 0, ErrForeign
	}
	end, err := lastEnd(f, size)
	if err != nil || end == size {
		return size, err
	}
	if whole(f, end, size) {
		// Its record may have counted as written, for example where an editor took
		// the end away.
		if _, err := f.Write([]byte{'\n'}); err != nil {
			return 0, fmt.Errorf("ending the last line: %w", err)
		}
		return size + 1, f.Sync()
	}
	if err := l.setAside(f, end, size); err != nil {
		return 0, fmt.Errorf("keeping half a line aside: %w", err)
	}
	if err := f.Truncate(end); err != nil {
		return 0, fmt.Errorf("cutting half a line off: %w", err)
	}
	return end, f.Sync()
}

// begins reports whether a file with this beginning may be one of records: JSON
// or CEF, of which a crash left a part, or zeros where a power failure took what
// had been written.
func begins(head []byte) bool {
	return head[0] == '{' || head[0] == 0 || strings.HasPrefix("CEF:", string(head))
}

// lastEnd is behind the last end of a line before size, 0 where there is none.
func lastEnd(f io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, piece)
	for end := size; end > 0; {
		start := max(end-piece, 0)
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// firstEnd is behind the first end of a line from start on, size where there is
// none.
func firstEnd(f io.ReaderAt, start, size int64) (int64, error) {
	buf := make([]byte, piece)
	for ; start < size; start += piece {
		part := buf[:min(piece, size-start)]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
	}
	return size, nil
}

// whole reports whether what is between is a record of JSON.
func whole(f io.ReaderAt, from, to int64) bool {
	if to-from > wholeBytes {
		return false
	}
	line := make([]byte, to-from)
	if _, err := f.ReadAt(line, from); err != nil {
		return false
	}
	return line[0] == '{' && json.Valid(line)
}

// setAside copies what is between to a file of its own.
func (l *File) setAside(f io.ReaderAt, from, to int64) (err error) {
	name := l.torn(from)
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // half of it is no use: it is still in the file
			out.Close()
			os.Remove(name)
		}
	}()
	if _, err := io.Copy(out, io.NewSectionReader(f, from, to-from)); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	l.aside = name
	return syncDir(name)
}
