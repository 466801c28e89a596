package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/vault"
)

// writer is one mutation under way: a transaction, and the snapshot that comes
// into force with it.
type writer struct {
	ctx   context.Context //nolint:containedctx // lives as long as the transaction
	tx    *sql.Tx
	vault vault.Vault
	draft *Snapshot
	newID func() string
	stamp time.Time
	wrote bool
	// sealed is what was sealed before the transaction began, and needed what
	// must be before it can be committed (see Store.mutate).
	sealed map[sealing]map[string][]byte
	needed []need
}

func (w *writer) exec(query string, args ...any) error {
	w.wrote = true
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

// free tells whether the name and the id of e are free.
func (w *writer) free(e *Endpoint) error {
	if _, taken := w.draft.byName[e.Name]; taken {
		return fmt.Errorf("the name %w; choose another, or update the endpoint that has it", ErrExists)
	}
	if _, taken := w.draft.byID[e.ID]; taken {
		return fmt.Errorf("the id %w", ErrExists)
	}
	return nil
}

func (w *writer) insert(e *Endpoint) error {
	calls, key, period := limitColumns(e.Limit)
	err := w.exec(`INSERT INTO endpoints
		(id, name, type, head_timeout, everyone, limit_calls, limit_key, limit_period, created, updated, description, disabled,
		audit_bodies)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.Name, e.Type, e.HeadTimeout.Milliseconds(), e.Permissions.Everyone,
		calls, key, period, e.Created.UnixMilli(), e.Updated.UnixMilli(), e.Description, e.Disabled,
		e.AuditBodies)
	if err != nil {
		return err
	}
	return w.details(&Endpoint{}, e)
}

func (w *writer) update(old, e *Endpoint) error {
	calls, key, period := limitColumns(e.Limit)
	err := w.exec(`UPDATE endpoints SET name = ?, type = ?, head_timeout = ?, everyone = ?,
		limit_calls = ?, limit_key = ?, limit_period = ?, updated = ?, description = ?, disabled = ?,
		audit_bodies = ? WHERE id = ?`,
		e.Name, e.Type, e.HeadTimeout.Milliseconds(), e.Permissions.Everyone,
		calls, key, period, e.Updated.UnixMilli(), e.Description, e.Disabled, e.AuditBodies, e.ID)
	if err != nil {
		return err
	}
	return w.details(old, e)
}

// details writes the rows below an endpoint that differ from old's.
func (w *writer) details(old, e *Endpoint) error {
	if err := w.targets(old, e); err != nil {
		return err
	}
	return w.grants(old, e)
}

func (w *writer) grants(old, e *Endpoint) error {
	before := old.Permissions.lists()
	for i, list := range e.Permissions.lists() {
		gone, added := difference(*before[i].subjects, *list.subjects)
		for _, subject := range gone {
			err := w.exec("DELETE FROM endpoint_grants WHERE endpoint_id = ? AND kind = ? AND subject = ?", e.ID, list.kind, subject)
			if err != nil {
				return err
			}
		}
		for _, subject := range added {
			err := w.exec("INSERT INTO endpoint_grants (endpoint_id, kind, subject) VALUES (?, ?, ?)", e.ID, list.kind, subject)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// difference of two sorted sets: what only before and what only after has.
func difference(before, after []string) (gone, added []string) {
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case j == len(after) || i < len(before) && before[i] < after[j]:
			gone = append(gone, before[i])
			i++
		case i == len(before) || after[j] < before[i]:
			added = append(added, after[j])
			j++
		default:
			i++
			j++
		}
	}
	return gone, added
}

func limitColumns(l *Limit) (calls any, key, period string) {
	if l == nil {
		return nil, "", ""
	}
	return l.Calls, l.Key, l.Period
}
