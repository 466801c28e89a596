package vault_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/vault"
)

const owner, name, canary = "endpoint/1", "key", "sk-canary"

func openLocal(t *testing.T, path string) *vault.Local {
	t.Helper()
	v, err := vault.OpenLocal(path)
	require.NoError(t, err)
	return v
}

func seal(t *testing.T, v vault.Vault) []byte {
	t.Helper()
	rows, err := v.Seal(t.Context(), owner, map[string]string{name: canary})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NotContains(t, string(rows[name]), canary)
	return rows[name]
}

func requireOpens(t *testing.T, v vault.Vault, sealed []byte) {
	t.Helper()
	value, err := v.Open(t.Context(), owner, name, sealed)
	require.NoError(t, err)
	require.Equal(t, canary, value)
}

func TestLocalSealsAndOpens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault", "keyset.json")
	sealed := seal(t, openLocal(t, path))
	requireOpens(t, openLocal(t, path), sealed) // a later start, same file
	require.Equal(t, vault.KindLocal, vault.KindOf(sealed))
}

func TestLocalFileIsPrivate(t *testing.T) {
	for _, passphrase := range []string{"", "correct horse"} {
		path := filepath.Join(t.TempDir(), "vault", "keyset.json")
		_, err := vault.OpenLocalWithPassphrase(path, passphrase)
		require.NoError(t, err)
		for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			info, err := os.Stat(p)
			require.NoError(t, err)
			require.Equal(t, want, info.Mode().Perm(), p)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, entries, 1, "no temporary file stays")
	}
}

func TestLocalDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	v := openLocal(t, filepath.Join(dir, "a.json"))
	sealed := seal(t, v)
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	tests := []struct {
		name   string
		vault  *vault.Local
		sealed []byte
		owner  string
	}{
		{"another owner", v, sealed, "endpoint/2"},
		{"changed", v, flipped, owner},
		{"cut", v, sealed[:8], owner},
		{"empty", v, nil, owner},
		{"another keyset", openLocal(t, filepath.Join(dir, "b.json")), sealed, owner},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plain, err := tt.vault.Open(t.Context(), tt.owner, name, tt.sealed)
			require.ErrorContains(t, err, tt.owner+"/"+name)
			require.NotErrorIs(t, err, vault.ErrUnavailable)
			require.Empty(t, plain)
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
		{"a key derivation that takes all memory", `{"kdf":{"name":"argon2id","time":1,"memoryKiB":4294967295,"threads":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="},"keyset":{}}`,
			"the keyset has one; give it as vault.passphrase", 0o600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset.json")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), tt.mode))
			_, err := vault.OpenLocal(path)
			require.ErrorContains(t, err, tt.text)
			require.NotContains(t, err.Error(), "canary")
			_, err = vault.OpenLocalWithPassphrase(path, "x")
			require.Error(t, err)
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
	sealed := seal(t, openLocal(t, path))
	for _, v := range vaults {
		require.NotNil(t, v)
		requireOpens(t, v, sealed) // all share the keyset that won
	}
}

func TestPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	open := func(passphrase string) error {
		_, err := vault.OpenLocalWithPassphrase(path, passphrase)
		return err
	}
	sealed := seal(t, openLocal(t, path))
	require.ErrorContains(t, open("one"), "the keyset has none yet; set it with sluice vault passphrase")
	require.NoError(t, vault.SetPassphrase(path, "", "one"))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(content), `"argon2id"`)
	require.NotContains(t, string(content), `"keyData"`, "the key is not in clear")

	require.ErrorIs(t, open(""), vault.ErrPassphrase)
	require.ErrorContains(t, open("two"), "it is not the one that the keyset was encrypted with")
	require.NoError(t, open("one"))
	require.ErrorIs(t, vault.SetPassphrase(path, "two", "three"), vault.ErrPassphrase)
	require.NoError(t, vault.SetPassphrase(path, "one", "two"))
	v, err := vault.OpenLocalWithPassphrase(path, "two")
	require.NoError(t, err)
	requireOpens(t, v, sealed)
	require.True(t, v.Status().Passphrase)
	require.NoError(t, v.Prepare(t.Context(), true))
	require.ErrorIs(t, open(""), vault.ErrPassphrase, "a rotation keeps it")
	require.NoError(t, vault.SetPassphrase(path, "two", ""))
	requireOpens(t, openLocal(t, path), sealed)
}

func TestLocalRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	v := openLocal(t, path)
	old := seal(t, v)
	require.True(t, v.Fresh(owner, old))
	require.NoError(t, v.Prepare(t.Context(), false))
	require.True(t, v.Fresh(owner, old), "nothing was to be done")

	require.NoError(t, v.Prepare(t.Context(), true))
	fresh := seal(t, v)
	require.True(t, v.Fresh(owner, fresh))
	require.False(t, v.Fresh(owner, old))
	require.True(t, v.Holds(owner, old))
	for _, v := range []*vault.Local{v, openLocal(t, path)} {
		requireOpens(t, v, old)
		requireOpens(t, v, fresh)
	}
	require.NoError(t, v.Retire(t.Context()))
	for _, v := range []*vault.Local{v, openLocal(t, path)} {
		requireOpens(t, v, fresh)
		require.False(t, v.Holds(owner, old))
		_, err := v.Open(t.Context(), owner, name, old)
		require.Error(t, err, "the old key is gone")
	}
}

func TestRotationDoesNotOverwriteAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	v := openLocal(t, path)
	sealed := seal(t, v)
	require.NoError(t, vault.SetPassphrase(path, "", "one"))
	require.ErrorIs(t, v.Prepare(t.Context(), true), vault.ErrMoved)
	require.True(t, v.Fresh(owner, sealed), "it goes on as before")
	requireOpens(t, v, sealed)
	other, err := vault.OpenLocalWithPassphrase(path, "one")
	require.NoError(t, err)
	requireOpens(t, other, sealed)
}

// named is a vault that says only which it is.
type named struct {
	vault.Vault
	kind vault.Kind
	err  error
}

func (n named) Kind() vault.Kind { return n.kind }
func (n named) Open(context.Context, string, string, []byte) (string, error) {
	return "", n.err
}

func TestSetOpensWithTheVaultThatSealed(t *testing.T) {
	dir := t.TempDir()
	one, two := openLocal(t, filepath.Join(dir, "1")), openLocal(t, filepath.Join(dir, "2"))
	sealed := seal(t, one)
	away := errors.New("away")
	tests := []struct {
		name   string
		set    *vault.Set
		sealed []byte
		is     error
		text   string
	}{
		{"the current one", vault.NewSet(one), sealed, nil, ""},
		{"a previous one of the same kind", vault.NewSet(two, one), sealed, nil, ""},
		{"none of its kind", vault.NewSet(named{kind: vault.KindKMS}), sealed, vault.ErrForeign, "name local under vault.previous"},
		{"no sealed value", vault.NewSet(one), []byte{0xff}, nil, "it is not a sealed value"},
		{"one that is away says more than one that can't", vault.NewSet(two, named{kind: vault.KindLocal, err: errors.Join(vault.ErrUnavailable, away)}),
			sealed, away, "away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, err := tt.set.Open(t.Context(), owner, name, tt.sealed)
			if tt.is == nil && tt.text == "" {
				require.NoError(t, err)
				require.Equal(t, canary, value)
				return
			}
			require.ErrorContains(t, err, tt.text)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}
