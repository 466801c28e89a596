// Package wholedir makes a folder that appears whole or not at all.
package wholedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotEmpty says that there is something already where a folder is to be made.
var ErrNotEmpty = errors.New("not empty")

// Empty returns an error that wraps ErrNotEmpty unless dir is missing or empty.
// what names the folder in errors, e.g. "the data folder".
func Empty(what, dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at %s: %w", what, err)
	case len(entries) > 0:
		return fmt.Errorf("%s is %w: %s; give another one, or move it away", what, ErrNotEmpty, dir)
	}
	return nil
}

// Make fills a folder (0700) beside dir, and puts it in place of dir, which must
// be missing or empty. An error of fill is returned as it is, and leaves nothing
// behind. prefix begins the name of the folder while it is filled.
func Make(what, dir, prefix string, fill func(folder string) error) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	folder, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // renamed, or of no use
	if err := fill(folder); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making %s: %w", what, err)
	}
	if err := os.Rename(folder, dir); err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	return nil
}
