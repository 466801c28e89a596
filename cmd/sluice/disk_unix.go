//go:build linux || darwin

package main

import (
	"syscall"

	"sluice/internal/admin/api"
)

// diskOf is the file system of a folder.
func diskOf(dir string) api.Disk {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return api.Disk{}
	}
	return api.Disk{Bytes: int64(s.Blocks) * int64(s.Bsize), FreeBytes: int64(s.Bavail) * int64(s.Bsize)}
}
