package audit

import (
	"context"
	"database/sql"
	"strings"

	"sluice/internal/identity"
)

// maxLines bounds how many lines the tables who and what of a day have each, and
// so the memory that they take of the indexer. What comes beyond has the line 0.
const maxLines = 1 << 16

// lines numbers what the records of a day have in common.
type lines[K comparable] struct {
	add     *sql.Stmt
	numbers map[K]int64
	added   []K // in the transaction under way
}

// begin begins a transaction.
func (l *lines[K]) begin() {
	clear(l.added)
	l.added = l.added[:0]
}

// undo forgets what a transaction that failed had added.
func (l *lines[K]) undo() {
	for _, key := range l.added {
		delete(l.numbers, key)
	}
}

// number returns the number of a line, and adds the line when it is new; always
// says that it must have one.
func (l *lines[K]) number(ctx context.Context, key K, always bool, clone func(K) K, columns func(K) []any) (int64, error) {
	if n, known := l.numbers[key]; known {
		return n, nil
	}
	if len(l.numbers) >= maxLines && !always {
		return 0, nil
	}
	key = clone(key)
	n := int64(len(l.numbers)) + 1
	if _, err := l.add.ExecContext(ctx, append([]any{n}, columns(key)...)...); err != nil {
		return 0, err
	}
	l.numbers[key] = n
	l.added = append(l.added, key)
	return n, nil
}

func (w whoKey) columns() []any {
	return []any{w.userID, w.userName, w.organizations, w.project, w.execution, w.addr}
}

func (w whatKey) columns() []any {
	return []any{w.kind, w.result, w.status, w.targetType, w.targetID, w.targetName, w.providers, w.models}
}

const (
	whoColumns  = "user, name, organizations, project, execution, addr"
	whatColumns = "kind, result, status, type, target, name, providers, models"
)

func (w *whoKey) pointers() []any {
	return []any{&w.userID, &w.userName, &w.organizations, &w.project, &w.execution, &w.addr}
}

func (w *whatKey) pointers() []any {
	return []any{&w.kind, &w.result, &w.status, &w.targetType, &w.targetID, &w.targetName, &w.providers, &w.models}
}

func (t *table) loadLines(ctx context.Context) (err error) {
	if t.who.numbers, err = readLines(ctx, t.conn, "SELECT id, "+whoColumns+" FROM who", (*whoKey).pointers); err != nil {
		return err
	}
	t.what.numbers, err = readLines(ctx, t.conn, "SELECT id, "+whatColumns+" FROM what", (*whatKey).pointers)
	return err
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func readLines[K comparable](ctx context.Context, q rowsQuerier, query string, pointers func(*K) []any) (map[K]int64, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	numbers := map[K]int64{}
	for rows.Next() {
		var n int64
		var key K
		if err := rows.Scan(append([]any{&n}, pointers(&key)...)...); err != nil {
			return nil, err
		}
		numbers[key] = n
	}
	return numbers, rows.Err()
}

// maxSets bounds how many callers' organizations are remembered joined.
const maxSets = 4096

// organizations are those of a caller, as a set. Callers are shared and don't
// change.
func (t *table) organizations(c *identity.Caller) string {
	switch {
	case c == nil || len(c.Organizations) == 0:
		return ""
	case len(c.Organizations) == 1:
		return c.Organizations[0]
	}
	set, known := t.sets[c]
	if !known {
		if len(t.sets) >= maxSets {
			clear(t.sets)
		}
		set = setMark + strings.Join(c.Organizations, setMark) + setMark
		t.sets[c] = set
	}
	return set
}
