package catalog_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/state"
	"sluice/internal/vault"
)

// countingVault is the local vault; it counts, and it can be made to fail for
// contexts that contain a text.
type countingVault struct {
	vault.Vault
	seals, opens atomic.Int64
	failing      string
}

var errVault = errors.New("vault is unwell")

func (v *countingVault) Seal(ctx context.Context, owner string, values map[string]string) (map[string][]byte, error) {
	v.seals.Add(int64(len(values)))
	for name := range values {
		if v.failing != "" && strings.Contains(owner+"/"+name, v.failing) {
			return nil, errVault
		}
	}
	return v.Vault.Seal(ctx, owner, values)
}

func (v *countingVault) Open(ctx context.Context, owner, name string, sealed []byte) (string, error) {
	v.opens.Add(1)
	if v.failing != "" && strings.Contains(owner+"/"+name, v.failing) {
		return "", errVault
	}
	return v.Vault.Open(ctx, owner, name, sealed)
}

type world struct {
	*catalog.Store
	t     testing.TB
	db    *sql.DB
	vault *countingVault
	ids   atomic.Int64
	nano  atomic.Int64
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := state.Open(filepath.Join(dir, "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	local, err := vault.OpenLocal(filepath.Join(dir, "vault", "keyset.json"))
	require.NoError(t, err)
	w := &world{t: t, db: db, vault: &countingVault{Vault: local}}
	w.nano.Store(start.UnixNano())
	w.Store = w.reopen()
	return w
}

// reopen loads the database anew, as the next start of the program would.
func (w *world) reopen() *catalog.Store {
	w.t.Helper()
	s, err := catalog.NewStore(w.db, w.vault, func() time.Time { return time.Unix(0, w.nano.Load()) },
		func() string { return fmt.Sprintf("%024x", w.ids.Add(1)) })
	require.NoError(w.t, err)
	return s
}

func (w *world) create(e catalog.Endpoint) *catalog.Endpoint {
	w.t.Helper()
	made, err := w.Create(w.t.Context(), e)
	require.NoError(w.t, err)
	return made
}

// endpoint is a good one with that name.
func endpoint(name string) catalog.Endpoint {
	return catalog.Endpoint{
		Name: name,
		Type: catalog.TypeChat,
		Targets: []catalog.Target{{
			Name: catalog.DefaultTarget, Weight: 1,
			Provider: "openai", Model: "gpt-x",
			Config:  map[string]string{"openai_api_base": "https://api.example.com/v1"},
			Secrets: catalog.Secrets{"openai_api_key": "sk-canary"},
		}},
		Limit:       &catalog.Limit{Calls: 10, Period: "minute"},
		Permissions: catalog.Permissions{Users: []string{"u2", "u1", "u2"}, Roles: []string{"r"}, Owners: []string{"u9", "o9", "u9"}},
		Description: "What it is\nfor.",
	}
}

// facts is what tests compare of an endpoint: all that is kept.
type facts struct {
	ID, Name    string
	Type        catalog.EndpointType
	Provider    string
	Model       string
	Config      map[string]string
	Secrets     map[string]string
	Unreadable  []string
	Limit       *catalog.Limit
	Permissions catalog.Permissions
	Created     time.Time
	Updated     time.Time
	Problem     string
	Description string
	Disabled    bool
	AuditBodies string
}

func factsOf(e *catalog.Endpoint) facts {
	return facts{e.ID, e.Name, e.Type, e.First().Provider, e.First().Model, e.First().Config, e.First().Secrets,
		e.First().Unreadable, e.Limit, e.Permissions, e.Created, e.Updated, e.Problem,
		e.Description, e.Disabled, e.AuditBodies}
}

func allFacts(s *catalog.Store) []facts {
	out := []facts{}
	for _, e := range s.Snapshot().All() {
		out = append(out, factsOf(e))
	}
	return out
}
