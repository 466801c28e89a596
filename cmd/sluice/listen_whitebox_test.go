package main

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A port that is shared, as Envoy shares its own, is taken nevertheless.
func TestPortOfAnotherGatewayIsTaken(t *testing.T) {
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		control := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if control != nil {
			return control
		}
		return err
	}}
	first, err := sharing.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := first.Addr().String()
	second, err := sharing.Listen(context.Background(), "tcp", addr)
	require.NoError(t, err, "the system itself lets both listen")
	require.NoError(t, second.Close())
	require.ErrorContains(t, checkFree(addr), "another program listens on "+addr)
	require.NoError(t, first.Close())
	require.NoError(t, checkFree(addr))
	require.NoError(t, checkFree(""))
}
