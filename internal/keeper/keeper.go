// Package keeper looks after the vault while the gateway runs: it opens what
// could not be opened, follows values that change elsewhere, removes there what
// is no longer needed, and moves all values to another vault or key.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/vault"
)

// Errors of Start.
var (
	// ErrBusy says that a migration or rotation is under way.
	ErrBusy = errors.New("a migration or rotation of the vault is under way; wait until it has ended")
	// ErrTarget says that the gateway does not seal with the vault that was named.
	ErrTarget = errors.New("the gateway is not configured for this vault")
)

// Kinds of events.
const (
	EventMigrate = "MigrateVault"
	EventRotate  = "RotateVault"
)

const (
	// defaultRetry is how often values are tried that wait for their vault: more
	// and more seldom while it does not help.
	defaultRetry, maxRetry = 5 * time.Second, 30 * time.Second
	// sweep is how often removals are tried that could not be made.
	sweep = time.Minute
)

// Options configure New. All fields but Retry are required.
type Options struct {
	Catalog *catalog.Store
	Vaults  *vault.Set
	// Record writes an event to the trail.
	Record func(*audit.Event) error
	Now    func() time.Time
	Log    *zap.Logger
	// Retry is how long the first wait is before values are tried again that
	// could not be opened. 0: 5 s.
	Retry time.Duration
}

// Keeper looks after the vault. It is safe for concurrent use.
type Keeper struct {
	Options
	wake chan struct{} // something is to be removed, or moved

	mu      sync.Mutex // guards the following fields
	job     *api.VaultJob
	start   func(context.Context) // of a job that Run has not begun
	refresh time.Duration
	failing string // what was last logged
}

// New makes a keeper, which does nothing until Run. Values that a vault keeps
// elsewhere are read again every refresh.
func New(o Options, refresh time.Duration) *Keeper {
	if o.Retry == 0 {
		o.Retry = defaultRetry
	}
	return &Keeper{Options: o, wake: make(chan struct{}, 1), refresh: refresh}
}

// SetRefresh changes how often values elsewhere are read again.
func (k *Keeper) SetRefresh(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh = d
}

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	refreshed, swept := k.Now(), time.Time{}
	wait, tried := k.Retry, k.Now()
	var prepared vault.Vault
	tick := time.NewTicker(k.Retry)
	defer tick.Stop()
	for {
		var woken bool
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
			woken = true
		case <-tick.C:
		}
		// A vault behind an alias tells which values are its own when it has its key.
		if v := k.Vaults.Current(); v != prepared && v.Prepare(ctx, false) == nil {
			prepared = v
		}
		if start := k.begin(); start != nil {
			jobs.Go(func() { start(ctx) })
		}
		k.mu.Lock()
		anew := k.Now().Sub(refreshed) >= k.refresh
		k.mu.Unlock()
		if anew {
			refreshed = k.Now()
		}
		waiting := k.Catalog.Waiting() > 0 && k.Now().Sub(tried) >= wait-k.Retry/2
		if anew || waiting {
			tried, wait = k.Now(), min(2*wait, maxRetry)
			if k.open(ctx, anew) > 0 {
				wait = k.Retry
			}
		}
		if woken || k.Now().Sub(swept) >= sweep {
			swept = k.Now()
			if left, err := k.Catalog.Sweep(ctx); err != nil && ctx.Err() == nil {
				k.Log.Warn("not everything was removed from the vault; it is tried again", zap.Int("left", left), zap.Error(err))
			}
		}
	}
}

// open opens values again and logs what came of it, once.
func (k *Keeper) open(ctx context.Context, anew bool) (changed int) {
	changed, err := k.Catalog.Refresh(ctx, anew)
	if ctx.Err() != nil {
		return changed
	}
	if changed > 0 {
		k.Log.Info("credentials were read from the vault again", zap.Int("changed", changed), zap.Int("waiting", k.Catalog.Waiting()))
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	k.mu.Lock()
	told := k.failing == text
	k.failing = text
	k.mu.Unlock()
	if err != nil && !told {
		k.Log.Warn("the vault could not be read; the last values stay in force", zap.Error(err))
	}
	return changed
}

// Removed tells the keeper that something may have to be removed elsewhere.
func (k *Keeper) Removed() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Start begins to move all values to the vault that seals (api.VaultMigrate), or
// to a new key of it (api.VaultRotate), and returns when the vault is ready for
// that. to names the kind that a migration leads to.
func (k *Keeper) Start(ctx context.Context, kind, to string) error {
	v := k.Vaults.Current()
	if kind == api.VaultMigrate && to != string(v.Kind()) {
		return fmt.Errorf("%w: it seals with %s. To move to %s, configure that as vault, and the present one under vault.previous; "+
			"then let the gateway read its configuration again", ErrTarget, v.Kind(), to)
	}
	k.mu.Lock()
	if k.job != nil && k.job.Running {
		k.mu.Unlock()
		return ErrBusy
	}
	before := k.job
	k.job = &api.VaultJob{Kind: kind, Running: true, Started: k.Now().UTC()}
	k.mu.Unlock()
	if err := v.Prepare(ctx, kind == api.VaultRotate); err != nil {
		k.mu.Lock()
		k.job = before
		k.mu.Unlock()
		return err
	}
	k.mu.Lock()
	k.start = func(ctx context.Context) { k.run(ctx, kind, v) }
	k.mu.Unlock()
	k.Removed()
	return nil
}

// Busy reports whether a migration or rotation is under way.
func (k *Keeper) Busy() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.job != nil && k.job.Running
}

func (k *Keeper) begin() func(context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	start := k.start
	k.start = nil
	return start
}

func (k *Keeper) run(ctx context.Context, kind string, v vault.Vault) {
	stale := func(owner string, sealed []byte) bool { return !v.Holds(owner, sealed) }
	if kind == api.VaultRotate {
		stale = func(owner string, sealed []byte) bool { return !v.Fresh(owner, sealed) }
	}
	done, err := k.Catalog.Reseal(ctx, stale, func(done, total int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.job.Done, k.job.Total = done, total
	})
	if err == nil && kind == api.VaultRotate && done.Left == 0 {
		err = v.Retire(ctx)
	}
	k.ended(kind, v, done, err)
	k.Removed()
}

func (k *Keeper) ended(kind string, v vault.Vault, done catalog.Resealed, err error) {
	outcome := "done"
	if err != nil {
		outcome = "interrupted"
		k.Log.Error("the vault's values were not all sealed anew; do it again for the rest", zap.String("job", kind), zap.Error(err))
	} else {
		k.Log.Info("the vault's values were sealed anew", zap.String("job", kind), zap.Int("done", done.Done), zap.Int("left", done.Left))
	}
	event := map[string]string{api.VaultMigrate: EventMigrate, api.VaultRotate: EventRotate}[kind]
	st := v.Status()
	failed := k.Record(&audit.Event{
		Time: k.Now(), Kind: event, TargetType: "vault", TargetID: st.Key, TargetName: string(st.Kind),
		Metadata: map[string]string{"step": "ended", "outcome": outcome, "done": fmt.Sprint(done.Done), "left": fmt.Sprint(done.Left)},
	})
	if failed != nil {
		k.Log.Error("the trail took no event", zap.String("kind", event), zap.Error(failed))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at := k.Now().UTC()
	k.job.Running, k.job.Ended, k.job.Left = false, &at, done.Left
	if err != nil {
		k.job.Error = err.Error()
	}
}

// Status is the state of the vaults and of their values.
func (k *Keeper) Status() (api.Vault, error) {
	// The job comes before the counts: they are not older than its end.
	job := k.lastJob()
	out := api.Vault{VaultPart: part(k.Vaults.Current()), Previous: []api.VaultPart{}, Values: map[string]int{}, Job: job}
	for _, v := range k.Vaults.Previous() {
		out.Previous = append(out.Previous, part(v))
	}
	sealed, err := k.Catalog.Sealed()
	if err != nil {
		return out, err
	}
	for kind, n := range sealed.ByKind {
		if kind == "" {
			kind = "unknown"
		}
		out.Values[string(kind)] = n
	}
	out.Other, out.Removals, out.Waiting = sealed.Other, sealed.Removals, k.Catalog.Waiting()
	return out, nil
}

// lastJob is a copy of the job that runs or ran last, nil for none.
func (k *Keeper) lastJob() *api.VaultJob {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.job == nil {
		return nil
	}
	job := *k.job
	return &job
}

// Parts are the states of the vaults alone.
func (k *Keeper) Parts() []api.VaultPart {
	out := []api.VaultPart{part(k.Vaults.Current())}
	for _, v := range k.Vaults.Previous() {
		out = append(out, part(v))
	}
	return out
}

func part(v vault.Vault) api.VaultPart {
	st := v.Status()
	return api.VaultPart{
		Kind: string(st.Kind), Key: st.Key, Region: st.Region, Passphrase: st.Passphrase, Failing: st.Failing,
		LastSuccess: st.LastSuccess, LastError: st.LastError, LastErrorAt: st.LastErrorAt,
	}
}
