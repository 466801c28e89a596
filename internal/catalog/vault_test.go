package catalog_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

// broken is a world in which the vault can't open two of the three credentials
// of "sick" any more, and "well" is as ever.
func broken(t *testing.T) (*world, *catalog.Store) {
	w := newWorld(t)
	sick := endpoint("sick")
	sick.First().Secrets = catalog.Secrets{"bad_1": "canary1", "bad_2": "canary2", "good": "canary3"}
	w.create(sick)
	w.create(endpoint("well"))
	w.vault.failing = "/bad_"
	return w, w.reopen()
}

func TestVaultThatFailsBreaksOneEndpointOnly(t *testing.T) {
	_, s := broken(t)
	well, _ := s.Snapshot().Get("well")
	require.Empty(t, well.Problem)
	require.Equal(t, "sk-canary", well.First().Secrets["openai_api_key"])
	sick, _ := s.Snapshot().Get("sick")
	require.Equal(t, catalog.Status{Endpoints: 2, Broken: map[string]string{"sick": sick.Problem}}, s.Status())
	require.Equal(t, []string{"bad_1", "bad_2"}, sick.First().Unreadable)
	require.Equal(t, catalog.Secrets{"good": "canary3"}, sick.First().Secrets)
	require.True(t, strings.HasPrefix(sick.Problem, "The vault can't open the credential bad_1, bad_2"), sick.Problem)
}

func TestUnreadableCredentials(t *testing.T) {
	tests := []struct {
		name       string
		change     func(*catalog.Target)
		unreadable []string
		secrets    catalog.Secrets // once the vault is well again
	}{
		{"are kept by a change of something else", func(x *catalog.Target) { x.Model = "m" },
			[]string{"bad_1", "bad_2"}, catalog.Secrets{"bad_1": "canary1", "bad_2": "canary2", "good": "canary3"}},
		{"are replaced when set", func(x *catalog.Target) { x.Secrets["bad_1"] = "new" },
			[]string{"bad_2"}, catalog.Secrets{"bad_1": "new", "bad_2": "canary2", "good": "canary3"}},
		{"are deleted when taken off", func(x *catalog.Target) { x.Unreadable = x.Unreadable[:1] },
			[]string{"bad_1"}, catalog.Secrets{"bad_1": "canary1", "good": "canary3"}},
		{"all gone", func(x *catalog.Target) { x.Unreadable = nil },
			[]string{}, catalog.Secrets{"good": "canary3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s := broken(t)
			w.vault.failing = ""
			e, err := s.Update(t.Context(), "sick", func(e *catalog.Endpoint) error { tt.change(e.First()); return nil })
			require.NoError(t, err)
			require.Equal(t, tt.unreadable, e.First().Unreadable)
			require.Equal(t, len(tt.unreadable) > 0, e.Problem != "")
			require.Equal(t, len(tt.unreadable) > 0, len(s.Status().Broken) == 1)
			again, _ := w.reopen().Snapshot().Get("sick")
			require.Equal(t, tt.secrets, again.First().Secrets)
			require.Empty(t, again.Problem)
		})
	}
}

func TestSealedCredentialIsBoundToItsEndpoint(t *testing.T) {
	w := newWorld(t)
	w.create(endpoint("a"))
	w.create(endpoint("b"))
	_, err := w.db.Exec(`UPDATE target_secrets SET sealed =
		(SELECT sealed FROM target_secrets s JOIN targets t ON t.id = s.target_id
			JOIN endpoints e ON e.id = t.endpoint_id WHERE e.name = 'a')`)
	require.NoError(t, err)
	broken := w.reopen().Status().Broken
	require.Len(t, broken, 1)
	require.Contains(t, broken, "b")
}
