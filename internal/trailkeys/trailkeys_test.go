package trailkeys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/state"
	"sluice/internal/trailkeys"
	"sluice/internal/vault"
)

var ctx = context.Background()

func openDB(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := state.Open(filepath.Join(dir, "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func localVault(t *testing.T, path string) *vault.Local {
	t.Helper()
	v, err := vault.OpenLocal(path)
	require.NoError(t, err)
	return v
}

func openKeys(t *testing.T, db *sql.DB, v *vault.Set) *trailkeys.Keys {
	t.Helper()
	k, err := trailkeys.Open(ctx, trailkeys.Options{DB: db, Vault: v, Now: time.Now, Log: zaptest.NewLogger(t)})
	require.NoError(t, err)
	return k
}

// requireSigns checks that what k signs is verified by the public key that it names.
func requireSigns(t *testing.T, k *trailkeys.Keys) string {
	t.Helper()
	id, key, err := k.Key()
	require.NoError(t, err)
	signature, err := key.Sign(nil, []byte("text"), crypto.Hash(0))
	require.NoError(t, err)
	for _, p := range k.Public() {
		if p.ID == id {
			require.Equal(t, audit.KeyID(p.Key), id)
			require.True(t, ed25519.Verify(p.Key, []byte("text"), signature))
			return id
		}
	}
	t.Fatal("the key is not published")
	return ""
}

func TestKeysStay(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	set := vault.NewSet(localVault(t, filepath.Join(dir, "vault.keyset")))
	k := openKeys(t, db, set)
	require.NoError(t, k.Err())
	id := requireSigns(t, k)
	require.Len(t, k.Redaction(), 32)
	again := openKeys(t, db, set)
	require.Equal(t, id, requireSigns(t, again))
	require.Equal(t, k.Redaction(), again.Redaction())
	// Nothing of them is in the clear.
	require.NoError(t, db.Close())
	_, key, err := k.Key()
	require.NoError(t, err)
	for _, name := range []string{"sluice.db", "sluice.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		require.False(t, bytes.Contains(data, k.Redaction()))
		require.False(t, bytes.Contains(data, key.(ed25519.PrivateKey).Seed()))
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	set := vault.NewSet(localVault(t, filepath.Join(dir, "vault.keyset")))
	k := openKeys(t, db, set)
	before := requireSigns(t, k)
	_, err := k.Rotate(ctx, func(trailkeys.Rotation) error { return errors.New("no trail") })
	require.ErrorContains(t, err, "no trail")
	require.Equal(t, before, requireSigns(t, k))
	r, err := k.Rotate(ctx, func(r trailkeys.Rotation) error {
		require.Equal(t, before, r.Before)
		require.Equal(t, before, requireSigns(t, k), "the old one signs that")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, r.After.ID, requireSigns(t, k))
	require.NotEqual(t, before, r.After.ID)
	list := openKeys(t, db, set).Public()
	require.Len(t, list, 2)
	require.NotNil(t, list[0].Retired)
	require.Nil(t, list[1].Retired)
	var secrets int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM trail_secrets").Scan(&secrets))
	require.Equal(t, 2, secrets, "the old private key is gone")
}

func copyState(t *testing.T, db *sql.DB) string {
	t.Helper()
	dir := t.TempDir()
	_, err := db.Exec("VACUUM INTO ?", filepath.Join(dir, "sluice.db"))
	require.NoError(t, err)
	return dir
}

// TestTheVaultIsAway: without the vault's key nothing is signed; with it, all
// goes on. Moving to another vault takes the keys along.
func TestTheVaultIsAway(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	first := localVault(t, filepath.Join(dir, "first.keyset"))
	second := localVault(t, filepath.Join(dir, "second.keyset"))
	k := openKeys(t, db, vault.NewSet(first))
	id := requireSigns(t, k)

	set := vault.NewSet(second)
	away := openKeys(t, db, set)
	require.ErrorIs(t, away.Err(), trailkeys.ErrSealed)
	_, _, err := away.Key()
	require.ErrorIs(t, err, trailkeys.ErrSealed)
	require.Nil(t, away.Redaction())
	require.Len(t, away.Public(), 1, "none was made in its place")
	told := 0
	away.OnOpen(func() { told++ })
	require.Zero(t, told)
	set.Use(second, first)
	away.Ready(ctx)
	require.Equal(t, id, requireSigns(t, away))
	require.Equal(t, 1, told)

	// Given up, as after a restore without the keyset.
	lost := openKeys(t, openDB(t, copyState(t, db)), vault.NewSet(second))
	require.ErrorIs(t, lost.Err(), trailkeys.ErrSealed)
	_, err = lost.Rotate(ctx, func(trailkeys.Rotation) error { return nil })
	require.NoError(t, err)
	require.NoError(t, lost.Err())
	require.NotEqual(t, id, requireSigns(t, lost))
	require.Len(t, lost.Redaction(), 32)

	store, err := catalog.NewStore(db, set, time.Now, catalog.NewID)
	require.NoError(t, err)
	sealed, err := store.Sealed()
	require.NoError(t, err)
	require.Equal(t, 2, sealed.Other)
	done, err := store.Reseal(ctx, func(owner string, sealed []byte) bool { return !second.Holds(owner, sealed) }, func(int, int) {})
	require.NoError(t, err)
	require.Equal(t, catalog.Resealed{Done: 2}, done)
	moved := openKeys(t, db, vault.NewSet(second))
	require.Equal(t, id, requireSigns(t, moved))
	require.Equal(t, k.Redaction(), moved.Redaction())
}
