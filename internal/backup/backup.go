// Package backup writes the data folder of a gateway into one file, also while
// the gateway runs, and makes a data folder of such a file.
//
// The file is a tar archive, compressed with zstd. Its last entry,
// manifest.json, has the SHA-256 of every other, so that a file that was cut or
// changed is found out. With a passphrase the whole is encrypted in the age
// format (age-encryption.org/v1) and holds the secrets too: the keyset that
// opens sealed credentials, and the private keys of the CA and the listener.
// Without one these are left out, and the file gives away no credential.
//
// Not in it: tokens in files, which the next start makes anew, and the trail's
// index, which is made again.
package backup

import (
	"archive/tar"
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
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/state"
)

// Names within the data folder.
const (
	database     = "sluice.db"
	usage        = "usage.db"
	trail        = "audit"
	trailHead    = "audit/head.json"
	manifestName = "manifest.json"
)

// Files of the data folder besides the database and the trail. Those that are
// secret go into encrypted backups only, and so do certificates, which without
// their keys a gateway does not start with.
var (
	plainFiles  = []string{"oidc.json"}
	secretFiles = []string{"ca.pem", "ca.key", "server.pem", "server.key", "vault.keyset"}
)

// format is the version of the layout.
const format = 1

// Options say what goes into a backup.
type Options struct {
	Data       string // the data folder
	Passphrase string // "": not encrypted, and without secrets
	NoTrail    bool   // leaves the audit trail out
	Version    string // of this program, for the manifest
	Now        time.Time
}

// Manifest says what is in a backup.
type Manifest struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	Version string    `json:"version"` // of the program that wrote it
	Secrets bool      `json:"secrets"` // keyset and private keys are in it
	Trail   bool      `json:"trail"`   // the audit trail is in it
	Files   []File    `json:"files"`
}

// File is one file of the data folder.
type File struct {
	Name   string `json:"name"` // within the data folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Write writes a backup to w and returns what is in it.
func Write(ctx context.Context, w io.Writer, o Options) (Manifest, error) {
	m := Manifest{Format: format, Created: o.Now.UTC(), Version: o.Version, Secrets: o.Passphrase != "", Trail: !o.NoTrail}
	sealed, err := seal(w, o.Passphrase)
	if err != nil {
		return m, err
	}
	packed, err := zstd.NewWriter(sealed)
	if err != nil {
		return m, fmt.Errorf("compressing the backup: %w", err)
	}
	a := &archive{ctx: ctx, tar: tar.NewWriter(packed), manifest: &m, data: o.Data}
	if err := a.all(o); err != nil {
		return m, err
	}
	if err := a.close(); err != nil {
		return m, err
	}
	if err := errors.Join(packed.Close(), sealed.Close()); err != nil {
		return m, fmt.Errorf("writing the backup: %w", err)
	}
	return m, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func seal(w io.Writer, passphrase string) (io.WriteCloser, error) {
	if passphrase == "" {
		return nopCloser{w}, nil
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	return sealed, nil
}

// archive is a backup that is being written.
type archive struct {
	ctx      context.Context //nolint:containedctx // lives as long as one Write
	tar      *tar.Writer
	manifest *Manifest
	data     string
}

func (a *archive) all(o Options) error {
	if err := a.databases(); err != nil {
		return err
	}
	files := plainFiles
	if o.Passphrase != "" {
		files = slices.Concat(plainFiles, secretFiles)
	}
	for _, name := range files {
		if err := a.file(name, filepath.Join(a.data, name), true); err != nil {
			return err
		}
	}
	if o.NoTrail {
		return nil
	}
	return a.trail()
}

// databases takes copies that are whole, whatever the gateway writes meanwhile.
// Usage is counted from the trail, but kept for longer.
func (a *archive) databases() error {
	folder, err := os.MkdirTemp(a.data, ".backup-") // 0700, and on a disk with room
	if err != nil {
		return fmt.Errorf("copying the databases: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a next start's backup does not mind it
	for _, name := range []string{database, usage} {
		from, copied := filepath.Join(a.data, name), filepath.Join(folder, name)
		err := state.Copy(a.ctx, from, copied)
		if name == usage && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = a.file(name, copied, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// trail takes the head first: the segments may only be longer than it says.
func (a *archive) trail() error {
	if err := a.file(trailHead, filepath.Join(a.data, trailHead), true); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(a.data, trail))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("listing the trail: %w", err)
	}
	for _, e := range entries { // sorted: the days in their order
		name := e.Name()
		if !e.Type().IsRegular() || name == "lock" || name == "reading.lock" || name == "head.json" ||
			strings.Contains(name, ".db") || strings.HasSuffix(name, ".names") || strings.HasPrefix(name, ".") {
			continue
		}
		// A partition that retention drops meanwhile is no loss.
		if err := a.file(trail+"/"+name, filepath.Join(a.data, trail, name), true); err != nil {
			return err
		}
	}
	return nil
}

// file adds the file at path, as long as it is now. optional: it may be missing.
func (a *archive) file(name, path string, optional bool) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := a.header(name, info.Size()); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, sum), io.LimitReader(f, info.Size()))
	if err == nil && n != info.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("writing %s into the backup: %w", name, err)
	}
	a.manifest.Files = append(a.manifest.Files, File{Name: name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (a *archive) header(name string, size int64) error {
	err := a.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg, ModTime: a.manifest.Created, Format: tar.FormatPAX})
	if err != nil {
		return fmt.Errorf("writing %s into the backup: %w", name, err)
	}
	return nil
}

func (a *archive) close() error {
	text, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := a.header(manifestName, int64(len(text))); err != nil {
		return err
	}
	_, err = a.tar.Write(text)
	if err = errors.Join(err, a.tar.Close()); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return nil
}
