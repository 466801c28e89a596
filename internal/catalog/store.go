package catalog

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/vault"
)

// NewID makes an id: 24 random hex digits.
func NewID() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

// Store keeps endpoints. It is safe for concurrent use. Reads work on the
// present snapshot; a mutation is committed to the database, the snapshot
// swapped and every OnChange hook called before it returns.
type Store struct {
	db    *sql.DB
	vault vault.Vault
	now   func() time.Time
	newID func() string
	snap  atomic.Pointer[Snapshot]

	// elsewhere is held while something is written to, or removed from, a vault
	// that keeps values itself, until the database agrees. It is taken before mu.
	elsewhere sync.Mutex

	// mu is held by a mutation from reading the snapshot to the last hook, so
	// that hooks see the snapshots in order.
	mu sync.Mutex

	hooksMu sync.Mutex // guards hooks
	hooks   []func(*Snapshot)
}

// NewStore loads everything from db (see package state) and opens the
// credentials with v. An endpoint with a credential that v can't open is
// loaded with a Problem; it does not stop the others. now stamps changes,
// newID (see NewID) gives ids.
func NewStore(db *sql.DB, v vault.Vault, now func() time.Time, newID func() string) (*Store, error) {
	s := &Store{db: db, vault: v, now: now, newID: newID}
	first, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("loading endpoints: %w", err)
	}
	s.snap.Store(first)
	return s, nil
}

// Snapshot returns the catalog as it is now.
func (s *Store) Snapshot() *Snapshot { return s.snap.Load() }

// Status is the state of the catalog.
type Status struct {
	Revision  uint64            `json:"revision"` // see Snapshot
	Endpoints int               `json:"endpoints"`
	Broken    map[string]string `json:"broken,omitempty"` // the Problems of the endpoints that have one, by name
}

// Status says how many endpoints there are, which can't be called, and why.
func (s *Store) Status() Status {
	snap := s.Snapshot()
	st := Status{Revision: snap.Revision, Endpoints: len(snap.sorted)}
	for _, e := range snap.broken {
		if st.Broken == nil {
			st.Broken = map[string]string{}
		}
		st.Broken[e.Name] = e.Problem
	}
	return st
}

// OnChange registers a hook that is called after every change with the new
// snapshot, in the order of the changes and before the mutation returns. A
// hook must not change the catalog.
func (s *Store) OnChange(hook func(*Snapshot)) {
	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.hooks = append(s.hooks, hook)
}

// Create adds an endpoint. The id is made when it is empty; Created, Updated
// and Problem are set. A name or id that is taken is ErrExists, a bad field a
// *FieldError. The endpoint returned is the snapshot's and must not be changed.
func (s *Store) Create(ctx context.Context, e Endpoint) (*Endpoint, error) {
	var made *Endpoint
	err := s.mutate(ctx, func(w *writer) error {
		made = e.clone()
		return s.create(w, made)
	})
	if err != nil {
		return nil, fmt.Errorf("creating endpoint %s: %w", quote(e.Name), err)
	}
	return made, nil
}

// Update changes what change changes of the endpoint with the name: the name
// too, but not the id and the moment of creation. When change returns an
// error nothing changes and the error is returned, wrapped. Secrets that
// change leaves in place are kept; they belong to the target with their id, so
// a target that loses its id keeps them only under its name.
func (s *Store) Update(ctx context.Context, name string, change func(*Endpoint) error) (*Endpoint, error) {
	var e *Endpoint
	err := s.mutate(ctx, func(w *writer) error {
		old, ok := w.draft.Get(name)
		if !ok {
			return ErrNotFound
		}
		e = old.clone()
		if err := change(e); err != nil {
			return err
		}
		e = e.clone() // what was put in may belong to others
		var err error
		e, err = s.replace(w, old, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("updating endpoint %s: %w", quote(name), err)
	}
	return e, nil
}

// Delete removes the endpoint with the name and returns what it was.
func (s *Store) Delete(ctx context.Context, name string) (*Endpoint, error) {
	var old *Endpoint
	err := s.mutate(ctx, func(w *writer) error {
		var ok bool
		if old, ok = w.draft.Get(name); !ok {
			return ErrNotFound
		}
		w.draft.remove(old)
		for i := range old.Targets {
			if err := w.drop(targetOwner(old.Targets[i].ID)); err != nil {
				return err
			}
		}
		return w.exec("DELETE FROM endpoints WHERE id = ?", old.ID)
	})
	if err != nil {
		return nil, fmt.Errorf("deleting endpoint %s: %w", quote(name), err)
	}
	return old, nil
}

// Forget takes the id of a user or an organization, which is about to be
// deleted, out of all permissions.
func (s *Store) Forget(ctx context.Context, id string) error {
	err := s.mutate(ctx, func(w *writer) error {
		for _, old := range slices.Clone(w.draft.sorted) {
			p := &old.Permissions
			if !slices.Contains(p.Users, id) && !slices.Contains(p.Organizations, id) && !slices.Contains(p.Owners, id) {
				continue
			}
			e := old.clone()
			for _, list := range []*[]string{&e.Permissions.Users, &e.Permissions.Organizations, &e.Permissions.Owners} {
				*list = slices.DeleteFunc(*list, func(s string) bool { return s == id })
			}
			if _, err := s.replace(w, old, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting %q in permissions: %w", id, err)
	}
	return nil
}

// create adds e, which must not be shared yet.
func (s *Store) create(w *writer, e *Endpoint) error {
	if e.ID == "" {
		e.ID = w.newID()
	}
	e.Created = w.stamp
	e.Updated = e.Created
	e.nameFirst()
	e.identify(&Endpoint{}, w.newID)
	for i := range e.Targets {
		e.Targets[i].Unreadable = nil
	}
	if err := w.draft.lend(e); err != nil {
		return err
	}
	if err := e.Normalize(); err != nil {
		return err
	}
	e.judge()
	if err := w.free(e); err != nil {
		return err
	}
	w.draft.put(nil, e)
	return w.insert(e)
}

// replace puts e, which must not be shared yet, in the place of old, and
// returns what is in force: old where nothing changed.
func (s *Store) replace(w *writer, old, e *Endpoint) (*Endpoint, error) {
	e.ID, e.Created, e.Updated = old.ID, old.Created, w.stamp
	e.nameFirst()
	e.identify(old, w.newID)
	if err := w.draft.lend(e); err != nil {
		return nil, err
	}
	if err := e.Normalize(); err != nil {
		return nil, err
	}
	if same(old, e) {
		return old, nil
	}
	if err := e.checkUnreadable(old); err != nil {
		return nil, err
	}
	if e.Name != old.Name {
		if err := w.free(&Endpoint{Name: e.Name}); err != nil {
			return nil, err
		}
	}
	e.judge()
	w.draft.put(old, e)
	return e, w.update(old, e)
}

// stamp is the present moment as the database keeps it.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// quote shows a name of any length and content.
func quote(name string) string {
	if len(name) > 64 {
		return fmt.Sprintf("%q…", name[:64])
	}
	return fmt.Sprintf("%q", name)
}
