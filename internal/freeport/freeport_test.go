package freeport_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/freeport"
)

func TestAddressesDifferAndCanBeListenedOn(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		address := freeport.Address(t)
		require.False(t, seen[address], address)
		seen[address] = true
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
	}
}
