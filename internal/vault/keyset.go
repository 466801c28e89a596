package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/crypto/argon2"
)

// Errors of the keyset file.
var (
	// ErrExposed says that others than the owner may read the keyset file.
	ErrExposed = errors.New("the keyset can be read by others")
	// ErrPassphrase says that the passphrase is missing, wrong, or not needed.
	ErrPassphrase = errors.New("the passphrase does not fit")
	// ErrMoved says that another process changed the file.
	ErrMoved = errors.New("the keyset file was changed by another process; start the gateway anew, then try again")
)

// The key of an encrypted keyset is derived as RFC 9106 recommends where memory
// is dear: Argon2id, 3 passes over 64 MiB, 4 lanes.
const (
	kdfName    = "argon2id"
	kdfTime    = 3
	kdfMemory  = 64 << 10 // KiB
	kdfThreads = 4
	kdfSalt    = 16
	kdfKey     = 32
	// What a file may ask for at most.
	maxKDFTime, maxKDFMemory = 64, 1 << 20
)

// kdf is how the key of an encrypted keyset is derived from the passphrase.
type kdf struct {
	Name    string `json:"name"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memoryKiB"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"` // base64
}

// encryptedFile is the form of a keyset file with a passphrase. Keyset is
// Tink's JSON form of an encrypted keyset (AES-256-GCM under the derived key).
// Without passphrase the file is Tink's JSON form of a keyset in clear.
type encryptedFile struct {
	KDF    kdf             `json:"kdf"`
	Keyset json.RawMessage `json:"keyset"`
}

func (k kdf) aead(passphrase string) (*subtle.AESGCM, error) {
	if k.Name != kdfName || k.Time < 1 || k.Time > maxKDFTime || k.Memory < 8 || k.Memory > maxKDFMemory ||
		k.Threads < 1 || len(k.Salt) < kdfSalt {
		return nil, errors.New("its key derivation is not one that this program knows; restore it from a backup")
	}
	return subtle.NewAESGCM(argon2.IDKey([]byte(passphrase), k.Salt, k.Time, k.Memory, k.Threads, kdfKey))
}

// decodeKeyset reads the content of a keyset file. Errors of Tink may quote the
// file, so they are not passed on.
func decodeKeyset(raw []byte, passphrase string) (*keyset.Handle, error) {
	var file encryptedFile
	if err := json.Unmarshal(raw, &file); err != nil || file.KDF.Name == "" {
		handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
		switch {
		case err != nil:
			return nil, errors.New("it is not a Tink keyset in JSON; restore it from a backup")
		case passphrase != "":
			return nil, fmt.Errorf("%w: the keyset has none yet; set it with sluice vault passphrase, or leave vault.passphrase out", ErrPassphrase)
		}
		return handle, nil
	}
	if passphrase == "" {
		return nil, fmt.Errorf("%w: the keyset has one; give it as vault.passphrase", ErrPassphrase)
	}
	key, err := file.KDF.aead(passphrase)
	if err != nil {
		return nil, err
	}
	handle, err := keyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Keyset)), key)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not the one that the keyset was encrypted with", ErrPassphrase)
	}
	return handle, nil
}

// encodeKeyset writes the content of a keyset file.
func encodeKeyset(handle *keyset.Handle, passphrase string) ([]byte, error) {
	var out bytes.Buffer
	if passphrase == "" {
		err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out))
		return out.Bytes(), err
	}
	file := encryptedFile{KDF: kdf{kdfName, kdfTime, kdfMemory, kdfThreads, make([]byte, kdfSalt)}}
	rand.Read(file.KDF.Salt) //nolint:errcheck // never fails: it ends the program instead
	key, err := file.KDF.aead(passphrase)
	if err != nil {
		return nil, err
	}
	if err := handle.Write(keyset.NewJSONWriter(&out), key); err != nil {
		return nil, err
	}
	file.Keyset = out.Bytes()
	return json.Marshal(file)
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

// createKeyset makes a new keyset where there is none: the link fails when
// another process was first, and the file is never seen half-written.
func createKeyset(path, passphrase string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("generating keyset: %w", err)
	}
	content, err := encodeKeyset(handle, passphrase)
	if err != nil {
		return fmt.Errorf("writing keyset: %w", err)
	}
	return withTemporary(path, content, func(tmp string) error {
		if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// swapKeyset replaces the file, unless it is no longer as it was. A lock on its
// folder keeps two processes from doing so at once.
func swapKeyset(path string, was, is []byte) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // it ends the lock too
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking the keyset's folder: %w", err)
	}
	now, err := readPrivate(path)
	if err != nil {
		return err
	}
	defer clear(now)
	if !bytes.Equal(now, was) {
		return ErrMoved
	}
	return withTemporary(path, is, func(tmp string) error { return os.Rename(tmp, path) })
}

// withTemporary writes content to a file beside path, durably, and calls put
// with its name.
func withTemporary(path string, content []byte, put func(tmp string) error) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keyset-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // nothing to do about it
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing keyset: %w", err)
	}
	if err := put(tmp.Name()); err != nil {
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
