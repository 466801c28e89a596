package vault

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

var _ Elsewhere = (*Set)(nil)

// Set is the vault that seals, and those before it whose values still open. It
// is a Vault itself, and can be given other vaults while it is used.
type Set struct{ vaults atomic.Pointer[[]Vault] } // the first seals

// NewSet makes a set of one or more vaults, of which the first seals.
func NewSet(current Vault, previous ...Vault) *Set {
	s := &Set{}
	s.Use(current, previous...)
	return s
}

// Use puts other vaults in the place of those of the set.
func (s *Set) Use(current Vault, previous ...Vault) {
	all := append([]Vault{current}, previous...)
	s.vaults.Store(&all)
}

func (s *Set) all() []Vault { return *s.vaults.Load() }

// Current is the vault that seals.
func (s *Set) Current() Vault { return s.all()[0] }

// Previous are the vaults that only open.
func (s *Set) Previous() []Vault { return s.all()[1:] }

// Kind is that of the current vault.
func (s *Set) Kind() Kind { return s.Current().Kind() }

// Seal seals with the current vault.
func (s *Set) Seal(ctx context.Context, owner string, values map[string]string) (map[string][]byte, error) {
	return s.Current().Seal(ctx, owner, values)
}

// Open opens with the vault that sealed the value. Where several are of its
// kind, each is tried. A value of a kind that is not in the set is ErrForeign.
func (s *Set) Open(ctx context.Context, owner, name string, sealed []byte) (string, error) {
	kind := KindOf(sealed)
	var first error
	for _, v := range s.all() {
		if v.Kind() != kind {
			continue
		}
		value, err := v.Open(ctx, owner, name, sealed)
		if err == nil {
			return value, nil
		}
		// That one can't be reached now says more than that another has no key.
		if first == nil || !errors.Is(first, ErrUnavailable) && errors.Is(err, ErrUnavailable) {
			first = err
		}
	}
	switch {
	case first != nil:
		return "", first
	case kind == "":
		return "", fmt.Errorf("opening %s: it is not a sealed value", place(owner, name))
	}
	return "", fmt.Errorf("opening %s: %w: name %s under vault.previous", place(owner, name), ErrForeign, kind)
}

// Holds is the current vault's.
func (s *Set) Holds(owner string, sealed []byte) bool { return s.Current().Holds(owner, sealed) }

// Fresh is the current vault's.
func (s *Set) Fresh(owner string, sealed []byte) bool { return s.Current().Fresh(owner, sealed) }

// Prepare is the current vault's.
func (s *Set) Prepare(ctx context.Context, rotate bool) error {
	return s.Current().Prepare(ctx, rotate)
}

// Retire is the current vault's.
func (s *Set) Retire(ctx context.Context) error { return s.Current().Retire(ctx) }

// Status is the current vault's.
func (s *Set) Status() Status { return s.Current().Status() }

// Fetch lets each vault that keeps values elsewhere read those of the owners.
func (s *Set) Fetch(ctx context.Context, owners []string, anew bool) error {
	var errs []error
	for _, v := range s.all() {
		if e, ok := v.(Elsewhere); ok {
			errs = append(errs, e.Fetch(ctx, owners, anew))
		}
	}
	return errors.Join(errs...)
}

// Remove removes what a vault of the set keeps elsewhere.
func (s *Set) Remove(ctx context.Context, owner string, sealed []byte) error {
	for _, v := range s.all() {
		if e, ok := v.(Elsewhere); ok && v.Holds(owner, sealed) {
			return e.Remove(ctx, owner, sealed)
		}
	}
	return fmt.Errorf("removing %s: %w: name %s under vault.previous", owner, ErrForeign, KindOf(sealed))
}

// IsElsewhere reports whether a stored value is a reference to a vault that
// keeps the value itself.
func IsElsewhere(sealed []byte) bool { return KindOf(sealed) == KindSecretsManager }

// SealsElsewhere reports whether a vault keeps what it seals itself, so that
// sealing takes a call.
func SealsElsewhere(v Vault) bool { return v.Kind() == KindSecretsManager }
