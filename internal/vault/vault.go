// Package vault keeps the values of credentials. A vault either seals values,
// so that what it returns can be stored anywhere, or keeps them elsewhere and
// returns references. Only the vault that sealed a value, given the same owner
// and name, opens it; the first byte of what is stored tells which kind that
// was, so that values of several vaults can stand side by side while they move
// from one to another (see Set).
package vault

import (
	"context"
	"errors"
	"time"
)

// Kind is a kind of vault, in the words of the configuration.
type Kind string

// The kinds.
const (
	KindLocal          Kind = "local"
	KindKMS            Kind = "aws-kms"
	KindSecretsManager Kind = "aws-secrets-manager"
)

// What a stored value begins with, by the kind that sealed it. The first is
// Tink's own prefix, which is all that the local vault needs.
const (
	markLocal          byte = 0x01
	markKMS            byte = 0x02
	markSecretsManager byte = 0x03
)

// KindOf tells which kind of vault sealed a value; "" when none did.
func KindOf(sealed []byte) Kind {
	if len(sealed) > 0 {
		switch sealed[0] {
		case markLocal:
			return KindLocal
		case markKMS:
			return KindKMS
		case markSecretsManager:
			return KindSecretsManager
		}
	}
	return ""
}

// Errors of vaults. Their texts say what to do and never hold a value.
var (
	// ErrUnavailable says that the vault may open the value later: it can't be
	// reached, refuses at the moment, or does not find its key.
	ErrUnavailable = errors.New("the vault is not available")
	// ErrForeign says that the value belongs to a vault that is not configured.
	ErrForeign = errors.New("the value was sealed by a vault that is not configured")
	// ErrNotRotatable says that the vault has no key of its own to rotate.
	ErrNotRotatable = errors.New("the vault has no key that could be rotated here")
)

// Vault keeps values. An owner is what values belong to, such as
// "credential/<id>"; owner and name together are the place to which a value is
// bound: moved elsewhere it does not open. Implementations are safe for
// concurrent use, bound every remote call in time, and answer from memory while
// they can.
type Vault interface {
	Kind() Kind
	// Seal keeps the values of an owner, all that it has at once, and returns
	// for each name what the database stores.
	Seal(ctx context.Context, owner string, values map[string]string) (map[string][]byte, error)
	// Open returns the value of which Seal returned sealed.
	Open(ctx context.Context, owner, name string, sealed []byte) (string, error)
	// Holds reports whether this vault sealed the value, with a key that it has.
	Holds(owner string, sealed []byte) bool
	// Fresh reports whether the value is sealed as Seal would seal it now: not
	// with a key from before the last Rotate.
	Fresh(owner string, sealed []byte) bool
	// Prepare makes the vault ready to seal. With rotate, values are sealed with
	// a new key from then on, and the old ones open the values that are not
	// Fresh until Retire.
	Prepare(ctx context.Context, rotate bool) error
	// Retire ends the keys from before the last Rotate. Nothing may be sealed
	// with them any more.
	Retire(ctx context.Context) error
	Status() Status
}

// Elsewhere is a vault that keeps the values itself.
type Elsewhere interface {
	Vault
	// Fetch reads the values of owners into memory: those that are not there
	// yet, or with anew all of them. What can't be read keeps its last value.
	Fetch(ctx context.Context, owners []string, anew bool) error
	// Remove deletes what the vault keeps for an owner, of which Seal returned
	// sealed. Removing what is not there is no error.
	Remove(ctx context.Context, owner string, sealed []byte) error
}

// Status is the state of a vault. No part of it is secret.
type Status struct {
	Kind Kind `json:"kind"`
	// Key names what values are sealed with: the id of the primary key of a
	// keyset, the ARN of a KMS key, the prefix of secrets.
	Key string `json:"key,omitempty"`
	// Passphrase tells of a local vault whether its keyset is encrypted.
	Passphrase bool `json:"passphrase,omitempty"`
	// Region is that of an AWS vault.
	Region string `json:"region,omitempty"`
	// LastSuccess is when the vault last did what it was asked.
	LastSuccess *time.Time `json:"lastSuccess,omitempty"`
	// Failing: the last that the vault was asked for failed.
	Failing bool `json:"failing"`
	// LastError is why it last did not, as a sentence, and LastErrorAt when.
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
}

// place is what a value is bound to.
func place(owner, name string) []byte { return []byte(owner + "/" + name) }
