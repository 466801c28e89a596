//go:build !linux

package audit

import "os"

// datasync has the content of a file on the disk.
func datasync(f *os.File) error { return f.Sync() }
