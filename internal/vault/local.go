package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var _ Vault = (*Local)(nil)

// ErrExposed says that others than the owner may read the keyset file.
var ErrExposed = errors.New("the keyset can be read by others")

// Local seals with AES-256-GCM under a Tink keyset that is kept, in clear and
// readable by its owner only, in a file: whoever has both the file and the
// database has the credentials, so back them up apart. The file is in Tink's
// JSON format and may be rotated with tinkey.
type Local struct{ primitive tink.AEAD }

// OpenLocal opens the keyset at path, and makes a new one (0600, in a 0700
// folder) when there is none. When several processes start at once, one
// keyset wins and all use it. A file that others may read is refused with
// ErrExposed.
func OpenLocal(path string) (*Local, error) {
	b, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path); err == nil {
			b, err = readPrivate(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening vault keyset %s: %w", path, err)
	}
	defer clear(b)
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		// Tink's error may quote the file, so it is not passed on.
		return nil, fmt.Errorf("opening vault keyset %s: it is not a Tink keyset in JSON; restore it from a backup", path)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("opening vault keyset %s: it is not a keyset for AEAD: %w", path, err)
	}
	return &Local{primitive: primitive}, nil
}

// Seal encrypts plaintext and binds it to context.
func (l *Local) Seal(plaintext []byte, context string) ([]byte, error) {
	sealed, err := l.primitive.Encrypt(plaintext, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", context, err)
	}
	return sealed, nil
}

// Open decrypts what Seal returned for the same context.
func (l *Local) Open(sealed []byte, context string) ([]byte, error) {
	plaintext, err := l.primitive.Decrypt(sealed, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", context, err)
	}
	return plaintext, nil
}

func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: its mode is %04o; if nobody else had access, set it to 0600", ErrExposed, mode)
	}
	return os.ReadFile(path)
}

// create writes a new keyset to a temporary file and links it into place: the
// link fails when another process was first, and the file is never seen
// half-written.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("generating keyset: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".keyset-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // nothing to do about it
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(tmp))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing keyset: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name durable: a keyset lost in a power cut would take
// every credential sealed with it along.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
