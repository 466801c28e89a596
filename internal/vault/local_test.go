package vault_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/vault"
)

func openLocal(t *testing.T, path string) *vault.Local {
	t.Helper()
	v, err := vault.OpenLocal(path)
	require.NoError(t, err)
	return v
}

func TestLocalSealsAndOpens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault", "keyset.json")
	sealed, err := openLocal(t, path).Seal([]byte("sk-canary"), "endpoint/1/key")
	require.NoError(t, err)
	require.False(t, bytes.Contains(sealed, []byte("canary")))

	again := openLocal(t, path) // a later start, same file
	plain, err := again.Open(sealed, "endpoint/1/key")
	require.NoError(t, err)
	require.Equal(t, "sk-canary", string(plain))
}

func TestLocalFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault", "keyset.json")
	openLocal(t, path)
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), p)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

func TestLocalDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	v := openLocal(t, filepath.Join(dir, "a.json"))
	sealed, err := v.Seal([]byte("sk-canary"), "endpoint/1/key")
	require.NoError(t, err)
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	tests := []struct {
		name    string
		vault   *vault.Local
		sealed  []byte
		context string
	}{
		{"another context", v, sealed, "endpoint/2/key"},
		{"changed", v, flipped, "endpoint/1/key"},
		{"cut", v, sealed[:8], "endpoint/1/key"},
		{"empty", v, nil, "endpoint/1/key"},
		{"another keyset", openLocal(t, filepath.Join(dir, "b.json")), sealed, "endpoint/1/key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plain, err := tt.vault.Open(tt.sealed, tt.context)
			require.ErrorContains(t, err, tt.context)
			require.Nil(t, plain)
		})
	}
}

func TestOpenLocalRefuses(t *testing.T) {
	tests := []struct {
		name, content, text string
		mode                os.FileMode
	}{
		{"readable by others", "{}", "its mode is 0644; if nobody else had access, set it to 0600", 0o644},
		{"not a keyset", `{"key":"canary"}`, "it is not a Tink keyset in JSON", 0o600},
		{"empty", "", "it is not a Tink keyset in JSON", 0o600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset.json")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), tt.mode))
			_, err := vault.OpenLocal(path)
			require.ErrorContains(t, err, tt.text)
			require.NotContains(t, err.Error(), "canary")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, tt.content, string(after), "a keyset that does not open is never overwritten")
		})
	}
}

func TestOpenLocalTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	vaults := make([]*vault.Local, 8)
	var wg sync.WaitGroup
	for i := range vaults {
		wg.Go(func() { vaults[i], _ = vault.OpenLocal(path) })
	}
	wg.Wait()
	sealed, err := openLocal(t, path).Seal([]byte("x"), "c")
	require.NoError(t, err)
	for _, v := range vaults {
		require.NotNil(t, v)
		_, err := v.Open(sealed, "c")
		require.NoError(t, err, "all share the keyset that won")
	}
}
