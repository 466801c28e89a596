package backup_test

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/backup"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/state"
	"sluice/internal/usage"
)

var ctx = context.Background()

// folder is a data folder that a gateway has open, with a user and a trail.
func folder(t *testing.T) (data string, people *identity.Store, trail *audit.Trail) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	db, err := state.Open(filepath.Join(data, "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	people, err = identity.NewStore(db, time.Now, catalog.NewID)
	require.NoError(t, err)
	_, err = people.CreateUser(ctx, identity.User{Name: "alice"})
	require.NoError(t, err)
	trail, err = audit.Open(audit.Options{Dir: filepath.Join(data, "audit"), Now: time.Now, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = trail.Close() })
	require.NoError(t, trail.Event(&audit.Event{Kind: "Before"}))
	require.NoError(t, trail.AddHold(audit.Hold{Name: "case", From: "2026-03-10", Reason: "x"}, nil))
	counts, err := usage.Open(usage.Options{Path: filepath.Join(data, "usage.db"), Trail: trail, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = counts.Close() })
	for name, text := range map[string]string{
		"ca.pem": "public", "ca.key": "canary-ca-key", "vault.keyset": "canary-keyset", "admin-token": "canary-token",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte(text), 0o600))
	}
	return data, people, trail
}

func write(t *testing.T, o backup.Options) []byte {
	t.Helper()
	o.Now, o.Version = time.Now(), "1.2.3"
	var b bytes.Buffer
	_, err := backup.Write(ctx, &b, o)
	require.NoError(t, err)
	return b.Bytes()
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		require.NoError(t, err)
		if e.IsDir() {
			require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
			return nil
		}
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	}))
	return names
}

func TestABackupOfARunningGatewayComesBack(t *testing.T) {
	for passphrase, secrets := range map[string]bool{"": false, "correct horse": true} {
		data, people, trail := folder(t)
		kept := write(t, backup.Options{Data: data, Passphrase: passphrase})
		require.NotContains(t, string(kept), "canary")
		entries, err := os.ReadDir(data)
		require.NoError(t, err)
		for _, e := range entries {
			require.False(t, strings.HasPrefix(e.Name(), "."), "nothing is left behind")
		}
		// What comes after is not in it.
		_, err = people.CreateUser(ctx, identity.User{Name: "bob"})
		require.NoError(t, err)
		require.NoError(t, trail.Event(&audit.Event{Kind: "After"}))

		again := filepath.Join(t.TempDir(), "deep", "data")
		m, err := backup.Restore(ctx, bytes.NewReader(kept), again, passphrase)
		require.NoError(t, err)
		require.Equal(t, secrets, m.Secrets)
		names := strings.Join(files(t, again), " ")
		for name, want := range map[string]bool{
			"sluice.db": true, "ca.pem": secrets, "audit/head.json": true, ".log": true,
			"vault.keyset": secrets, "ca.key": secrets, "admin-token": false, "usage.db": true, "lock": false,
		} {
			require.Equal(t, want, strings.Contains(names, name), "%s in %s", name, names)
		}

		db, err := state.Open(filepath.Join(again, "sluice.db"))
		require.NoError(t, err)
		restored, err := identity.NewStore(db, time.Now, catalog.NewID)
		require.NoError(t, err)
		list := restored.ListUsers(ctx)
		require.Len(t, list, 1)
		require.Equal(t, "alice", list[0].Name)
		require.NoError(t, db.Close())

		report, err := audit.VerifyDir(ctx, filepath.Join(again, "audit"))
		require.NoError(t, err)
		require.Nil(t, report.Problem)
		opened, err := audit.Open(audit.Options{Dir: filepath.Join(again, "audit"), Now: time.Now, Log: zap.NewNop()})
		require.NoError(t, err)
		require.NotEqual(t, trail.ID(), opened.ID(), "sequences are used again, under another id")
		var kinds []string
		require.NoError(t, opened.Query(ctx, audit.Filter{}, func(r *audit.Record) error {
			kinds = append(kinds, r.Kind())
			switch r.Kind() {
			case "Before":
				require.True(t, strings.HasPrefix(r.RecordID, trail.ID()+"-"), r.RecordID)
			case audit.KindRestored:
				require.True(t, strings.HasPrefix(r.RecordID, opened.ID()+"-"), r.RecordID)
				require.Equal(t, []audit.Change{{Field: "id", Before: trail.ID(), After: opened.ID()}}, r.Event.Changes)
			}
			return nil
		}))
		require.Contains(t, kinds, audit.KindRestored)
		require.Contains(t, kinds, "Before")
		require.NotContains(t, kinds, "After")
		require.Len(t, opened.Holds(), 1)
		id := opened.ID()
		require.NoError(t, opened.Close())
		opened, err = audit.Open(audit.Options{Dir: filepath.Join(again, "audit"), Now: time.Now, Log: zap.NewNop()})
		require.NoError(t, err)
		require.Equal(t, id, opened.ID(), "the id stays until the next restore")
		require.NoError(t, opened.Close())
		report, err = audit.VerifyDir(ctx, filepath.Join(again, "audit"))
		require.NoError(t, err)
		require.Nil(t, report.Problem)
	}
}

func TestABackupWithoutTheTrail(t *testing.T) {
	data, _, _ := folder(t)
	again := filepath.Join(t.TempDir(), "data")
	m, err := backup.Restore(ctx, bytes.NewReader(write(t, backup.Options{Data: data, NoTrail: true})), again, "")
	require.NoError(t, err)
	require.False(t, m.Trail)
	require.NotContains(t, strings.Join(files(t, again), " "), "audit")
}

func TestWhatIsDamagedIsNotRestored(t *testing.T) {
	data, _, _ := folder(t)
	for passphrase, times := range map[string]int{"": 60, "correct horse": 3} { // each of the latter takes a second
		kept := write(t, backup.Options{Data: data, Passphrase: passphrase})
		parent := t.TempDir()
		for range times {
			broken := bytes.Clone(kept)
			if rand.IntN(2) == 0 {
				broken = broken[:rand.IntN(len(broken))]
			} else {
				broken[rand.IntN(len(broken))] ^= 1 << rand.IntN(8)
			}
			_, err := backup.Restore(ctx, bytes.NewReader(broken), filepath.Join(parent, "data"), passphrase)
			if err == nil { // a bit that says nothing: what came out must be whole
				require.NoError(t, os.RemoveAll(filepath.Join(parent, "data")))
			}
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, entries, "nothing is left behind")
		}
	}
	_, err := backup.Restore(ctx, strings.NewReader("no backup"), filepath.Join(t.TempDir(), "data"), "")
	require.ErrorIs(t, err, backup.ErrDamaged)
	_, err = backup.Restore(ctx, strings.NewReader(""), filepath.Join(t.TempDir(), "data"), "")
	require.ErrorIs(t, err, backup.ErrDamaged)
}

func TestRestoreAsksForThePassphraseAndAnEmptyFolder(t *testing.T) {
	data, _, _ := folder(t)
	kept := write(t, backup.Options{Data: data, Passphrase: "correct horse"})
	for _, wrong := range []string{"", "wrong"} {
		_, err := backup.Restore(ctx, bytes.NewReader(kept), filepath.Join(t.TempDir(), "data"), wrong)
		require.ErrorIs(t, err, backup.ErrPassphrase)
	}
	_, err := backup.Restore(ctx, bytes.NewReader(kept), data, "correct horse")
	require.ErrorIs(t, err, backup.ErrNotEmpty)
	empty := t.TempDir()
	_, err = backup.Restore(ctx, bytes.NewReader(kept), empty, "correct horse")
	require.NoError(t, err)
}
