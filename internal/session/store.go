package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"sluice/internal/state"
)

// ErrNotFound says that no session has the id.
var ErrNotFound = errors.New("session not found")

// List lists the sessions that count, the newest first: those of the user, or
// all where userID is "".
func (m *Manager) List(userID string) []Session {
	out := []Session{}
	now := m.now()
	m.each(func(e *entry) {
		if (userID == "" || e.UserID == userID) && !m.over(e, now) {
			out = append(out, e.copy())
		}
	})
	slices.SortFunc(out, func(a, b Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Get returns the session with the id, or ErrNotFound.
func (m *Manager) Get(id string) (Session, error) {
	for _, s := range m.List("") {
		if s.ID == id {
			return s, nil
		}
	}
	return Session{}, ErrNotFound
}

// Count is how many sessions are kept.
func (m *Manager) Count() int {
	n := 0
	m.each(func(*entry) { n++ })
	return n
}

// EndOne ends the session with the id, or returns ErrNotFound.
func (m *Manager) EndOne(ctx context.Context, id string) error {
	var found *entry
	m.each(func(e *entry) {
		if e.ID == id {
			found = e
		}
	})
	if found == nil {
		return ErrNotFound
	}
	return m.end(ctx, found)
}

// EndUser ends every session of a user and returns how many there were. It may
// be a hook of identity.Store.OnRemove.
func (m *Manager) EndUser(ctx context.Context, userID string) (int, error) {
	var own []*entry
	m.each(func(e *entry) {
		if e.UserID == userID {
			own = append(own, e)
		}
	})
	return len(own), m.end(ctx, own...)
}

// over reports whether a session has ended, by time or because of its user or
// token. From which network it is asked does not matter here.
func (m *Manager) over(e *entry, now time.Time) bool {
	_, err := m.caller(e, now, "")
	return err != nil && !errors.Is(err, ErrElsewhere)
}

func (m *Manager) each(do func(*entry)) {
	m.live.Range(func(_, e any) bool {
		do(e.(*entry))
		return true
	})
}

// end ends sessions. They don't count from the return on, also where the
// database fails: then their rows are deleted later.
func (m *Manager) end(ctx context.Context, list ...*entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.remove(ctx, list...)
}

// remove is end for who holds mu.
func (m *Manager) remove(ctx context.Context, list ...*entry) error {
	for _, e := range list {
		if m.live.CompareAndDelete(e.hash, e) {
			m.undeleted = append(m.undeleted, e.ID)
		}
	}
	if len(m.undeleted) == 0 {
		return nil
	}
	// A client that leaves must not keep its session from ending.
	return m.save(context.WithoutCancel(ctx), nil)
}

// insert writes a new session.
func (m *Manager) insert(ctx context.Context, e *entry) error {
	_, err := m.DB.ExecContext(ctx, `INSERT INTO sessions
		(id, hash, user_id, token_id, method, address, browser, created, last_seen, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.hash[:], e.UserID, e.TokenID, e.Method, e.Address, e.Browser,
		e.Created.UnixMilli(), e.seen.Load(), e.Expires.UnixMilli())
	return err
}

// save deletes the rows of ended sessions and writes when the others were last
// seen, in one transaction. The caller holds mu.
func (m *Manager) save(ctx context.Context, touched []*entry) error {
	if len(m.undeleted)+len(touched) == 0 {
		return nil
	}
	tx, err := m.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	for _, id := range m.undeleted {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE id = ?", id); err != nil {
			return err
		}
	}
	seen := make([]int64, len(touched))
	for i, e := range touched {
		seen[i] = e.seen.Load()
		if _, err := tx.ExecContext(ctx, "UPDATE sessions SET last_seen = ? WHERE id = ?", seen[i], e.ID); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	m.undeleted = nil
	for i, e := range touched {
		e.saved.Store(seen[i])
	}
	return nil
}

// load reads the sessions of an earlier run. Those that have ended since are
// deleted.
func (m *Manager) load() error {
	const query = "SELECT id, hash, user_id, token_id, method, address, browser, created, last_seen, expires FROM sessions"
	err := state.Each(m.DB, query, func(scan func(...any) error) error {
		e := &entry{}
		var hash []byte
		var created, seen, expires int64
		err := scan(&e.ID, &hash, &e.UserID, &e.TokenID, &e.Method, &e.Address, &e.Browser, &created, &seen, &expires)
		if err != nil {
			return err
		}
		copy(e.hash[:], hash)
		e.Created, e.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
		// A shorter longest time that was configured since holds for old sessions too.
		if latest := e.Created.Add(m.Limits.Absolute); latest.Before(e.Expires) {
			e.Expires = latest
		}
		e.seen.Store(seen)
		e.saved.Store(seen)
		m.live.Store(e.hash, e)
		return nil
	})
	if err != nil {
		return err
	}
	return m.Tidy(context.Background())
}

// tidyEvery is how often the database learns when sessions were last seen.
const tidyEvery = time.Minute

// Run keeps the database up to date until ctx ends, and once more then.
func (m *Manager) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := m.Tidy(context.WithoutCancel(ctx)); err != nil {
				m.Log.Error("the database took no last news of sessions", zap.Error(err))
			}
			return nil
		case <-tick.C:
			if err := m.Tidy(ctx); err != nil && ctx.Err() == nil {
				m.Log.Error("the database took no news of sessions", zap.Error(err))
			}
		}
	}
}

// Tidy purges the sessions that have ended and writes when the others were last
// seen.
func (m *Manager) Tidy(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var touched []*entry
	m.each(func(e *entry) {
		switch {
		case !m.over(e, now):
			if e.seen.Load() != e.saved.Load() {
				touched = append(touched, e)
			}
		case m.live.CompareAndDelete(e.hash, e):
			m.undeleted = append(m.undeleted, e.ID)
		}
	})
	if err := m.save(ctx, touched); err != nil {
		return fmt.Errorf("tidying sessions: %w", err)
	}
	return nil
}
