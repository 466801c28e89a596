package identity_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
	"sluice/internal/state"
)

// world is a store over a database that can be opened again.
type world struct {
	*identity.Store
	t    testing.TB
	db   *sql.DB
	ids  atomic.Int64
	nano atomic.Int64 // the clock, Unix nanoseconds
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	db, err := state.Open(filepath.Join(t.TempDir(), "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, db: db}
	w.nano.Store(start.UnixNano())
	w.Store = w.reopen()
	return w
}

// reopen loads the database anew, as the next start of the program would.
func (w *world) reopen() *identity.Store {
	w.t.Helper()
	s, err := identity.NewStore(w.db, w.now, w.newID)
	require.NoError(w.t, err)
	return s
}

func (w *world) now() time.Time          { return time.Unix(0, w.nano.Load()) }
func (w *world) advance(d time.Duration) { w.nano.Add(int64(d)) }
func (w *world) newID() string           { return fmt.Sprintf("%024x", w.ids.Add(1)) }

func (w *world) user(name string, roles ...string) identity.User {
	w.t.Helper()
	u, err := w.CreateUser(w.t.Context(), identity.User{Name: name, Roles: roles})
	require.NoError(w.t, err)
	return u
}

func (w *world) organization(name string, members ...string) identity.Organization {
	w.t.Helper()
	o, err := w.CreateOrganization(w.t.Context(), identity.Organization{Name: name, Members: identity.Members(members...)})
	require.NoError(w.t, err)
	return o
}

func (w *world) token(t identity.Token) (string, identity.Token) {
	w.t.Helper()
	if t.Name == "" {
		t.Name = "test"
	}
	plain, issued, err := w.IssueToken(w.t.Context(), t)
	require.NoError(w.t, err)
	return plain, issued
}

// bare presents a token and nothing else.
func bare(token string) identity.Presented { return identity.Presented{Credential: token} }
