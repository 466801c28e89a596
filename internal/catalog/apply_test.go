package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

func TestApply(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first, err := w.Apply(ctx, []catalog.Endpoint{endpoint("b"), endpoint("a")})
	require.NoError(t, err)
	require.Len(t, first, 2)
	for i, name := range []string{"b", "a"} {
		require.Equal(t, name, first[i].Name)
		require.Equal(t, catalog.Created, first[i].Action)
		require.Nil(t, first[i].Before)
		require.Equal(t, name, first[i].After.Name)
	}
	require.EqualValues(t, 1, w.Snapshot().Revision, "one change for all")

	changed := endpoint("a")
	changed.First().Secrets["openai_api_key"] = "sk-2"
	changed.Permissions = catalog.Permissions{}
	second, err := w.Apply(ctx, []catalog.Endpoint{endpoint("b"), changed, endpoint("c")})
	require.NoError(t, err)
	actions := map[string]string{}
	for _, c := range second {
		actions[c.Name] = c.Action
	}
	require.Equal(t, map[string]string{"b": catalog.Unchanged, "a": catalog.Updated, "c": catalog.Created}, actions)
	a, _ := w.Snapshot().Get("a")
	require.Same(t, second[1].After, a)
	require.Same(t, first[1].After, second[1].Before)
	require.Equal(t, first[1].After.ID, a.ID)
	require.Equal(t, "sk-2", a.First().Secrets["openai_api_key"])
	require.Equal(t, []string{"u1", "u2"}, a.Permissions.Users, "none given: they are kept")
	require.Equal(t, allFacts(w.Store), allFacts(w.reopen()))

	open := endpoint("a")
	open.Permissions = catalog.Permissions{Everyone: true}
	third, err := w.Apply(ctx, []catalog.Endpoint{open})
	require.NoError(t, err)
	require.Equal(t, catalog.Permissions{Everyone: true, Users: []string{}, Organizations: []string{}, Roles: []string{}, Projects: []string{}, Owners: []string{}},
		third[0].After.Permissions, "given ones replace")
}

func TestApplyIsAllOrNothing(t *testing.T) {
	bad := endpoint("bad")
	bad.Type = "x"
	tests := []struct {
		name  string
		given []catalog.Endpoint
		is    error
		text  string
	}{
		{"a bad one", []catalog.Endpoint{endpoint("new"), bad}, catalog.ErrInvalid, `applying endpoints: endpoint "bad": endpointType`},
		{"one twice", []catalog.Endpoint{endpoint("new"), endpoint("new")}, catalog.ErrExists, `endpoint "new": exists already: it is given twice`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.create(endpoint("old"))
			_, err := w.Apply(t.Context(), tt.given)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.text)
			require.Len(t, w.Snapshot().All(), 1)
			require.Len(t, w.reopen().Snapshot().All(), 1)
		})
	}
}

func TestApplyReplacesWhatTheVaultLost(t *testing.T) {
	w, s := broken(t)
	w.vault.failing = ""
	_, err := s.Apply(t.Context(), []catalog.Endpoint{endpoint("sick")})
	require.NoError(t, err)
	require.Empty(t, s.Status().Broken)
	e, _ := w.reopen().Snapshot().Get("sick")
	require.Equal(t, catalog.Secrets{"openai_api_key": "sk-canary"}, e.First().Secrets)
}
