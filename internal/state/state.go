// Package state opens the embedded database: one SQLite file that holds
// endpoints, users, organizations and tokens. Every write goes through one
// connection; readers of the request path use snapshots in memory and never
// come here.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Errors of Open.
var (
	// ErrNewer says that a newer version of the program wrote the database.
	ErrNewer = errors.New("the database was written by a newer version of sluice")
	// ErrForeign says that the file is a database of another program.
	ErrForeign = errors.New("the file is not a sluice database")
)

// Open opens the database at path, creates it (0600, in a 0700 folder) when it
// is missing and brings its schema up to date. The pool holds exactly one
// connection: a transaction waits for the one before it, and a query made
// outside an open transaction, by the same goroutine, would wait for ever.
func Open(path string) (*sql.DB, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("preparing database %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := migrate(db); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, errors.Join(err, db.Close()))
	}
	return db, nil
}

// prepare makes the file before SQLite does, because SQLite gives -wal and
// -shm the mode of the database file; those of an earlier run are tightened.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// dsn names the file as a URI, so that no character of the path is taken for
// an option. Commits are synchronous in full: a token that was revoked stays
// revoked after a power cut, and changes are rare.
func dsn(path string) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)", "trusted_schema(0)",
	}, "_txlock": {"immediate"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Queryer is a database, or a transaction.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each is EachOf for a query of a start, which nobody waits to give up.
func Each(db *sql.DB, query string, row func(scan func(...any) error) error) error {
	return EachOf(context.Background(), db, query, nil, row)
}

// EachOf runs a query and calls row for each row of the result, with the
// function that scans it, until one returns an error.
func EachOf(ctx context.Context, q Queryer, query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
