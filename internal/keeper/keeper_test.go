package keeper_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/awstest"
	"sluice/internal/catalog"
	"sluice/internal/keeper"
	"sluice/internal/state"
	"sluice/internal/vault"
)

const canary = "sk-canary-71c3"

// world is a catalog with endpoints and a shared credential, and a keeper.
type world struct {
	t      *testing.T
	dir    string
	aws    *awstest.AWS
	key    string // ARN of a KMS key
	db     *sql.DB
	vaults *vault.Set
	store  *catalog.Store
	keeper *keeper.Keeper

	later atomic.Int64 // how far the clock is ahead, in nanoseconds

	mu     sync.Mutex // guards the following field
	events []*audit.Event
}

func newWorld(t *testing.T, kind vault.Kind) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), aws: awstest.Start(t)}
	w.key = w.aws.NewKey(t)
	w.vaults = vault.NewSet(w.open(kind))
	w.openStore()
	return w
}

// open opens a vault of a kind; all of one kind are the same.
func (w *world) open(kind vault.Kind) vault.Vault {
	w.t.Helper()
	a := vault.AWS{Region: awstest.Region, Endpoint: w.aws.URL, HTTP: http.DefaultClient, Now: w.now}
	var v vault.Vault
	var err error
	switch kind {
	case vault.KindKMS:
		v, err = vault.OpenKMS(w.t.Context(), w.key, a)
	case vault.KindSecretsManager:
		v, err = vault.OpenSecretsManager(w.t.Context(), vault.SecretsManagerOptions{Prefix: w.prefix(), RecoveryDays: 7}, a)
	default:
		v, err = vault.OpenLocal(filepath.Join(w.dir, "vault.keyset"))
	}
	require.NoError(w.t, err)
	return v
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }

// wait moves the clock past the time for which a vault rests after a failure.
func (w *world) wait() { w.later.Add(int64(10 * time.Second)) }

func (w *world) prefix() string { return strings.ReplaceAll(w.t.Name(), "#", "") + "/" }

func (w *world) openStore() {
	w.t.Helper()
	var err error
	if w.db == nil {
		w.db, err = state.Open(filepath.Join(w.dir, "sluice.db"))
		require.NoError(w.t, err)
		w.t.Cleanup(func() { _ = w.db.Close() })
	}
	w.store, err = catalog.NewStore(w.db, w.vaults, time.Now, catalog.NewID)
	require.NoError(w.t, err)
	w.keeper = keeper.New(keeper.Options{Catalog: w.store, Vaults: w.vaults, Record: w.record, Now: time.Now, Log: zap.NewNop(), Retry: 20 * time.Millisecond}, time.Hour)
}

func (w *world) record(e *audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// run lets the keeper work until the test or stop ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.keeper.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.t.Cleanup(stop)
	return stop
}

// fill makes n endpoints with a key of their own, and one with a shared one.
func (w *world) fill(n int) {
	w.t.Helper()
	c, err := w.store.CreateCredential(w.t.Context(), catalog.Credential{
		Name: "shared", Provider: "openai", Secrets: catalog.Secrets{"openai_api_key": canary + "-shared"},
	})
	require.NoError(w.t, err)
	for i := range n {
		w.create(fmt.Sprintf("e%d", i), catalog.Target{Secrets: catalog.Secrets{"openai_api_key": fmt.Sprint(canary, "-", i), "other": canary}})
	}
	w.create("shares", catalog.Target{CredentialID: c.ID})
}

func (w *world) create(name string, t catalog.Target) {
	w.t.Helper()
	t.Name, t.Weight, t.Provider, t.Model = "default", 1, "openai", "m"
	_, err := w.store.Create(w.t.Context(), catalog.Endpoint{Name: name, Type: catalog.TypeChat, Targets: []catalog.Target{t}})
	require.NoError(w.t, err)
}

// intact wants every value where it was, now and after a restart with only the
// current vault.
func (w *world) intact(n int) {
	w.t.Helper()
	check := func(s *catalog.Store) {
		require.Empty(w.t, s.Status().Broken)
		for i := range n {
			e, ok := s.Snapshot().Get(fmt.Sprintf("e%d", i))
			require.True(w.t, ok)
			require.Equal(w.t, fmt.Sprint(canary, "-", i), e.First().Secrets["openai_api_key"])
			require.Equal(w.t, canary, e.First().Secrets["other"])
		}
		e, _ := s.Snapshot().Get("shares")
		require.Equal(w.t, canary+"-shared", e.First().Secrets["openai_api_key"])
	}
	check(w.store)
	again, err := catalog.NewStore(w.db, vault.NewSet(w.open(w.vaults.Kind())), time.Now, catalog.NewID)
	require.NoError(w.t, err)
	check(again)
	w.noPlaintext()
}

// noPlaintext looks through the data folder, the database's log included.
func (w *world) noPlaintext() {
	w.t.Helper()
	require.NoError(w.t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			require.NotContains(w.t, string(b), canary, d.Name())
		}
		return err
	}))
}

func (w *world) start(kind, to string) error { return w.keeper.Start(w.t.Context(), kind, to) }

// ended waits until the job has ended, and returns the state.
func (w *world) ended() api.Vault {
	w.t.Helper()
	var st api.Vault
	require.Eventually(w.t, func() bool {
		var err error
		st, err = w.keeper.Status()
		require.NoError(w.t, err)
		return st.Job != nil && !st.Job.Running && st.Removals == 0
	}, time.Minute, 5*time.Millisecond)
	return st
}

var kinds = []vault.Kind{vault.KindLocal, vault.KindKMS, vault.KindSecretsManager}

func TestMigrateInEveryDirection(t *testing.T) {
	for _, from := range kinds {
		for _, to := range kinds {
			if from == to {
				continue
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				w := newWorld(t, from)
				w.fill(5)
				w.run()
				require.ErrorIs(t, w.start(api.VaultMigrate, string(to)), keeper.ErrTarget)
				w.vaults.Use(w.open(to), w.open(from))
				st, err := w.keeper.Status()
				require.NoError(t, err)
				require.Equal(t, 11, st.Other, "values to move")
				w.intactWith(from)

				require.NoError(t, w.start(api.VaultMigrate, string(to)))
				st = w.ended()
				require.Equal(t, map[string]int{string(to): 11}, st.Values)
				require.Equal(t, 0, st.Other)
				require.Equal(t, 6, st.Job.Done)
				require.Empty(t, st.Job.Error)
				w.vaults.Use(w.open(to))
				w.intact(5)
				secrets := w.aws.Secrets(t, w.prefix())
				switch {
				case from == vault.KindSecretsManager:
					require.Len(t, secrets, 6)
					for name, s := range secrets {
						require.NotZero(t, s.DeletedDate, name)
					}
				case to == vault.KindSecretsManager:
					require.Len(t, secrets, 6)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				last := w.events[len(w.events)-1]
				require.Equal(t, "MigrateVault", last.Kind)
				require.Equal(t, map[string]string{"step": "ended", "outcome": "done", "done": "6", "left": "0"}, last.Metadata)
			})
		}
	}
}

// intactWith wants the values to open while the old vault is a previous one.
func (w *world) intactWith(from vault.Kind) {
	w.t.Helper()
	again, err := catalog.NewStore(w.db, vault.NewSet(w.open(w.vaults.Kind()), w.open(from)), time.Now, catalog.NewID)
	require.NoError(w.t, err)
	require.Empty(w.t, again.Status().Broken)
}

func TestMigrationThatIsInterrupted(t *testing.T) {
	for _, to := range []vault.Kind{vault.KindKMS, vault.KindSecretsManager} {
		t.Run(string(to), func(t *testing.T) {
			w := newWorld(t, vault.KindLocal)
			w.fill(40)
			before := w.open(to)
			w.vaults.Use(before, w.open(vault.KindLocal))
			require.NoError(t, before.Prepare(t.Context(), false))
			stop := w.run()
			n := 0
			w.aws.Deny(func(action, _ string) bool {
				if action == "CreateSecret" {
					n++
				}
				return n > 7 || to == vault.KindKMS
			})
			// What KMS gave is in memory, so it is the process that ends.
			ctx, cancel := context.WithCancel(t.Context())
			if to == vault.KindKMS {
				_, err := w.store.Reseal(ctx, func(owner string, sealed []byte) bool { return !before.Holds(owner, sealed) }, func(done, _ int) {
					if done > 0 {
						cancel()
					}
				})
				require.ErrorIs(t, err, context.Canceled)
			} else {
				require.NoError(t, w.start(api.VaultMigrate, string(to)))
				require.Eventually(t, func() bool {
					st, err := w.keeper.Status()
					require.NoError(t, err)
					return !st.Job.Running
				}, time.Minute, time.Millisecond)
				st, _ := w.keeper.Status()
				require.Contains(t, st.Job.Error, "AWS Secrets Manager refuses CreateSecret")
			}
			cancel()
			stop()
			w.aws.Deny(nil)
			st, err := w.keeper.Status()
			require.NoError(t, err)
			require.NotZero(t, st.Values[string(to)])
			require.NotZero(t, st.Values[string(vault.KindLocal)])
			w.intactWith(vault.KindLocal)

			w.vaults = vault.NewSet(w.open(to), w.open(vault.KindLocal)) // a new process
			w.openStore()
			w.run()
			require.NoError(t, w.start(api.VaultMigrate, string(to)))
			st = w.ended()
			require.Empty(t, st.Job.Error)
			require.Equal(t, map[string]int{string(to): 81}, st.Values)
			w.intact(40)
		})
	}
}

func TestRotate(t *testing.T) {
	for _, kind := range []vault.Kind{vault.KindLocal, vault.KindKMS} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, kind)
			w.fill(3)
			w.run()
			old := sealedRows(t, w.db)
			require.NoError(t, w.start(api.VaultRotate, ""))
			require.ErrorIs(t, errors.Join(w.start(api.VaultRotate, ""), keeper.ErrBusy), keeper.ErrBusy)
			st := w.ended()
			require.Empty(t, st.Job.Error)
			for name, sealed := range sealedRows(t, w.db) {
				require.NotEqual(t, old[name], sealed, name)
				require.True(t, w.vaults.Fresh("", sealed), name)
			}
			w.intact(3)
			if kind == vault.KindLocal {
				require.False(t, w.open(kind).Holds("", old["e0"]), "the old key is gone")
			}
		})
	}
	t.Run("secrets manager rotates by itself", func(t *testing.T) {
		w := newWorld(t, vault.KindSecretsManager)
		require.ErrorIs(t, w.start(api.VaultRotate, ""), vault.ErrNotRotatable)
		st, err := w.keeper.Status()
		require.NoError(t, err)
		require.Nil(t, st.Job)
	})
}

// A value that nothing opens keeps the old key, which may be needed yet.
func TestRotateLeavesWhatDoesNotOpen(t *testing.T) {
	w := newWorld(t, vault.KindLocal)
	w.fill(2)
	_, err := w.db.Exec("UPDATE target_secrets SET sealed = substr(sealed, 1, 20) WHERE name = 'other' AND target_id = (SELECT min(target_id) FROM target_secrets)")
	require.NoError(t, err)
	w.openStore()
	w.run()
	old := sealedRows(t, w.db)["shares"]
	require.NoError(t, w.start(api.VaultRotate, ""))
	st := w.ended()
	require.Equal(t, 1, st.Job.Left)
	require.Equal(t, 3, st.Job.Done)
	require.True(t, w.open(vault.KindLocal).Holds("", old))
}

// sealedRows are the sealed keys by the names of endpoints; the shared one is
// that of "shares".
func sealedRows(t *testing.T, db *sql.DB) map[string][]byte {
	t.Helper()
	rows, err := db.Query(`SELECT e.name, s.sealed FROM endpoints e JOIN targets t ON t.endpoint_id = e.id
		JOIN target_secrets s ON s.target_id = t.id WHERE s.name = 'openai_api_key'
		UNION SELECT 'shares', sealed FROM credential_secrets`)
	require.NoError(t, err)
	out := map[string][]byte{}
	for rows.Next() {
		var name string
		var sealed []byte
		require.NoError(t, rows.Scan(&name, &sealed))
		out[name] = sealed
	}
	require.NoError(t, errors.Join(rows.Err(), rows.Close()))
	return out
}

func TestOutageAtTheStart(t *testing.T) {
	for _, kind := range []vault.Kind{vault.KindKMS, vault.KindSecretsManager} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, kind)
			w.fill(2)
			w.aws.Set(awstest.Away)
			w.intactInMemory(2)

			w.vaults = vault.NewSet(w.open(kind)) // a new process
			w.openStore()
			require.Equal(t, 3, w.store.Waiting())
			e, _ := w.store.Snapshot().Get("e0")
			require.Contains(t, e.Problem, "The gateway tries again by itself")
			require.NotContains(t, e.Problem, "arn:")
			st, err := w.keeper.Status()
			require.NoError(t, err)
			require.True(t, st.Failing)
			require.Contains(t, st.LastError, "can't be reached")
			// What does not need the vault can be changed.
			_, err = w.store.Update(t.Context(), "e0", func(e *catalog.Endpoint) error { e.Targets[0].Model = "m2"; return nil })
			require.NoError(t, err)

			var changes atomic.Int64
			w.store.OnChange(func(*catalog.Snapshot) { changes.Add(1) })
			w.run()
			w.aws.Set(awstest.Up)
			w.wait()
			require.Eventually(t, func() bool { return w.store.Waiting() == 0 }, time.Minute, 20*time.Millisecond)
			require.Eventually(t, func() bool { return changes.Load() > 0 }, time.Minute, time.Millisecond, "what serves calls is told")
			w.intact(2)
		})
	}
}

func (w *world) intactInMemory(n int) {
	w.t.Helper()
	for i := range n {
		e, _ := w.store.Snapshot().Get(fmt.Sprintf("e%d", i))
		require.Equal(w.t, fmt.Sprint(canary, "-", i), e.First().Secrets["openai_api_key"])
	}
}

func TestSecretsManagerIsFollowed(t *testing.T) {
	w := newWorld(t, vault.KindSecretsManager)
	w.fill(1)
	w.store.OnChange(func(*catalog.Snapshot) { w.keeper.Removed() })
	w.run()
	c, _ := w.store.Snapshot().CredentialNamed("shared")
	secret := w.prefix() + "credential/" + c.ID
	w.aws.PutValue(t, secret, `{"openai_api_key":"sk-canary-by-operator"}`)
	changed, err := w.store.Refresh(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, 1, changed)
	shares, _ := w.store.Snapshot().Get("shares")
	require.Equal(t, "sk-canary-by-operator", shares.First().Secrets["openai_api_key"])

	// AWS is away: the last values stay, changes of keys are refused whole.
	w.aws.Set(awstest.Away)
	_, err = w.store.Refresh(t.Context(), true)
	require.ErrorIs(t, err, vault.ErrUnavailable)
	w.intactInMemory(1)
	_, err = w.store.Update(t.Context(), "e0", func(e *catalog.Endpoint) error {
		e.Targets[0].Secrets["openai_api_key"], e.Targets[0].Model = "new", "m3"
		return nil
	})
	require.ErrorIs(t, err, vault.ErrUnavailable)
	e, _ := w.store.Snapshot().Get("e0")
	require.Equal(t, "m", e.First().Model)
	w.intactInMemory(1)
	w.aws.Set(awstest.Up)
	w.wait()

	// A name that is taken is found before anything is written in AWS.
	before := w.aws.Calls("CreateSecret")
	_, err = w.store.Create(t.Context(), catalog.Endpoint{Name: "e0", Type: catalog.TypeChat, Targets: []catalog.Target{{
		Name: "default", Weight: 1, Provider: "openai", Model: "m", Secrets: catalog.Secrets{"openai_api_key": "x"}}}})
	require.ErrorIs(t, err, catalog.ErrExists)
	require.Equal(t, before, w.aws.Calls("CreateSecret"))

	// Deleting follows, with a time to restore.
	own := w.prefix() + "endpoint/" + e.First().ID
	require.Zero(t, w.aws.Secrets(t, own)[own].DeletedDate)
	_, err = w.store.Delete(t.Context(), "e0")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.aws.Secrets(t, own)[own].DeletedDate != 0 }, time.Minute, 10*time.Millisecond)

	// An operator deletes a secret: the key is over.
	w.aws.Delete(t, secret)
	_, err = w.store.Refresh(t.Context(), true)
	require.NoError(t, err)
	shares, _ = w.store.Snapshot().Get("shares")
	require.Contains(t, shares.Problem, "The vault can't be reached, or does not let the gateway open")
	w.aws.Restore(t, secret)
	_, err = w.store.Refresh(t.Context(), false)
	require.NoError(t, err)
	shares, _ = w.store.Snapshot().Get("shares")
	require.Empty(t, shares.Problem)
	w.noPlaintext()
}

// An alias does not say which key it leads to: after a start, values that its key
// sealed are not taken for others to be moved.
func TestAliasKnowsItsOwn(t *testing.T) {
	w := newWorld(t, vault.KindKMS)
	arn := w.key
	w.aws.Do(t, "TrentService", "CreateAlias", fmt.Sprintf(`{"AliasName":"alias/vault","TargetKeyId":%q}`, arn[len(arn)-36:]))
	w.fill(1)
	w.key = "alias/vault"
	w.vaults = vault.NewSet(w.open(vault.KindKMS)) // a new process
	w.openStore()
	w.run()
	require.Eventually(t, func() bool {
		st, err := w.keeper.Status()
		require.NoError(t, err)
		return st.Other == 0 && st.Key == arn
	}, time.Minute, 10*time.Millisecond)
	w.intact(1)
}
