package audit

import (
	"errors"
	"os"
	"syscall"
)

// datasync has the content of a file on the disk, with its length and without
// the times.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
