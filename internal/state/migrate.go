package state

import (
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks the file as ours in its header: "SLUI".
const applicationID = 0x534c5549

// migrations are the steps from an empty database to the present schema, in
// the order of their file names. Step n takes the schema from version n-1 to n
// (PRAGMA user_version). A step that was released is never changed.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		b, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(b)
	}
	return steps, nil
}

func migrate(db *sql.DB) error {
	steps, err := migrations()
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	var version, app, tables int
	for pragma, into := range map[string]*int{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &app,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := db.QueryRow(pragma).Scan(into); err != nil {
			return fmt.Errorf("reading schema version: %w", err)
		}
	}
	switch {
	case app != applicationID && tables > 0:
		return ErrForeign
	case version > len(steps):
		return fmt.Errorf("%w: its schema is version %d and this program knows up to %d; start the newer program, or restore a backup",
			ErrNewer, version, len(steps))
	}
	for ; version < len(steps); version++ {
		if err := step(db, version+1, steps[version]); err != nil {
			return fmt.Errorf("migrating schema to version %d: %w", version+1, err)
		}
	}
	return nil
}

// step runs one migration whole or not at all.
func step(db *sql.DB, version int, script string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	marks := fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d;", version, applicationID)
	if _, err := tx.Exec(script + marks); err != nil {
		return err
	}
	return tx.Commit()
}
