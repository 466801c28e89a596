package identity

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

// activity is when a user was last seen, or a token last used. It is shared by
// all snapshots, changed on the request path, and written to the database by
// Run.
type activity struct {
	at      atomic.Int64 // Unix milliseconds, to the minute; 0: never
	written atomic.Int64 // what the database has

	// claimed is when the newest token was issued that the user follows, Unix
	// milliseconds; of users only.
	claimed atomic.Int64
}

// raise sets a moment that only grows.
func raise(at *atomic.Int64, to int64) {
	for {
		is := at.Load()
		if is >= to || at.CompareAndSwap(is, to) {
			return
		}
	}
}

func activityAt(ms sql.NullInt64) *activity {
	a := &activity{}
	a.at.Store(ms.Int64)
	a.written.Store(ms.Int64)
	return a
}

// touch notes a use. Most calls only read: a minute is written once.
func (a *activity) touch(now time.Time) {
	minute := now.Unix() / 60 * 60_000
	if a.at.Load() < minute {
		a.at.Store(minute)
	}
}

// moment returns the time of the last use, to the minute; nil: never.
func (a *activity) moment() *time.Time {
	if a == nil || a.at.Load() == 0 {
		return nil
	}
	t := time.UnixMilli(a.at.Load()).UTC()
	return &t
}

// LastSeen returns when the user last made a request that was authenticated, to
// the minute; nil: never, or there is no such user.
func (s *Store) LastSeen(userID string) *time.Time { return s.snap.Load().seen.get(userID).moment() }

// LastUsed returns when the token was last taken, to the minute; nil: never, or
// there is no such token.
func (s *Store) LastUsed(tokenID string) *time.Time {
	if c := s.snap.Load().tokens.get(tokenID); c != nil {
		return c.used.moment()
	}
	return nil
}

// writeEvery is how often Run writes; a crash loses no more of last use.
const writeEvery = 30 * time.Second

// Run writes to the database when users were last seen and tokens last used,
// until ctx ends, and then once more. failed is told of writes that did not
// work; they are tried again.
func (s *Store) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	write := func(ctx context.Context) {
		if err := s.WriteActivity(ctx); err != nil {
			failed(err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			write(last)
			return
		case <-tick.C:
			write(ctx)
		}
	}
}

// WriteActivity writes what has changed since the last time, in one
// transaction.
func (s *Store) WriteActivity(ctx context.Context) error {
	snap := s.snap.Load()
	users, tokens := map[string]*activity{}, map[string]*activity{}
	for id, a := range snap.seen.m {
		if a.at.Load() != a.written.Load() {
			users[id] = a
		}
	}
	for id, c := range snap.tokens.m {
		if c.used.at.Load() != c.used.written.Load() {
			tokens[id] = c.used
		}
	}
	if len(users)+len(tokens) == 0 {
		return nil
	}
	if err := s.writeActivity(ctx, users, tokens); err != nil {
		return fmt.Errorf("writing last use: %w", err)
	}
	return nil
}

func (s *Store) writeActivity(ctx context.Context, users, tokens map[string]*activity) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	written := map[*activity]int64{}
	for query, list := range map[string]map[string]*activity{
		"UPDATE users SET last_seen = ? WHERE id = ?":  users,
		"UPDATE tokens SET last_used = ? WHERE id = ?": tokens,
	} {
		update, err := tx.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer update.Close()
		for id, a := range list {
			written[a] = a.at.Load()
			if _, err := update.ExecContext(ctx, written[a], id); err != nil {
				return err
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for a, at := range written {
		a.written.Store(at)
	}
	return nil
}
