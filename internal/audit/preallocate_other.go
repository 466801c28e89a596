//go:build !linux

package audit

import (
	"errors"
	"os"
)

// errNoPreallocation says that the file system can't take room ahead.
var errNoPreallocation = errors.New("preallocation is not supported")

func preallocate(*os.File, int64, int64) error { return errNoPreallocation }
