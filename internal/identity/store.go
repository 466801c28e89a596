package identity

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Store keeps users, organizations and tokens. It is safe for concurrent use.
// Reads, Authenticate among them, work on the present snapshot; a mutation is
// committed to the database and the snapshot swapped before it returns.
type Store struct {
	db    *sql.DB
	now   func() time.Time
	newID func() string
	snap  atomic.Pointer[snapshot]

	lending lending
	jwts    jwts
	trust   Trust // set once, before the store is used

	// mu is held by a mutation from reading the snapshot to swapping it.
	mu sync.Mutex

	hooksMu sync.Mutex // guards hooks
	hooks   []func(ctx context.Context, id string) error
}

// NewStore loads everything from db (see package state) into the first
// snapshot. now gives the time that expiry is judged by; newID gives ids of 24
// hex digits.
func NewStore(db *sql.DB, now func() time.Time, newID func() string) (*Store, error) {
	first, err := load(db)
	if err != nil {
		return nil, fmt.Errorf("loading users and tokens: %w", err)
	}
	s := &Store{db: db, now: now, newID: newID}
	s.snap.Store(first)
	return s, nil
}

// Authenticate returns the caller whom a request's credential stands for. For
// a token it takes no lock and makes no query: a checksum, a SHA-256 and one map
// look-up. A token of an identity provider is verified once (see Trust). Where
// both a credential and a certificate are presented, the credential decides.
// The caller belongs to the snapshot and must not be changed.
func (s *Store) Authenticate(p Presented) (*Caller, error) {
	switch {
	case p.Credential == "" && p.Certificate != nil:
		return s.authenticateCertificate(p.Certificate)
	case p.Credential == "":
		return nil, ErrNoCredential
	case s.trust.Verifier != nil && isJWT(p.Credential):
		return s.authenticateJWT(p.Credential)
	}
	hash, err := ParseToken(p.Credential)
	if err != nil {
		return nil, err
	}
	snap := s.snap.Load()
	if c := snap.hashes.get(hash); c != nil {
		return s.accept(c, p)
	}
	return s.borrowed(snap, hash, p)
}

// accept checks what a known token is held to.
func (s *Store) accept(c *credential, p Presented) (*Caller, error) {
	now := s.now()
	switch {
	case c.refusal != nil:
		return nil, c.refusal
	case c.token.Expires != nil && !now.Before(*c.token.Expires):
		return nil, ErrExpiredToken
	case !c.token.takenFrom(p.Address):
		return nil, ErrWrongNetwork
	}
	c.used.touch(now)
	c.seen.touch(now)
	return c.caller, nil
}

// OnRemove registers a hook that is called with the id of a user or an
// organization before it is deleted, so that others can take the id out of
// what they keep. When a hook fails nothing is deleted.
func (s *Store) OnRemove(hook func(ctx context.Context, id string) error) {
	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.hooks = append(s.hooks, hook)
}

func (s *Store) beforeRemoval(ctx context.Context, id string) error {
	s.hooksMu.Lock()
	hooks := s.hooks[:len(s.hooks):len(s.hooks)]
	s.hooksMu.Unlock()
	for _, hook := range hooks {
		if err := hook(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// mutate runs do in a transaction, with a draft of the next snapshot, and puts
// the draft in force when the transaction is committed.
func (s *Store) mutate(ctx context.Context, do func(tx *sql.Tx, draft *snapshot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	draft := *s.snap.Load()
	if err := do(tx, &draft); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	draft.publish()
	s.snap.Store(&draft)
	return nil
}

// stamp is the present moment as the database keeps it.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
