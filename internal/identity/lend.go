package identity

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// lending keeps the tokens that stand for a caller for a short time. They are
// in memory only: none outlives the process.
type lending struct {
	tokens sync.Map // [32]byte → lent

	mu    sync.Mutex // guards swept
	swept time.Time  // when tokens that have ended were last taken out
}

// lent says whom a lent token stands for.
type lent struct {
	tokenID string // the token that the caller presented; "": none
	from    derivation
	expires time.Time
}

// sweepEvery is how often lent tokens that have ended are taken out of memory.
const sweepEvery = time.Minute

// Lend makes a token that stands for caller for ttl and is known to no
// database: the web UI's playground calls the gateway's own listener with it, so
// that policy, limits and trail see an ordinary call of that caller. It stops
// with what the caller signed in with: when the user is disabled or deleted, or
// the caller's own token is revoked, expires or is bound to other networks.
func (s *Store) Lend(caller *Caller, ttl time.Duration) (token string) {
	token = newToken()
	now := s.now()
	s.lending.sweep(now)
	s.lending.tokens.Store(sha256.Sum256([]byte(token)), lent{
		tokenID: caller.TokenID,
		from: derivation{
			userID: caller.UserID, credential: caller.Credential, project: caller.Project, execution: caller.Execution,
		},
		expires: now.Add(ttl),
	})
	return token
}

func (l *lending) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	l.tokens.Range(func(hash, value any) bool {
		if !now.Before(value.(lent).expires) {
			l.tokens.Delete(hash)
		}
		return true
	})
}

// borrowed returns the caller that a lent token stands for.
func (s *Store) borrowed(d *snapshot, hash [32]byte, p Presented) (*Caller, error) {
	found, known := s.lending.tokens.Load(hash)
	if !known {
		return nil, ErrUnknownToken
	}
	l := found.(lent)
	now := s.now()
	if !now.Before(l.expires) {
		return nil, ErrExpiredToken
	}
	if l.tokenID != "" {
		c := d.tokens.get(l.tokenID)
		if c == nil {
			return nil, ErrRevokedToken
		}
		return s.accept(c, p)
	}
	caller, err := d.derive(l.from, now)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrRevokedToken // as a token of a deleted user
	}
	return caller, err
}
