package catalog_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/state"
	"sluice/internal/vault"
)

// TestDatabaseOfVersion1 opens what the first version of the program wrote:
// its endpoints have one target each, and their sealed credentials open.
func TestDatabaseOfVersion1(t *testing.T) {
	dir := t.TempDir()
	v, err := vault.OpenLocal(filepath.Join(dir, "keyset.json"))
	require.NoError(t, err)
	id := func(n int) string { return fmt.Sprintf("%024x", n) }
	path := filepath.Join(dir, "sluice.db")
	old, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	schema, err := os.ReadFile("../state/migrations/0001_first.sql")
	require.NoError(t, err)
	_, err = old.Exec(string(schema) + "PRAGMA user_version = 1; PRAGMA application_id = 0x534c5549;")
	require.NoError(t, err)
	for n, name := range []string{"a", "b"} {
		sealed, err := v.Seal(t.Context(), "endpoint/"+id(n), map[string]string{"openai_api_key": "canary-" + name})
		require.NoError(t, err)
		for _, row := range []struct {
			query string
			args  []any
		}{
			{"endpoints VALUES (?, ?, 'llm/v1/chat', 'openai', 'gpt-x', 1, 5, '', 'minute', 1000, 2000)", []any{id(n), name}},
			{"endpoint_parameters VALUES (?, 'openai_api_base', 'https://x.example')", []any{id(n)}},
			{"endpoint_secrets VALUES (?, 'openai_api_key', ?)", []any{id(n), sealed["openai_api_key"]}},
			{"endpoint_grants VALUES (?, 'user', 'u')", []any{id(n)}},
		} {
			_, err = old.Exec("INSERT INTO "+row.query, row.args...)
			require.NoError(t, err)
		}
	}
	require.NoError(t, old.Close())

	db, err := state.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	open := func() *catalog.Store {
		s, err := catalog.NewStore(db, v, time.Now, catalog.NewID)
		require.NoError(t, err)
		return s
	}
	s := open()
	require.Len(t, s.Snapshot().All(), 2)
	for n, e := range s.Snapshot().All() {
		require.Equal(t, []catalog.Target{{
			ID: id(n), Name: "default", Weight: 1, Provider: "openai", Model: "gpt-x",
			Config:     map[string]string{"openai_api_base": "https://x.example"},
			Secrets:    catalog.Secrets{"openai_api_key": "canary-" + e.Name},
			Unreadable: []string{},
		}}, e.Targets)
		require.Empty(t, e.Problem)
		require.Equal(t, id(n), e.ID)
		require.Equal(t, &catalog.Limit{Calls: 5, Period: "minute"}, e.Limit)
		require.Equal(t, []string{"u"}, e.Permissions.Users)
		require.EqualValues(t, 1000, e.Created.UnixMilli())
		require.Zero(t, e.HeadTimeout)
	}
	_, err = s.Update(t.Context(), "a", func(e *catalog.Endpoint) error {
		e.Name, e.First().Name, e.First().Model = "c", "main", "m"
		return nil
	})
	require.NoError(t, err)
	c, _ := open().Snapshot().Get("c")
	require.Equal(t, catalog.Secrets{"openai_api_key": "canary-a"}, c.First().Secrets, "a migrated credential survives changes")
	var tables string
	require.NoError(t, db.QueryRow("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'").Scan(&tables))
	require.False(t, strings.Contains(tables, "endpoint_secrets"), tables)
}
