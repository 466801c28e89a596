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

	"sluice/internal/linefile"
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

// File appends lines to a file, which another program may rotate.
type File struct {
	file *linefile.File
	buf  bytes.Buffer
}

// tailBytes is how much of the end of a file is looked at for records that are
// there from before.
const tailBytes = 256 << 20

// OpenFile opens a file, or makes it for its owner only. Half a line that a crash
// left is kept aside: its record was not acknowledged.
func OpenFile(path string) (*File, error) {
	o := &File{file: linefile.New(path)}
	if err := o.file.Open(); err != nil {
		return nil, fmt.Errorf("the output: %w", err)
	}
	return o, nil
}

// Aside names the file to which half a line went, "" for none.
func (o *File) Aside() string { return o.file.Aside() }

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
	if err := o.file.Open(); err != nil {
		return err
	}
	return o.file.Append(o.buf.Bytes())
}

// Seen implements Output.
func (o *File) Seen(f func(id string)) error {
	tail, err := o.file.Tail(tailBytes)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(tail, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, rest, cef := bytes.Cut(line, []byte("externalId=")); cef && line[0] == 'C' {
			id, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte{' '})
			f(string(id))
			continue
		}
		// In a record as Sluice has it, and in one of OCSF.
		for _, id := range gjson.GetManyBytes(line, "recordId", "metadata.uid") {
			f(id.String())
		}
	}
}

// Close closes the file.
func (o *File) Close() error { return o.file.Close() }

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
