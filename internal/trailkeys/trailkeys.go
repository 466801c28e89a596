// Package trailkeys keeps the keys of the audit trail: an Ed25519 key that signs
// its checkpoints, and the key of the hashes that stand for what was redacted.
// Both are drawn at the first start and sealed by the vault in the database, so
// that backups hold them and migrations and rotations of the vault move them.
//
// While the vault can't open them the gateway runs: checkpoints are not signed,
// and nothing is hashed. Run tries again.
package trailkeys

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/vault"
)

// ErrSealed says that a key is not at hand: the vault could not seal or open it.
var ErrSealed = errors.New("the vault could not open the keys of the trail")

// retry is how often Run asks the vault again.
const retry = 15 * time.Second

// Options configure Open. All fields are required.
type Options struct {
	DB    *sql.DB
	Vault *vault.Set
	Now   func() time.Time
	Log   *zap.Logger
}

// Keys are the keys of a trail. They are safe for concurrent use.
type Keys struct {
	Options
	changing sync.Mutex // held while keys are made, opened or rotated

	signing   atomic.Pointer[signing]
	redaction atomic.Pointer[[]byte]

	mu     sync.Mutex // guards the following fields
	public []audit.PublicKey
	failed error
	opened []func()
}

type signing struct {
	public audit.PublicKey
	key    ed25519.PrivateKey
}

// Open reads the keys, and makes those that there are not. That the vault can't
// seal or open them is no error; see Status.
func Open(ctx context.Context, o Options) (*Keys, error) {
	k := &Keys{Options: o}
	if err := k.readPublic(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys of the trail: %w", err)
	}
	k.Ready(ctx)
	return k, nil
}

// Key returns the key that signs now, and its id. The error is ErrSealed.
func (k *Keys) Key() (id string, key crypto.Signer, err error) {
	s := k.signing.Load()
	if s == nil {
		return "", nil, ErrSealed
	}
	return s.public.ID, s.key, nil
}

// Public returns all public keys, the oldest first.
func (k *Keys) Public() []audit.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]audit.PublicKey(nil), k.public...)
}

// Redaction returns the 32 bytes of the redaction key; nil while it is not at
// hand. It must not be changed, and never leaves the process.
func (k *Keys) Redaction() []byte {
	if key := k.redaction.Load(); key != nil {
		return *key
	}
	return nil
}

// OnOpen calls do when keys are at hand that were not, also at once when they
// are now.
func (k *Keys) OnOpen(do func()) {
	k.mu.Lock()
	k.opened = append(k.opened, do)
	k.mu.Unlock()
	if k.signing.Load() != nil && k.redaction.Load() != nil {
		do()
	}
}

// Err says why a key is not at hand, nil when all are.
func (k *Keys) Err() error {
	if k.signing.Load() != nil && k.redaction.Load() != nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrSealed, k.failed)
}

// Run tries again while a key is not at hand, until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if k.Err() != nil {
				k.Ready(ctx)
			}
		}
	}
}

// Ready opens the keys that are not at hand, and makes those that there are not.
// Err tells what came of it.
func (k *Keys) Ready(ctx context.Context) {
	k.changing.Lock()
	defer k.changing.Unlock()
	err := errors.Join(k.readySigning(ctx), k.readyRedaction(ctx))
	k.mu.Lock()
	told := err != nil && k.failed != nil && k.failed.Error() == err.Error()
	was := k.failed
	k.failed = err
	opened := k.opened
	k.mu.Unlock()
	switch {
	case err != nil && !told:
		k.Log.Warn("the keys of the trail are not at hand: checkpoints are not signed, and nothing can be hashed; it is tried again",
			zap.Error(err))
	case err == nil:
		if was != nil {
			k.Log.Info("the keys of the trail are at hand")
		}
		for _, do := range opened {
			do()
		}
	}
}

// Rotation is a change of the signing key.
type Rotation struct {
	Before string // id of the key that signed
	After  audit.PublicKey
}

// Rotate makes a new signing key, and a new redaction key if that one can't be
// opened, as after a restore without the vault's keys; the private half of the one before is
// destroyed. tell is called before that, while the old key signs: it records the
// change in the trail, and has that signed. An error of it leaves all as it was.
func (k *Keys) Rotate(ctx context.Context, tell func(Rotation) error) (Rotation, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	r := Rotation{}
	for _, p := range k.Public() {
		if p.Retired == nil {
			r.Before = p.ID
		}
	}
	next, err := k.draw(ctx)
	if err != nil {
		return r, fmt.Errorf("rotating the signing key: %w", err)
	}
	r.After = next.public
	if err := tell(r); err != nil {
		return r, fmt.Errorf("rotating the signing key: %w", errors.Join(err, k.discard(ctx, next)))
	}
	if err := k.store(ctx, next, r.Before); err != nil {
		return r, fmt.Errorf("rotating the signing key: %w", errors.Join(err, k.discard(ctx, next)))
	}
	k.signing.Store(&next.signing)
	if k.redaction.Load() == nil {
		// Whoever rotates while a key is not at hand has given it up: what was
		// hashed with it can't be joined with what comes.
		err = k.renewRedaction(ctx)
	}
	return r, err
}
