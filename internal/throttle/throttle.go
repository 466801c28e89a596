// Package throttle slows those who fail: after some failures each further one
// makes its key wait, twice as long as the one before. All is in memory and
// bounded, so that whoever fails under many keys can't fill it.
package throttle

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Options set a Limiter. All fields are required.
type Options struct {
	Free    int           // failures that cost nothing
	First   time.Duration // the wait after the first failure beyond those; each further one doubles it
	Longest time.Duration // no wait is longer
	Forget  time.Duration // after so long without a failure a key is forgotten
	Keys    int           // most keys that are remembered; the one that failed longest ago makes room
	Now     func() time.Time
}

// SignIns is for people who sign in: five failures are free, and from then on
// waits grow from a second to a quarter of an hour.
func SignIns(now func() time.Time) *Limiter {
	return New(Options{Free: 5, First: time.Second, Longest: 15 * time.Minute, Forget: time.Hour, Keys: 50_000, Now: now})
}

// Tokens is for programs, which try again by themselves: twenty failures are
// free, and waits grow to a minute.
func Tokens(now func() time.Time) *Limiter {
	return New(Options{Free: 20, First: time.Second, Longest: time.Minute, Forget: 10 * time.Minute, Keys: 50_000, Now: now})
}

// Strangers is for requests of which nobody knows whose they are, whatever they
// lack. Each leaves a record, so that a thousand of an address are many: from
// then on waits grow to a minute, and who need not wait is recorded still.
func Strangers(now func() time.Time) *Limiter {
	return New(Options{Free: 1000, First: time.Second, Longest: time.Minute, Forget: 10 * time.Minute, Keys: 50_000, Now: now})
}

// Limiter counts failures by key. It is safe for concurrent use. The key "" is
// never counted.
type Limiter struct {
	Options

	mu   sync.Mutex               // guards the following fields
	keys map[string]*list.Element // of failures
	last *list.List               // the newest failure in front
}

// failures are those of one key.
type failures struct {
	key   string
	count int
	at    time.Time // of the newest
	until time.Time // the end of the wait
}

// New returns a limiter that has seen nothing.
func New(o Options) *Limiter {
	return &Limiter{Options: o, keys: map[string]*list.Element{}, last: list.New()}
}

// Wait is how long the first of keys that must wait must do so; 0: none must.
func (l *Limiter) Wait(keys ...string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	for _, key := range keys {
		if e, known := l.keys[key]; known {
			if wait := e.Value.(*failures).until.Sub(now); wait > 0 {
				return wait
			}
		}
	}
	return 0
}

// Fail counts a failure of each key.
func (l *Limiter) Fail(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	for _, key := range keys {
		if key == "" {
			continue
		}
		e, known := l.keys[key]
		if !known {
			e = l.last.PushFront(&failures{key: key})
			l.keys[key] = e
		}
		f := e.Value.(*failures)
		if now.Sub(f.at) > l.Forget {
			f.count = 0
		}
		f.count++
		f.at, f.until = now, now.Add(l.waitAfter(f.count))
		l.last.MoveToFront(e)
	}
	for oldest := l.last.Back(); oldest != nil; oldest = l.last.Back() {
		f := oldest.Value.(*failures)
		if len(l.keys) <= l.Keys && now.Sub(f.at) <= l.Forget {
			return
		}
		l.last.Remove(oldest)
		delete(l.keys, f.key)
	}
}

// Forgive forgets the failures of keys, after a success.
func (l *Limiter) Forgive(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		if e, known := l.keys[key]; known {
			l.last.Remove(e)
			delete(l.keys, key)
		}
	}
}

// Len is how many keys are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

func (l *Limiter) waitAfter(count int) time.Duration {
	if count <= l.Free {
		return 0
	}
	wait := l.First
	for range count - l.Free - 1 {
		if wait *= 2; wait >= l.Longest {
			return l.Longest
		}
	}
	return wait
}

// AddressKey is the key of a client's address. Of an IPv6 address it is the
// network of 64 bits, which is what one client has for its own.
func AddressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}
