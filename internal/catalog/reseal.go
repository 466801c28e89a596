package catalog

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/vault"
)

// resealBatch is how many owners are sealed anew in one transaction: enough to
// share the wait for the disk, few enough that nobody waits for it.
const resealBatch = 32

// Resealed is what Reseal did.
type Resealed struct {
	Done int // owners whose values are all as they should be now
	Left int // owners with values that can't be opened, which stay as they are
}

// Reseal seals anew, with the vault as it is now, the values of every owner that
// has one of which stale says so. It takes them a few at a time while all else
// goes on, and calls progress after each few. When it ends early, what was done
// is done, and a second time does the rest.
func (s *Store) Reseal(ctx context.Context, stale func(owner string, sealed []byte) bool, progress func(done, total int)) (Resealed, error) {
	rows, err := readSealed(s.db)
	if err != nil {
		return Resealed{}, fmt.Errorf("sealing anew: %w", err)
	}
	var todo [][]sealedRow
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].owner == rows[0].owner {
			n++
		}
		for _, row := range rows[:n] {
			if stale(row.owner.name, row.sealed) {
				todo = append(todo, rows[:n])
				break
			}
		}
		rows = rows[n:]
	}
	out, total := Resealed{}, len(todo)
	progress(0, total)
	size := resealBatch
	if vault.SealsElsewhere(s.vault) {
		size = 1 // what is elsewhere and not in the database would stay there
	}
	for len(todo) > 0 {
		batch := todo[:min(len(todo), size)]
		todo = todo[len(batch):]
		left, err := s.resealSome(ctx, batch)
		if err != nil {
			return out, fmt.Errorf("sealing anew: %w", err)
		}
		out.Left += left
		out.Done += len(batch) - left
		progress(out.Done+out.Left, total)
	}
	return out, nil
}

// resealSome seals the values of some owners. Rows that others changed meanwhile
// are left alone: they are sealed as they should be.
func (s *Store) resealSome(ctx context.Context, batch [][]sealedRow) (left int, err error) {
	s.elsewhere.Lock()
	defer s.elsewhere.Unlock()
	sealed := make([]map[string][]byte, len(batch))
	for i, rows := range batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		values := map[string]string{}
		for _, row := range rows {
			value, err := s.vault.Open(ctx, row.owner.name, row.name, row.sealed)
			if err == nil {
				values[row.name] = value
			}
		}
		if len(values) < len(rows) {
			left++
		}
		if len(values) == 0 {
			continue
		}
		if sealed[i], err = s.vault.Seal(ctx, rows[0].owner.name, values); err != nil {
			return 0, err
		}
	}
	tx, err := s.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	w := &writer{ctx: context.WithoutCancel(ctx), tx: tx, vault: s.vault, stamp: s.stamp()}
	for i, rows := range batch {
		if err := w.reseal(rows, sealed[i]); err != nil {
			return 0, err
		}
	}
	return left, tx.Commit()
}

func (w *writer) reseal(rows []sealedRow, sealed map[string][]byte) error {
	o := rows[0].owner
	before, err := w.references(o)
	if err != nil {
		return err
	}
	update := fmt.Sprintf("UPDATE %s SET sealed = ? WHERE %s = ? AND name = ? AND sealed = ?", o.table, o.column)
	for _, row := range rows {
		anew, ok := sealed[row.name]
		if !ok {
			continue
		}
		if err := w.exec(update, anew, o.id, row.name, row.sealed); err != nil {
			return err
		}
		if vault.IsElsewhere(anew) && !contains(before, anew) {
			before = append(before, anew) // where the row has gone meanwhile, it goes too
		}
	}
	return w.leave(o, before)
}

// removal is something to be removed from a vault that keeps values itself.
type removal struct {
	owner  string
	sealed []byte
}

// Sweep removes from vaults what nothing refers to any more, and returns how
// much is left to remove. An error says why the first of those is left.
func (s *Store) Sweep(ctx context.Context) (left int, err error) {
	var list []removal
	rows, err := s.db.QueryContext(ctx, "SELECT owner, sealed FROM vault_removals ORDER BY since")
	if err != nil {
		return 0, fmt.Errorf("removing from the vault: %w", err)
	}
	for rows.Next() {
		var r removal
		if err := rows.Scan(&r.owner, &r.sealed); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		list = append(list, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, fmt.Errorf("removing from the vault: %w", err)
	}
	var first error
	for _, r := range list {
		if err := s.sweep(ctx, r); err != nil {
			left++
			if first == nil {
				first = err
			}
		}
	}
	return left, first
}

func (s *Store) sweep(ctx context.Context, r removal) error {
	s.elsewhere.Lock()
	defer s.elsewhere.Unlock()
	o := ownerNamed(r.owner)
	var used bool
	query := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s = ? AND sealed = ?)", o.table, o.column)
	if err := s.db.QueryRowContext(ctx, query, o.id, r.sealed).Scan(&used); err != nil {
		return err
	}
	e, ok := s.vault.(vault.Elsewhere)
	switch {
	case used:
	case !ok:
		return fmt.Errorf("removing %s: %w", r.owner, vault.ErrForeign)
	default:
		if err := e.Remove(ctx, r.owner, r.sealed); err != nil {
			return err
		}
	}
	_, err := s.db.ExecContext(ctx, "DELETE FROM vault_removals WHERE owner = ? AND sealed = ?", r.owner, r.sealed)
	return err
}

// Sealed counts what is sealed.
type Sealed struct {
	ByKind   map[vault.Kind]int // values by the kind of vault that sealed them
	Other    int                // values that the present vault did not seal
	Removals int                // see Sweep
}

// Sealed counts the values in the database.
func (s *Store) Sealed() (Sealed, error) {
	out := Sealed{ByKind: map[vault.Kind]int{}}
	rows, err := readSealed(s.db)
	if err != nil {
		return out, fmt.Errorf("counting sealed values: %w", err)
	}
	for _, row := range rows {
		out.ByKind[vault.KindOf(row.sealed)]++
		if !s.vault.Holds(row.owner.name, row.sealed) {
			out.Other++
		}
	}
	if err := s.db.QueryRow("SELECT count(*) FROM vault_removals").Scan(&out.Removals); err != nil {
		return out, fmt.Errorf("counting removals: %w", err)
	}
	return out, nil
}
