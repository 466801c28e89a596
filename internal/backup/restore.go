package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/audit"
	"sluice/internal/wholedir"
)

// Errors of Restore.
var (
	ErrPassphrase = errors.New("the passphrase is wrong, or the backup needs one")
	ErrDamaged    = errors.New("the backup is damaged, or none")
	ErrNotEmpty   = wholedir.ErrNotEmpty
)

// dataFolder is what errors call it.
const dataFolder = "the data folder"

// magic begins a file in the age format.
const magic = "age-encryption.org/v1"

// maxManifest bounds the manifest, in bytes.
const maxManifest = 16 << 20

// trailFile is what a file of the trail may be called.
var trailFile = regexp.MustCompile(`^audit/[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)

// Restore reads a backup from r and makes the data folder of it. The folder must
// be missing or empty; it appears whole or not at all. What is damaged is
// ErrDamaged, and leaves nothing behind.
func Restore(ctx context.Context, r io.Reader, data, passphrase string) (Manifest, error) {
	if err := wholedir.Empty(dataFolder, data); err != nil {
		return Manifest{}, err
	}
	plain, err := open(r, passphrase)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	err = wholedir.Make(dataFolder, data, ".restore-", func(folder string) error {
		if m, err = unpack(ctx, plain, folder); err != nil {
			return err
		}
		// What the trail goes on with is not what was recorded behind the backup.
		mark := filepath.Join(folder, trail, audit.RestoredFile)
		if err := os.WriteFile(mark, nil, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("marking the trail as restored: %w", err)
		}
		return nil
	})
	return m, err
}

// open undoes the encryption, if there is one.
func open(r io.Reader, passphrase string) (io.Reader, error) {
	b := bufio.NewReader(r)
	begin, err := b.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	if !bytes.Equal(begin, []byte(magic)) {
		return b, nil
	}
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	plain, err := age.Decrypt(b, identity)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, ErrPassphrase
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}

// unpack writes the files into the folder and holds them against the manifest.
func unpack(ctx context.Context, plain io.Reader, folder string) (m Manifest, err error) {
	packed, err := zstd.NewReader(plain)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer packed.Close()
	t := tar.NewReader(packed)
	var found []File
	for {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return m, fmt.Errorf("%w: it has no manifest; it was cut off", ErrDamaged)
		}
		if err != nil {
			return m, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if h.Name == manifestName {
			if m, err = readManifest(t); err == nil {
				err = compare(m.Files, found)
			}
			return m, err
		}
		f, err := writeFile(folder, h, t)
		if err != nil {
			return m, err
		}
		found = append(found, f)
	}
}

func known(name string) bool {
	return name == database || name == usage || slices.Contains(plainFiles, name) || slices.Contains(secretFiles, name) ||
		trailFile.MatchString(name) && !strings.Contains(name, "..")
}

func writeFile(folder string, h *tar.Header, r io.Reader) (File, error) {
	if h.Typeflag != tar.TypeReg || !known(h.Name) {
		return File{}, fmt.Errorf("%w: it holds %q, which no data folder has", ErrDamaged, h.Name)
	}
	path := filepath.Join(folder, filepath.FromSlash(h.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", h.Name, err)
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return File{}, fmt.Errorf("writing %s: %w", h.Name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), r)
	if err != nil {
		return File{}, errors.Join(fmt.Errorf("%w: %s: %w", ErrDamaged, h.Name, err), w.Close())
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", h.Name, err)
	}
	return File{Name: h.Name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func readManifest(r io.Reader) (m Manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	switch {
	case err != nil:
		return m, fmt.Errorf("%w: its manifest can't be read", ErrDamaged)
	case m.Format > format:
		return m, fmt.Errorf("the backup was written by a newer sluice (%s); restore it with that one", m.Version)
	}
	return m, nil
}

// compare holds what was found against the manifest.
func compare(want, found []File) error {
	if slices.Equal(want, found) {
		return nil
	}
	for i, f := range want {
		if i >= len(found) || found[i] != f {
			return fmt.Errorf("%w: %s is not as it was written", ErrDamaged, f.Name)
		}
	}
	return fmt.Errorf("%w: it holds more than its manifest says", ErrDamaged)
}
