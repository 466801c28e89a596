package audit

import (
	"errors"
	"os"
	"syscall"
)

const fallocKeepSize = 1 // FALLOC_FL_KEEP_SIZE of linux/falloc.h

// errNoPreallocation says that the file system can't take room ahead.
var errNoPreallocation = errors.New("preallocation is not supported")

func preallocate(f *os.File, offset, length int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), fallocKeepSize, offset, length)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return errNoPreallocation
		}
		return err
	}
}
