package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"sluice/internal/state"
	"sluice/internal/vault"
)

// sealedRow is one value as the database has it.
type sealedRow struct {
	owner  owner
	name   string
	sealed []byte
}

// readSealed reads all rows, sorted by owner and name.
func readSealed(db *sql.DB) (rows []sealedRow, err error) {
	for _, of := range []func(string) owner{credentialOwner, targetOwner, trailOwner} {
		query := fmt.Sprintf("SELECT %[2]s, name, sealed FROM %[1]s ORDER BY %[2]s, name", of("").table, of("").column)
		err := state.Each(db, query, func(scan func(...any) error) error {
			var id string
			var row sealedRow
			if err := scan(&id, &row.name, &row.sealed); err != nil {
				return err
			}
			row.owner = of(id)
			rows = append(rows, row)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%q: %w", query, err)
		}
	}
	return rows, nil
}

// opened is what the vault made of the rows of one owner.
type opened struct {
	secrets    Secrets
	unreadable []string
	trouble    trouble
}

// openRows opens rows with the vault. What does not open is no error: the
// others must be used.
func (s *Store) openRows(ctx context.Context, rows []sealedRow) map[string]*opened {
	byOwner := map[string]*opened{}
	for _, row := range rows {
		o := byOwner[row.owner.name]
		if o == nil {
			o = &opened{secrets: Secrets{}, unreadable: []string{}}
			byOwner[row.owner.name] = o
		}
		value, err := s.vault.Open(ctx, row.owner.name, row.name, row.sealed)
		if err != nil {
			o.unreadable, o.trouble = append(o.unreadable, row.name), max(o.trouble, troubleOf(err))
			continue
		}
		o.secrets[row.name] = value
	}
	return byOwner
}

// fetch reads into memory what a vault keeps elsewhere of the rows. What can't be
// read shows when it is opened.
func (s *Store) fetch(ctx context.Context, rows []sealedRow, anew bool) error {
	e, ok := s.vault.(vault.Elsewhere)
	owners := map[string]bool{}
	for _, row := range rows {
		if vault.IsElsewhere(row.sealed) {
			owners[row.owner.name] = true
		}
	}
	if !ok || len(owners) == 0 {
		return nil
	}
	return e.Fetch(ctx, slices.Sorted(maps.Keys(owners)), anew)
}

// open opens all values of a snapshot that is not in force yet.
func (s *Store) open(ctx context.Context, snap *Snapshot) error {
	rows, err := readSealed(s.db)
	if err != nil {
		return err
	}
	_ = s.fetch(ctx, rows, false)
	found := s.openRows(ctx, rows)
	for _, c := range snap.credentials {
		if o := found[credentialOwner(c.ID).name]; o != nil {
			c.Secrets, c.Unreadable, c.trouble = o.secrets, o.unreadable, o.trouble
		}
		c.judge()
	}
	for _, e := range snap.sorted {
		for i := range e.Targets {
			t := &e.Targets[i]
			if c, ok := snap.credentials[t.CredentialID]; ok {
				t.Borrow(c)
			} else if o := found[targetOwner(t.ID).name]; o != nil {
				t.Secrets, t.Unreadable, t.trouble = o.secrets, o.unreadable, o.trouble
			}
		}
	}
	return nil
}

// Waiting counts the owners with values that the vault may open later.
func (s *Store) Waiting() (n int) {
	snap := s.Snapshot()
	for _, c := range snap.credentials {
		if len(c.Unreadable) > 0 && c.trouble != troubleLost {
			n++
		}
	}
	for _, e := range snap.sorted {
		n += e.waiting()
	}
	return n
}

func (e *Endpoint) waiting() (n int) {
	for i := range e.Targets {
		if t := &e.Targets[i]; t.CredentialID == "" && len(t.Unreadable) > 0 && t.trouble != troubleLost {
			n++
		}
	}
	return n
}

// Refresh opens values again: those that could not be opened, and with anew
// also those that a vault keeps elsewhere, where others may have changed them.
// What changed is in force when it returns, with the number of owners. An error
// says that the vault could not be asked; the last values stay.
func (s *Store) Refresh(ctx context.Context, anew bool) (changed int, err error) {
	rows, err := readSealed(s.db)
	if err != nil {
		return 0, fmt.Errorf("refreshing credentials: %w", err)
	}
	unreadable := s.Snapshot().unreadable()
	again := slices.DeleteFunc(slices.Clone(rows), func(row sealedRow) bool {
		return !unreadable[row.owner.name] && !(anew && vault.IsElsewhere(row.sealed))
	})
	if len(again) == 0 {
		return 0, nil
	}
	// What is written elsewhere at this moment is not in the database yet.
	s.elsewhere.Lock()
	defer s.elsewhere.Unlock()
	failed := s.fetch(ctx, again, true)
	// Remote calls are made before the lock is taken: what was opened once is in
	// the vault's memory.
	s.openRows(ctx, again)
	s.mu.Lock()
	defer s.mu.Unlock()
	if rows, err = readSealed(s.db); err != nil {
		return 0, fmt.Errorf("refreshing credentials: %w", err)
	}
	next := s.Snapshot().draft()
	asked := map[string]bool{}
	for _, row := range again {
		asked[row.owner.name] = true
	}
	rows = slices.DeleteFunc(rows, func(row sealedRow) bool { return !asked[row.owner.name] })
	at := next.places()
	for name, o := range s.openRows(ctx, rows) {
		if next.reopen(ownerNamed(name), o, at) {
			changed++
		}
	}
	if changed > 0 {
		s.enforce(next)
	}
	if failed != nil {
		return changed, fmt.Errorf("refreshing credentials: %w", failed)
	}
	return changed, nil
}

// unreadable are the owners with values that could not be opened.
func (s *Snapshot) unreadable() map[string]bool {
	owners := map[string]bool{}
	for _, c := range s.credentials {
		if len(c.Unreadable) > 0 {
			owners[credentialOwner(c.ID).name] = true
		}
	}
	for _, e := range s.sorted {
		for i := range e.Targets {
			if _, lost := e.Targets[i].own(); len(lost) > 0 {
				owners[targetOwner(e.Targets[i].ID).name] = true
			}
		}
	}
	return owners
}

// places are the ids of the endpoints by the ids of their targets.
func (s *Snapshot) places() map[string]string {
	at := make(map[string]string, len(s.sorted))
	for _, e := range s.sorted {
		for i := range e.Targets {
			at[e.Targets[i].ID] = e.ID
		}
	}
	return at
}

// reopen puts newly opened values in the place of an owner's. at is places.
func (s *Snapshot) reopen(of owner, o *opened, at map[string]string) (changed bool) {
	same := func(secrets Secrets, unreadable []string, why trouble) bool {
		return maps.Equal(secrets, o.secrets) && slices.Equal(unreadable, o.unreadable) && (len(unreadable) == 0 || why == o.trouble)
	}
	if of == credentialOwner(of.id) {
		old, ok := s.credentials[of.id]
		if !ok || same(old.Secrets, old.Unreadable, old.trouble) {
			return false
		}
		c := old.clone()
		c.Secrets, c.Unreadable, c.trouble = o.secrets, o.unreadable, o.trouble
		c.judge()
		s.credentials[c.ID] = c
		s.relend(c)
		return true
	}
	old, ok := s.byID[at[of.id]]
	if !ok {
		return false
	}
	if t, _ := old.targetByID(of.id); t.CredentialID != "" || same(t.Secrets, t.Unreadable, t.trouble) {
		return false
	}
	e := old.clone()
	t, _ := e.targetByID(of.id)
	t.Secrets, t.Unreadable, t.trouble = o.secrets, o.unreadable, o.trouble
	e.judge()
	s.put(old, e)
	return true
}
