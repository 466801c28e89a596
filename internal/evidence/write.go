package evidence

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/audit"
)

//go:embed README.txt
var readme string

//go:embed check.py
var checker string

// Write writes the days of x to w, and returns what is in the file. It needs the
// same memory for any number of days.
func Write(ctx context.Context, w io.Writer, x *audit.OpenExcerpt, o Options) (Manifest, error) {
	m := Manifest{
		Format: format, Created: o.Now.UTC(), By: o.By, Version: o.Version,
		From: o.From.UTC().Format(time.DateOnly), To: o.To.UTC().Format(time.DateOnly), Excerpt: x.Excerpt,
	}
	// Most of it is compressed already.
	packed, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return m, fmt.Errorf("compressing the evidence: %w", err)
	}
	a := &archive{ctx: ctx, tar: tar.NewWriter(packed), manifest: &m}
	err = a.members(x, o)
	if err == nil {
		err = a.seal(o)
	}
	if err != nil {
		return m, err
	}
	if err := errors.Join(a.tar.Close(), packed.Close()); err != nil {
		return m, fmt.Errorf("writing the evidence: %w", err)
	}
	return m, nil
}

// archive is a file that is being written.
type archive struct {
	ctx      context.Context //nolint:containedctx // lives as long as one Write
	tar      *tar.Writer
	manifest *Manifest
}

func (a *archive) members(x *audit.OpenExcerpt, o Options) error {
	if err := a.text(readmeName, readme); err != nil {
		return err
	}
	if err := a.text(checkName, checker); err != nil {
		return err
	}
	if err := a.json(audit.HoldsFile, nonNil(o.Holds)); err != nil {
		return err
	}
	if err := a.json(keysName, nonNil(o.Keys)); err != nil {
		return err
	}
	if x.IDs != nil {
		if err := a.text(audit.IDsFile, string(x.IDs)); err != nil {
			return err
		}
	}
	for _, k := range o.Keys {
		text, err := pemOf(k.Key)
		if err == nil {
			err = a.text("key-"+k.ID+".pem", text)
		}
		if err != nil {
			return err
		}
	}
	for n, s := range x.Segments {
		if err := a.member(s.File, s.Size, x.Segment(n)); err != nil {
			return err
		}
	}
	sums := &strings.Builder{}
	for _, f := range a.manifest.Files {
		fmt.Fprintf(sums, "%s  %s\n", f.SHA256, f.Name)
	}
	return a.text(sumsName, sums.String())
}

func nonNil[T any](list []T) []T { return append([]T{}, list...) }

// pemOf is a public key as other programs read it.
func pemOf(key []byte) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key))
	if err != nil {
		return "", fmt.Errorf("encoding a public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// seal writes the manifest and its signature.
func (a *archive) seal(o Options) error {
	if o.Key != nil {
		a.manifest.KeyID = o.KeyID
	}
	text, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	text = append(text, '\n')
	files := a.manifest.Files // it does not name itself
	if err := a.text(audit.ExcerptName, string(text)); err != nil {
		return err
	}
	if o.Key != nil {
		signature, err := o.Key.Sign(nil, text, crypto.Hash(0))
		if err != nil {
			return fmt.Errorf("signing the manifest: %w", err)
		}
		if err := a.text(audit.ExcerptSignature, string(signature)); err != nil {
			return err
		}
	}
	a.manifest.Files = files
	return nil
}

func (a *archive) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	return a.text(name, string(text)+"\n")
}

func (a *archive) text(name, text string) error {
	return a.member(name, int64(len(text)), bytes.NewReader([]byte(text)))
}

// member adds size bytes of r.
func (a *archive) member(name string, size int64, r io.Reader) error {
	err := a.tar.WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg, ModTime: a.manifest.Created, Format: tar.FormatPAX,
	})
	sum := sha256.New()
	var n int64
	if err == nil {
		n, err = io.Copy(io.MultiWriter(a.tar, sum), &stoppable{a.ctx, io.LimitReader(r, size)})
	}
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("writing %s into the evidence: %w", name, err)
	}
	a.manifest.Files = append(a.manifest.Files, File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// stoppable ends reading when its context does.
type stoppable struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}
