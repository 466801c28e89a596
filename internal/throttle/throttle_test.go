package throttle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/throttle"
)

type clock struct{ now time.Time }

func newLimiter() (*throttle.Limiter, *clock) {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return throttle.New(throttle.Options{
		Free: 3, First: time.Second, Longest: 10 * time.Second, Forget: time.Hour, Keys: 4,
		Now: func() time.Time { return c.now },
	}), c
}

func TestWaitsGrow(t *testing.T) {
	l, c := newLimiter()
	for i, want := range []time.Duration{0, 0, 0, 1, 2, 4, 8, 10, 10} {
		l.Fail("a")
		require.Equal(t, want*time.Second, l.Wait("a"), "after failure %d", i+1)
		require.Zero(t, l.Wait("b"), "another key")
	}
	require.Equal(t, 10*time.Second, l.Wait("b", "a"), "any of several keys")
	c.now = c.now.Add(9 * time.Second)
	require.Equal(t, time.Second, l.Wait("a"))
	c.now = c.now.Add(time.Second)
	require.Zero(t, l.Wait("a"), "the wait is over")
	l.Fail("a")
	require.Equal(t, 10*time.Second, l.Wait("a"), "and the count goes on")
	l.Forgive("a", "never seen")
	require.Zero(t, l.Wait("a"))
	l.Fail("a")
	require.Zero(t, l.Wait("a"), "after a success failures are free again")
}

func TestAreForgotten(t *testing.T) {
	l, c := newLimiter()
	for range 5 {
		l.Fail("a")
	}
	c.now = c.now.Add(time.Hour + time.Second)
	l.Fail("a")
	require.Zero(t, l.Wait("a"))
	c.now = c.now.Add(2 * time.Hour)
	l.Fail("b")
	require.Equal(t, 1, l.Len(), "what is forgotten takes no room")
}

func TestIsBounded(t *testing.T) {
	l, c := newLimiter()
	for i := range 1000 {
		c.now = c.now.Add(time.Millisecond)
		l.Fail(fmt.Sprint("key", i), "persistent", "")
	}
	require.Equal(t, 4, l.Len())
	require.Equal(t, 10*time.Second, l.Wait("persistent"), "who fails on is not pushed out")
	require.Zero(t, l.Wait(""))
}

func TestAddressKey(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::9%eth0": "2001:db8:1:2::/64", "": "", "no address": "no address",
	} {
		require.Equal(t, want, throttle.AddressKey(address))
	}
}
