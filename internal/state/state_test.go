package state_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/state"
)

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := state.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOpenCreatesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "sluice.db")
	db := open(t, path)
	_, err := db.Exec("INSERT INTO organizations (id, name, name_key, created) VALUES ('a', 'b', 'b', 1)")
	require.NoError(t, err)

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
}

// schema is the version of the schema: as many as there are migrations.
func schema(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	require.NoError(t, err)
	return strconv.Itoa(len(files))
}

func TestOpenTightensFilesOfAnEarlierRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	require.NoError(t, open(t, path).Close())
	require.NoError(t, os.Chmod(path, 0o644))
	open(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestOpenSettings(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "sluice.db"))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "5000", "user_version": schema(t),
	} {
		var got string
		require.NoError(t, db.QueryRow("PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	require.Equal(t, 1, db.Stats().MaxOpenConnections)
}

func TestOpenAnyPath(t *testing.T) {
	for _, name := range []string{"plain.db", "a b.db", "what?mode=ro.db", "100%25.db", "#x.db", "ünï.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			db := open(t, path)
			_, err := db.Exec("INSERT INTO organizations (id, name, name_key, created) VALUES ('a', 'b', 'b', 1)")
			require.NoError(t, err)
			require.NoError(t, db.Close())
			var n int
			require.NoError(t, open(t, path).QueryRow("SELECT count(*) FROM organizations").Scan(&n))
			require.Equal(t, 1, n)
			entries, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			for _, e := range entries {
				require.True(t, strings.HasPrefix(e.Name(), name), e.Name())
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		is      error
		text    string
	}{
		{"newer schema", func(t *testing.T, path string) {
			db := open(t, path)
			_, err := db.Exec("PRAGMA user_version = 99")
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}, state.ErrNewer, "its schema is version 99 and this program knows up to " + schema(t)},
		{"another program's database", func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			require.NoError(t, err)
			_, err = db.Exec("CREATE TABLE x (y)")
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}, state.ErrForeign, "not a sluice database"},
		{"not a database", func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
		}, nil, "not a database"},
		{"a folder", func(t *testing.T, path string) {
			require.NoError(t, os.Mkdir(path, 0o700))
		}, nil, "is a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sluice.db")
			tt.prepare(t, path)
			_, err := state.Open(path)
			require.ErrorContains(t, err, tt.text)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}
