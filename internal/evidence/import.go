package evidence

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

	"github.com/klauspost/compress/zstd"

	"sluice/internal/audit"
	"sluice/internal/wholedir"
)

// Bounds on what an import unpacks, so that a file that was made to do harm
// fills neither memory nor the disk.
const (
	maxMembers = 20_000
	maxText    = 64 << 20 // bytes of a member that is no segment
	// A day of records shrinks to a tenth or less; what shrinks to less than this
	// share was made to.
	maxRatio  = 200
	freeRatio = 64 << 20 // bytes that are unpacked whatever the share
	maxMemory = 128 << 20
)

// Imported is what came of an import.
type Imported struct {
	Manifest Manifest `json:"manifest"`
	// Signed: the signature of the manifest was verified, with the keys that were
	// given or, where Own is set, with those in the file itself, which prove
	// nothing by themselves.
	Signed bool         `json:"signed"`
	Own    bool         `json:"own"`
	Report audit.Report `json:"report"` // of the chain
}

// Import reads evidence from r and makes the folder dir of it, which is a trail
// to audit.OpenRead and audit.VerifyDir. dir must be missing or empty; it appears
// whole or not at all. keys are public keys that are known from elsewhere, nil
// for none; with keys all has to be covered by their signatures, else the error is
// ErrUnproven. What is not as it was written is ErrDamaged, and named.
func Import(ctx context.Context, r io.Reader, dir string, keys []audit.PublicKey) (out Imported, err error) {
	const what = "the folder"
	if err := wholedir.Empty(what, dir); err != nil {
		return out, err
	}
	err = wholedir.Make(what, dir, ".import-", func(folder string) error {
		found, err := unpack(ctx, r, folder)
		if err != nil {
			return err
		}
		if out.Manifest, err = compare(folder, found); err != nil {
			return err
		}
		out.Own = keys == nil
		verify := func(signed bool) error {
			out.Report, err = audit.VerifyDirWith(ctx, folder, audit.VerifyOptions{Keys: keys, Signed: signed})
			if err != nil {
				return fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			if p := out.Report.Problem; p != nil {
				return fmt.Errorf("%w: %s at byte %d, record %d: %s", ErrDamaged, p.File, p.Offset, p.Sequence, p.Reason)
			}
			return nil
		}
		if err := verify(keys != nil); err != nil {
			reason := out.Report.Problem
			if keys == nil || reason == nil || verify(false) != nil {
				return err
			}
			return fmt.Errorf("%w: %s at byte %d, record %d: %s", ErrUnproven, reason.File, reason.Offset, reason.Sequence, reason.Reason)
		}
		out.Signed = out.Manifest.KeyID != "" && len(out.Report.Signatures.Keys) > 0
		return nil
	})
	return out, err
}

// counted counts what is read of the file.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// bounded refuses to unpack more than the file can honestly hold.
type bounded struct {
	ctx  context.Context //nolint:containedctx // lives as long as one import
	r    io.Reader
	file *counted
	n    int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > freeRatio+maxRatio*b.file.n {
		return 0, fmt.Errorf("%w: it unpacks to more than %d times its size", ErrDamaged, maxRatio)
	}
	return n, err
}

// unpack writes the members into the folder.
func unpack(ctx context.Context, r io.Reader, folder string) (found []File, err error) {
	file := &counted{r: r}
	packed, err := zstd.NewReader(file, zstd.WithDecoderMaxMemory(maxMemory), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer packed.Close()
	t := tar.NewReader(&bounded{ctx: ctx, r: packed, file: file})
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, damaged(ctx, "", err)
		}
		if len(found) == maxMembers {
			return nil, fmt.Errorf("%w: it has more than %d members", ErrDamaged, maxMembers)
		}
		f, err := unpackMember(ctx, folder, h, t)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
}

// damaged tells what the file is to blame for from what ends an import.
func damaged(ctx context.Context, name string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrDamaged):
		return err
	case name == "":
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
}

func known(name string) bool {
	return slices.Contains([]string{
		readmeName, checkName, keysName, sumsName, audit.HoldsFile, audit.IDsFile, audit.ExcerptName, audit.ExcerptSignature,
	}, name) || keyName.MatchString(name) || segmentName.MatchString(name)
}

func unpackMember(ctx context.Context, folder string, h *tar.Header, r io.Reader) (File, error) {
	switch {
	case h.Typeflag != tar.TypeReg || !known(h.Name):
		return File{}, fmt.Errorf("%w: it holds %q, which no evidence has", ErrDamaged, h.Name)
	case h.Size > maxText && !segmentName.MatchString(h.Name):
		return File{}, fmt.Errorf("%w: %s is too large", ErrDamaged, h.Name)
	}
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") { // holes cost the file nothing, and the disk all
			return File{}, fmt.Errorf("%w: %s has holes, which no evidence has", ErrDamaged, h.Name)
		}
	}
	w, err := os.OpenFile(filepath.Join(folder, h.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return File{}, fmt.Errorf("%w: it holds %s twice", ErrDamaged, h.Name)
	}
	if err != nil {
		return File{}, fmt.Errorf("writing %s: %w", h.Name, err)
	}
	sum := sha256.New()
	source := &failing{r: r}
	n, err := io.Copy(io.MultiWriter(w, sum), source)
	if source.err != nil {
		return File{}, errors.Join(damaged(ctx, h.Name, source.err), w.Close())
	}
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", h.Name, err)
	}
	return File{Name: h.Name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// failing keeps the error of reading apart from those of writing.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// compare holds what was unpacked against the manifest, and the manifest against
// itself.
func compare(folder string, found []File) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(folder, audit.ExcerptName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: it has no manifest; it was cut off", ErrDamaged)
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	switch {
	case err != nil:
		return m, fmt.Errorf("%w: its manifest can't be read", ErrDamaged)
	case m.Format > format:
		return m, fmt.Errorf("the evidence was written by a newer sluice (%s); import it with that one", m.Version)
	}
	found = slices.DeleteFunc(found, func(f File) bool { return f.Name == audit.ExcerptName || f.Name == audit.ExcerptSignature })
	for i, f := range m.Files {
		if i >= len(found) || found[i] != f {
			return m, fmt.Errorf("%w: %s is not as it was put in", ErrDamaged, f.Name)
		}
	}
	if len(found) > len(m.Files) {
		return m, fmt.Errorf("%w: it holds %s, which its manifest does not name", ErrDamaged, found[len(m.Files)].Name)
	}
	days := slices.DeleteFunc(found, func(f File) bool { return !segmentName.MatchString(f.Name) })
	if len(days) != len(m.Segments) || len(days) == 0 {
		return m, fmt.Errorf("%w: its manifest names %d days, and it holds %d", ErrDamaged, len(m.Segments), len(days))
	}
	for i, s := range m.Segments {
		if s.File != days[i].Name || s.Size != days[i].Size || s.File != s.Day+".log" {
			return m, fmt.Errorf("%w: %s is not as its manifest says", ErrDamaged, s.File)
		}
	}
	return m, nil
}
