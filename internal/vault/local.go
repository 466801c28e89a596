package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var _ Vault = (*Local)(nil)

// Local seals with AES-256-GCM under a Tink keyset that is kept in a file,
// readable by its owner only: in clear, or encrypted with a key that Argon2id
// makes of a passphrase. Whoever has the file (and the passphrase) and the
// database has the credentials, so back them up apart.
type Local struct {
	path, passphrase string

	mu        sync.RWMutex // guards the following fields
	raw       []byte       // content of the file
	handle    *keyset.Handle
	primitive tink.AEAD
	primary   uint32
	enabled   map[uint32]bool
	worked    time.Time
}

// OpenLocal opens the keyset at path without a passphrase (see
// OpenLocalWithPassphrase).
func OpenLocal(path string) (*Local, error) { return OpenLocalWithPassphrase(path, "") }

// OpenLocalWithPassphrase opens the keyset at path, and makes a new one (0600,
// in a 0700 folder) when there is none. When several processes start at once,
// one keyset wins and all use it. A file that others may read is refused with
// ErrExposed; a passphrase that is missing, wrong or not needed with
// ErrPassphrase. An empty passphrase is none.
func OpenLocalWithPassphrase(path, passphrase string) (*Local, error) {
	b, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createKeyset(path, passphrase); err == nil {
			b, err = readPrivate(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening vault keyset %s: %w", path, err)
	}
	handle, err := decodeKeyset(b, passphrase)
	if err != nil {
		return nil, fmt.Errorf("opening vault keyset %s: %w", path, err)
	}
	l := &Local{path: path, passphrase: passphrase}
	if err := l.use(b, handle); err != nil {
		return nil, fmt.Errorf("opening vault keyset %s: it is not a keyset for AEAD: %w", path, err)
	}
	return l, nil
}

// SetPassphrase encrypts the keyset at path with a new passphrase in place of
// the current one; an empty one is none. It may be called while a gateway runs,
// which goes on with the key that it has in memory.
func SetPassphrase(path, current, next string) error {
	raw, err := readPrivate(path)
	if err != nil {
		return fmt.Errorf("opening vault keyset %s: %w", path, err)
	}
	defer clear(raw)
	handle, err := decodeKeyset(raw, current)
	if err != nil {
		return fmt.Errorf("opening vault keyset %s: %w", path, err)
	}
	content, err := encodeKeyset(handle, next)
	if err != nil {
		return fmt.Errorf("encrypting vault keyset %s: %w", path, err)
	}
	if err := swapKeyset(path, raw, content); err != nil {
		return fmt.Errorf("writing vault keyset %s: %w", path, err)
	}
	return nil
}

// use puts a keyset in force. Called with mu held, or before l is shared.
func (l *Local) use(raw []byte, handle *keyset.Handle) error {
	primitive, err := aead.New(handle)
	if err != nil {
		return err
	}
	enabled := map[uint32]bool{}
	for _, k := range handle.KeysetInfo().GetKeyInfo() {
		if k.GetStatus().String() == "ENABLED" {
			enabled[k.GetKeyId()] = true
		}
	}
	l.raw, l.handle, l.primitive, l.enabled = raw, handle, primitive, enabled
	l.primary = handle.KeysetInfo().GetPrimaryKeyId()
	return nil
}

// Kind is KindLocal.
func (l *Local) Kind() Kind { return KindLocal }

// Seal encrypts each value and binds it to owner and name.
func (l *Local) Seal(_ context.Context, owner string, values map[string]string) (map[string][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string][]byte, len(values))
	for name, value := range values {
		sealed, err := l.primitive.Encrypt([]byte(value), place(owner, name))
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", place(owner, name), err)
		}
		out[name] = sealed
	}
	l.worked = time.Now()
	return out, nil
}

// Open decrypts what Seal returned for the same owner and name.
func (l *Local) Open(_ context.Context, owner, name string, sealed []byte) (string, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	plaintext, err := l.primitive.Decrypt(sealed, place(owner, name))
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", place(owner, name), err)
	}
	return string(plaintext), nil
}

// keyID is the id of the key that sealed a value, which Tink puts before it.
func keyID(sealed []byte) (uint32, bool) {
	if KindOf(sealed) != KindLocal || len(sealed) < 5 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:]), true
}

// Holds reports whether a key of the keyset sealed the value.
func (l *Local) Holds(_ string, sealed []byte) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	id, ok := keyID(sealed)
	return ok && l.enabled[id]
}

// Fresh reports whether the primary key sealed the value.
func (l *Local) Fresh(_ string, sealed []byte) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	id, ok := keyID(sealed)
	return ok && id == l.primary
}

// Prepare has nothing to do, or with rotate adds a new primary key to the
// keyset, which is in the file before it is used.
func (l *Local) Prepare(_ context.Context, rotate bool) error {
	if !rotate {
		return nil
	}
	return l.change("rotating", func(m *keyset.Manager, _ *keyset.Handle) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// Retire disables every key but the primary one, and then removes them: a
// process that ends between the two leaves keys that open nothing.
func (l *Local) Retire(context.Context) error {
	others := func(do func(*keyset.Manager, uint32) error, which string) func(*keyset.Manager, *keyset.Handle) error {
		return func(m *keyset.Manager, h *keyset.Handle) error {
			for _, k := range h.KeysetInfo().GetKeyInfo() {
				if k.GetKeyId() == h.KeysetInfo().GetPrimaryKeyId() || k.GetStatus().String() != which {
					continue
				}
				if err := do(m, k.GetKeyId()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := l.change("disabling keys of", others((*keyset.Manager).Disable, "ENABLED")); err != nil {
		return err
	}
	return l.change("removing keys from", others((*keyset.Manager).Delete, "DISABLED"))
}

// change changes the keyset, in the file and then in memory.
func (l *Local) change(what string, do func(*keyset.Manager, *keyset.Handle) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := keyset.NewManagerFromHandle(l.handle)
	err := do(m, l.handle)
	var handle *keyset.Handle
	if err == nil {
		handle, err = m.Handle()
	}
	var content []byte
	if err == nil {
		content, err = encodeKeyset(handle, l.passphrase)
	}
	if err == nil {
		err = swapKeyset(l.path, l.raw, content)
	}
	if err == nil {
		err = l.use(content, handle)
	}
	if err != nil {
		return fmt.Errorf("%s the vault keyset: %w", what, err)
	}
	l.worked = time.Now()
	return nil
}

// Status tells the primary key.
func (l *Local) Status() Status {
	l.mu.RLock()
	defer l.mu.RUnlock()
	st := Status{Kind: KindLocal, Key: fmt.Sprintf("%d", l.primary), Passphrase: l.passphrase != ""}
	if !l.worked.IsZero() {
		worked := l.worked.UTC()
		st.LastSuccess = &worked
	}
	return st
}
