package scim

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"sluice/internal/state"
)

// Kept is what a Store has of a resource.
type Kept struct {
	// Attributes must not be changed.
	Attributes Document
	Modified   time.Time
}

// Store keeps what SCIM said of users and organizations beside what the
// directory of the gateway has of them. Reads are from memory. It is safe for
// concurrent use. A nil Store has nothing and keeps nothing.
type Store struct {
	db  *sql.DB
	now func() time.Time

	mu   sync.RWMutex // guards kept
	kept map[string]Kept
}

// NewStore loads what is kept.
func NewStore(db *sql.DB, now func() time.Time) (*Store, error) {
	s := &Store{db: db, now: now, kept: map[string]Kept{}}
	err := state.Each(db, "SELECT id, attributes, modified FROM scim_resources", func(scan func(...any) error) error {
		var id, text string
		var modified int64
		if err := scan(&id, &text, &modified); err != nil {
			return err
		}
		k := Kept{Modified: time.UnixMilli(modified).UTC()}
		err := json.Unmarshal([]byte(text), &k.Attributes)
		s.kept[id] = k
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loading what SCIM said: %w", err)
	}
	return s, nil
}

// Get returns what is kept of a user or organization.
func (s *Store) Get(id string) (Kept, bool) {
	if s == nil {
		return Kept{}, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.kept[id]
	return k, ok
}

// Put keeps the named attributes of a document.
func (s *Store) Put(ctx context.Context, id string, d Document, names ...string) error {
	if s == nil {
		return errors.New("keeping what SCIM said: there is no store for it")
	}
	attributes := maps.Clone(d)
	maps.DeleteFunc(attributes, func(name string, _ any) bool {
		for _, n := range names {
			if n == name {
				return false
			}
		}
		return true
	})
	text, err := json.Marshal(attributes)
	if err != nil {
		return fmt.Errorf("writing attributes: %w", err)
	}
	modified := s.now().UTC().Truncate(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.db.ExecContext(ctx, `INSERT INTO scim_resources (id, attributes, modified) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET attributes = excluded.attributes, modified = excluded.modified`, id, string(text), modified.UnixMilli())
	if err != nil {
		return fmt.Errorf("keeping what SCIM said: %w", err)
	}
	s.kept[id] = Kept{Attributes: attributes, Modified: modified}
	return nil
}

// Forget drops what is kept of a user or organization that is deleted. It is a
// hook of identity.Store.OnRemove.
func (s *Store) Forget(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.db.ExecContext(ctx, "DELETE FROM scim_resources WHERE id = ?", id); err != nil {
		return fmt.Errorf("forgetting what SCIM said: %w", err)
	}
	delete(s.kept, id)
	return nil
}
