package consume

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/tidwall/gjson"
)

// Lines writes one line a record, for example to the standard output.
type Lines struct{ w *bufio.Writer }

// NewLines returns an output that writes to w.
func NewLines(w io.Writer) *Lines { return &Lines{bufio.NewWriter(w)} }

// Write implements Output.
func (l *Lines) Write(_ context.Context, _ string, record []byte) error {
	if _, err := l.w.Write(record); err != nil {
		return err
	}
	return l.w.WriteByte('\n')
}

// Flush implements Output.
func (l *Lines) Flush() error { return l.w.Flush() }

// Seen implements Output: what was written to a pipe is not known.
func (l *Lines) Seen(func(string)) error { return nil }

// File appends lines to a file.
type File struct {
	f   *os.File
	buf bytes.Buffer
	end int64 // of what counts as written
}

// tailBytes is how much of the end of a file is looked at for records that are
// there from before.
const tailBytes = 256 << 20

// OpenFile opens a file, or makes it for its owner only. A line that a crash cut
// off is removed: its record was not acknowledged.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	o := &File{f: f}
	if err := o.cut(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	return o, nil
}

// cut removes what follows the last end of a line.
func (o *File) cut() error {
	info, err := o.f.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for o.end = info.Size(); o.end > 0; {
		from := max(o.end-int64(len(buf)), 0)
		part := buf[:o.end-from]
		if _, err := o.f.ReadAt(part, from); err != nil {
			return err
		}
		if at := bytes.LastIndexByte(part, '\n'); at >= 0 {
			o.end = from + int64(at) + 1
			break
		}
		o.end = from
	}
	return o.f.Truncate(o.end)
}

// Write implements Output.
func (o *File) Write(_ context.Context, _ string, record []byte) error {
	o.buf.Write(record)
	o.buf.WriteByte('\n')
	return nil
}

// Flush implements Output: the records are on the disk when it returns nil.
func (o *File) Flush() error {
	if o.buf.Len() == 0 {
		return nil
	}
	defer o.buf.Reset()
	n, err := o.f.WriteAt(o.buf.Bytes(), o.end)
	if err == nil {
		err = o.f.Sync()
	}
	if err != nil {
		return errors.Join(err, o.f.Truncate(o.end))
	}
	o.end += int64(n)
	return nil
}

// Seen implements Output.
func (o *File) Seen(f func(id string)) error {
	from := max(o.end-tailBytes, 0)
	r := bufio.NewReaderSize(io.NewSectionReader(o.f, from, o.end-from), 1<<20)
	if from > 0 {
		if _, err := r.ReadBytes('\n'); err != nil {
			return err
		}
	}
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// In a record as Sluice has it, and in one of OCSF.
		for _, id := range gjson.GetManyBytes(line, "recordId", "metadata.uid") {
			f(id.String())
		}
	}
}

// Close closes the file.
func (o *File) Close() error { return o.f.Close() }

// Command runs a command for each record, which has it as its standard input and
// its id as SLUICE_RECORD_ID. The record counts as written when the command exits
// with 0.
type Command struct {
	Line        string // for sh -c
	Out, ErrOut io.Writer
}

// Write implements Output.
func (c *Command) Write(ctx context.Context, id string, record []byte) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", c.Line)
	cmd.Env = append(os.Environ(), "SLUICE_RECORD_ID="+id)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(record, '\n')), c.Out, c.ErrOut
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) {
		return fmt.Errorf("the command ended with %s", status.ProcessState)
	}
	return err
}

// Flush implements Output.
func (c *Command) Flush() error { return nil }

// Seen implements Output: what the command did before is not known.
func (c *Command) Seen(func(string)) error { return nil }

var (
	_ Output = (*Lines)(nil)
	_ Output = (*File)(nil)
	_ Output = (*Command)(nil)
)
