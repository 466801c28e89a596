package syslogsink

import (
	"net"

	"golang.org/x/sys/unix"
)

// unacknowledged is how many bytes the other side's system has not acknowledged;
// false where that can't be told.
func unacknowledged(conn net.Conn) (int, bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	n, known := 0, false
	err = raw.Control(func(fd uintptr) {
		v, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
		n, known = v, err == nil
	})
	return n, known && err == nil
}
