//go:build !linux && !darwin

package audit

// spaceOf knows of no disk here.
func spaceOf(string) (DiskSpace, error) { return DiskSpace{}, nil }
