package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sluice/internal/vault"
)

// maxSealings bounds how often a mutation is begun anew because it has something
// to seal elsewhere that the time before it did not have.
const maxSealings = 4

// need is a set of values to be sealed.
type need struct {
	owner  string
	values map[string]string
}

// sealing identifies a need without holding its values.
type sealing struct {
	owner  string
	values [sha256.Size]byte
}

func (n need) sealing() sealing {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(n.values)) {
		fmt.Fprintf(h, "%q=%q\n", name, n.values[name]) //nolint:errcheck // a hash takes everything
	}
	return sealing{n.owner, [sha256.Size]byte(h.Sum(nil))}
}

// mutate runs do in a transaction with a draft of the next snapshot. If do
// changed something, and the commit succeeds, the draft comes into force.
//
// Where the vault keeps values elsewhere, sealing is a call of another service,
// for which neither the database nor a revocation must wait. So what do wants
// sealed is only noted at first, once all of it was found to be right; then it
// is sealed, and do runs again with the result. do must start from nothing each
// time, and gets the same ids.
func (s *Store) mutate(ctx context.Context, do func(*writer) error) error {
	sealed := map[sealing]map[string][]byte{}
	var ids []string
	for range maxSealings {
		needed, err := s.try(ctx, do, sealed, &ids)
		if err == nil && len(needed) == 0 {
			return nil
		}
		if err == nil && len(sealed) == 0 {
			s.elsewhere.Lock()
			defer s.elsewhere.Unlock()
		}
		for _, n := range needed {
			if err != nil {
				break
			}
			sealed[n.sealing()], err = s.vault.Seal(ctx, n.owner, n.values)
		}
		if err != nil {
			s.unseal(context.WithoutCancel(ctx), sealed)
			return err
		}
	}
	s.unseal(context.WithoutCancel(ctx), sealed)
	return errors.New("others changed the same thing at the same time; try again")
}

// try runs do once, and commits unless something is to be sealed before.
func (s *Store) try(ctx context.Context, do func(*writer) error, sealed map[sealing]map[string][]byte, ids *[]string) ([]need, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	given := 0
	w := &writer{
		ctx: ctx, tx: tx, vault: s.vault, draft: s.Snapshot().draft(), stamp: s.stamp(), sealed: sealed,
		newID: func() string {
			if given == len(*ids) {
				*ids = append(*ids, s.newID())
			}
			given++
			return (*ids)[given-1]
		},
	}
	if err := do(w); err != nil || !w.wrote || len(w.needed) > 0 {
		return w.needed, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	s.enforce(w.draft)
	return nil, nil
}

// enforce puts a snapshot in force. Called with mu held.
func (s *Store) enforce(next *Snapshot) {
	s.snap.Store(next)
	s.hooksMu.Lock()
	hooks := s.hooks[:len(s.hooks):len(s.hooks)]
	s.hooksMu.Unlock()
	for _, hook := range hooks {
		hook(next)
	}
}

// unseal brings back what a vault keeps elsewhere to what the database says. It
// does what it can: what it can't is overwritten by the next change.
func (s *Store) unseal(ctx context.Context, sealed map[sealing]map[string][]byte) {
	for of, rows := range sealed {
		before := s.Snapshot().valuesOf(of.owner)
		if len(before) > 0 {
			_, _ = s.vault.Seal(ctx, of.owner, before)
			continue
		}
		if e, ok := s.vault.(vault.Elsewhere); ok {
			for _, row := range rows {
				_ = e.Remove(ctx, of.owner, row)
				break // all of an owner are kept together
			}
		}
	}
}

// valuesOf are the open values of an owner.
func (s *Snapshot) valuesOf(owner string) Secrets {
	if c, ok := s.credentials[credentialID(owner)]; ok {
		return c.Secrets
	}
	id := ownerNamed(owner).id
	if e, ok := s.byID[s.places()[id]]; ok {
		t, _ := e.targetByID(id)
		own, _ := t.own()
		return own
	}
	return nil
}
