// Package freeport finds ports for the programs that tests start.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports are below those that the system gives to outgoing connections and
// to listeners on port 0 (32768 and up on Linux): between the choice and the
// program's own bind, and while a test has the program killed, no connection of
// another test can take one. A dial to a port of that range can even meet
// itself, and so take the place of the server that it waits for.
const (
	first = 12000
	count = 20000
)

var given sync.Map // port to true; what this process has given out

// Address is Find for a test, which fails where there is none.
func Address(t testing.TB) string {
	t.Helper()
	address, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Find returns an address on loopback, "127.0.0.1:PORT", that nobody listens on
// and that this process was not given before.
func Find() (string, error) {
	for range 1000 {
		port := first + rand.IntN(count)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("closing the listener that tried port %d: %w", port, err)
		}
		return address, nil
	}
	return "", fmt.Errorf("finding a free port: of a thousand between %d and %d all were taken", first, first+count-1)
}
