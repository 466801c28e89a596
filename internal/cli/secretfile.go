package cli

import (
	"errors"
	"os"
	"path/filepath"
)

// secretFile becomes the file of its name when something is kept in it: only
// its owner can read it, also where a file was there that others could read.
type secretFile struct {
	name string
	tmp  *os.File
}

// newSecretFile makes sure that the file can be written, before there is
// something to be lost; nil for no name.
func newSecretFile(name string) (*secretFile, error) {
	if name == "" {
		return nil, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".sluice-*") // 0600
	if err != nil {
		return nil, err
	}
	return &secretFile{name: name, tmp: tmp}, nil
}

func (f *secretFile) keep(text string) error {
	_, err := f.tmp.WriteString(text)
	if err = errors.Join(err, f.tmp.Close()); err != nil {
		return err
	}
	return os.Rename(f.tmp.Name(), f.name)
}

// discard takes away what keep did not put in its place.
func (f *secretFile) discard() {
	if f != nil {
		_ = f.tmp.Close()
		_ = os.Remove(f.tmp.Name())
	}
}
