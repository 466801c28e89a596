package policies_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/state"
	"sluice/internal/vault"
	"sluice/policies"
)

func engine(tb testing.TB, opts policies.Options) *policies.Engine {
	tb.Helper()
	e, err := policies.New(opts)
	require.NoError(tb, err)
	return e
}

// world makes callers and endpoints as the gateway has them: from snapshots.
type world struct {
	tb      testing.TB
	users   *identity.Store
	catalog *catalog.Store
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	dir := tb.TempDir()
	db, err := state.Open(filepath.Join(dir, "sluice.db"))
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	v, err := vault.OpenLocal(filepath.Join(dir, "keyset.json"))
	require.NoError(tb, err)
	w := &world{tb: tb}
	w.users, err = identity.NewStore(db, time.Now, catalog.NewID)
	require.NoError(tb, err)
	w.catalog, err = catalog.NewStore(db, v, time.Now, catalog.NewID)
	require.NoError(tb, err)
	return w
}

func (w *world) user(name string, roles ...string) identity.User {
	u, err := w.users.CreateUser(w.tb.Context(), identity.User{Name: name, Roles: roles})
	require.NoError(w.tb, err)
	return u
}

func (w *world) organization(name string, members ...string) identity.Organization {
	o, err := w.users.CreateOrganization(w.tb.Context(), identity.Organization{Name: name, Members: identity.Members(members...)})
	require.NoError(w.tb, err)
	return o
}

func (w *world) caller(t identity.Token) *identity.Caller {
	t.Name = "test"
	plain, _, err := w.users.IssueToken(w.tb.Context(), t)
	require.NoError(w.tb, err)
	c, err := w.users.Authenticate(identity.Presented{Credential: plain})
	require.NoError(w.tb, err)
	return c
}

func (w *world) endpoint(name string, p catalog.Permissions) *catalog.Endpoint {
	e, err := w.catalog.Create(w.tb.Context(), catalog.Endpoint{
		Name: name, Type: catalog.TypeChat, Permissions: p,
		Targets: []catalog.Target{{Provider: "openai", Model: "gpt-x", Config: map[string]string{"openai_api_base": "https://a.example/v1"}}},
	})
	require.NoError(w.tb, err)
	return e
}

// number is how a decision's obligations hold a number.
func number(s string) json.Number { return json.Number(s) }
