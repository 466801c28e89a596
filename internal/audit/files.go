package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// segmentFile is the file that the writer appends to: what a disk may refuse.
type segmentFile interface {
	io.WriterAt
	io.ReaderAt
	Truncate(size int64) error
	Sync() error
	Datasync() error // Sync without the times of the file
	Close() error
	Stat() (os.FileInfo, error)
	// Preallocate takes room on the disk for the range without changing the
	// length of the file, so that writing there can't fail for lack of it.
	Preallocate(offset, length int64) error
}

// fileOpener opens a segment for writing; tests put a failing disk in its place.
type fileOpener func(path string, flag int) (segmentFile, error)

// diskFile is a segmentFile on the disk.
type diskFile struct{ *os.File }

func openDisk(path string, flag int) (segmentFile, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (f diskFile) Datasync() error { return datasync(f.File) }

func (f diskFile) Preallocate(offset, length int64) error {
	return preallocate(f.File, offset, length)
}

// refused wraps what the operating system said to an attempt to write.
func refused(doing string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%s: %w: %w", doing, ErrNoSpace, err)
		}
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnwritable, err)
}

// syncDir makes the names of a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// writeWhole replaces a file with data so that a reader sees the old or the
// new content and never a part.
func writeWhole(path string, data []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
	}
	return err
}
