package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

func shared(name string) catalog.Credential {
	return catalog.Credential{Name: name, Provider: "openai", Secrets: catalog.Secrets{"openai_api_key": "sk-shared"}}
}

// sharing is an endpoint whose target uses a stored credential.
func sharing(name, id string) catalog.Endpoint {
	e := endpoint(name)
	e.Targets[0].Secrets, e.Targets[0].CredentialID = nil, id
	return e
}

func TestCredentialIsLent(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, err := w.CreateCredential(ctx, shared("one"))
	require.NoError(t, err)
	for _, name := range []string{"b", "a"} {
		require.Equal(t, "sk-shared", w.create(sharing(name, c.ID)).First().Secrets["openai_api_key"])
	}
	w.create(endpoint("own"))
	var seen *catalog.Snapshot
	w.OnChange(func(s *catalog.Snapshot) { seen = s })
	before, _ := w.Snapshot().Get("own")
	rotated, err := w.UpdateCredential(ctx, c.ID, func(c *catalog.Credential) error {
		c.Secrets["openai_api_key"] = "sk-rotated"
		return nil
	})
	require.NoError(t, err)
	require.True(t, rotated.Rotated.Equal(rotated.Updated))
	for _, name := range []string{"a", "b"} {
		e, _ := seen.Get(name)
		require.Equal(t, "sk-rotated", e.First().Secrets["openai_api_key"])
		require.True(t, e.Shared(), "it is the snapshot's")
	}
	own, _ := seen.Get("own")
	require.Same(t, before, own, "others are not touched")
	require.Equal(t, allFacts(w.Store), allFacts(w.reopen()))
	var rows int
	require.NoError(t, w.db.QueryRow("SELECT count(*) FROM target_secrets").Scan(&rows))
	require.Equal(t, 1, rows, "a target with a credential keeps no key of its own")

	require.ErrorIs(t, w.DeleteCredential(ctx, c.ID), catalog.ErrInUse)
	// A target that gives it back has what it is given, and no more.
	e, err := w.Update(ctx, "a", func(e *catalog.Endpoint) error {
		e.Targets[0].CredentialID, e.Targets[0].Secrets = "", catalog.Secrets{"openai_api_key": "sk-own"}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, catalog.Secrets{"openai_api_key": "sk-own"}, e.First().Secrets)
	_, err = w.Delete(ctx, "b")
	require.NoError(t, err)
	require.NoError(t, w.DeleteCredential(ctx, c.ID))
	require.ErrorIs(t, w.DeleteCredential(ctx, c.ID), catalog.ErrNotFound)
	require.Equal(t, allFacts(w.Store), allFacts(w.reopen()))
	require.Empty(t, w.reopen().Snapshot().Credentials())
}

func TestCredentialsThatAreWrong(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, err := w.CreateCredential(ctx, shared("one"))
	require.NoError(t, err)
	other := shared("other")
	other.Provider = "anthropic"
	claude, err := w.CreateCredential(ctx, other)
	require.NoError(t, err)
	_, err = w.CreateCredential(ctx, shared("one"))
	require.ErrorIs(t, err, catalog.ErrExists)
	_, err = w.CreateCredential(ctx, catalog.Credential{Name: "none", Provider: "openai"})
	require.ErrorContains(t, err, "values: a credential has at least one value")
	_, err = w.UpdateCredential(ctx, c.ID, func(c *catalog.Credential) error { c.Name = "other"; return nil })
	require.ErrorIs(t, err, catalog.ErrExists)
	_, err = w.UpdateCredential(ctx, c.ID, func(c *catalog.Credential) error { c.Unreadable = []string{"x"}; return nil })
	require.ErrorContains(t, err, "values.x: no such value is stored")
	_, err = w.UpdateCredential(ctx, "none", func(*catalog.Credential) error { return nil })
	require.ErrorIs(t, err, catalog.ErrNotFound)
	_, err = w.Create(ctx, sharing("a", "none"))
	require.ErrorContains(t, err, `credentialId: there is no stored credential with the id "none"`)
	_, err = w.Create(ctx, sharing("a", claude.ID))
	require.ErrorContains(t, err, `credentialId: the stored credential "other" is for the provider anthropic, not for openai`)
	require.Empty(t, w.Snapshot().All())
}

func TestCredentialThatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	c, err := w.CreateCredential(t.Context(), shared("one"))
	require.NoError(t, err)
	w.create(sharing("a", c.ID))
	w.vault.failing = "credential/"
	s := w.reopen()
	e, _ := s.Snapshot().Get("a")
	require.Contains(t, e.Problem, "The vault can't open the credential openai_api_key of this endpoint")
	lost, _ := s.Snapshot().Credential(c.ID)
	require.Contains(t, lost.Problem, "of this stored credential")
	require.Equal(t, 0, s.Waiting(), "nothing will open it")
	w.vault.failing = ""
	_, err = s.UpdateCredential(t.Context(), c.ID, func(c *catalog.Credential) error {
		c.Secrets["openai_api_key"] = "sk-new"
		return nil
	})
	require.NoError(t, err)
	e, _ = s.Snapshot().Get("a")
	require.Empty(t, e.Problem)
	require.Equal(t, "sk-new", e.First().Secrets["openai_api_key"])
}
