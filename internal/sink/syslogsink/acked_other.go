//go:build !linux

package syslogsink

import "net"

// unacknowledged can't be told here: a write confirms.
func unacknowledged(net.Conn) (int, bool) { return 0, false }
