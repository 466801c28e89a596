//go:build linux || darwin

package audit

import "syscall"

func spaceOf(dir string) (DiskSpace, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return DiskSpace{}, err
	}
	return DiskSpace{Total: int64(s.Blocks) * int64(s.Bsize), Free: int64(s.Bavail) * int64(s.Bsize)}, nil
}
