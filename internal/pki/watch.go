package pki

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// settle is how long the files must be quiet before they are read: a
// certificate and its key are rarely replaced in one moment.
const settle = 250 * time.Millisecond

// Watch calls fn each time the content of one of the files has changed, until
// ctx ends; it then returns nil. It sees files that are written in place,
// replaced by a rename, or reached by a symbolic link that is moved, as
// Kubernetes does with mounted secrets. fn is called by the goroutine of Watch.
func Watch(ctx context.Context, files []string, log *zap.Logger, fn func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching certificate files: %w", err)
	}
	defer func() { _ = w.Close() }()
	for _, dir := range folders(files) {
		if err := w.Add(dir); err != nil {
			return fmt.Errorf("watching certificate files in %s: %w", dir, err)
		}
	}
	last := digest(files)
	quiet := time.NewTimer(settle) // the files may have changed before the watch began
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			log.Warn("watching certificate files", zap.Error(err))
		case <-w.Events:
			quiet.Reset(settle)
		case <-quiet.C:
			if now := digest(files); now != last {
				last = now
				fn()
			}
		}
	}
}

// folders are those in which a change can replace one of the files: its own,
// and that of what it links to. A watch on the file itself would end with it.
func folders(files []string) []string {
	var dirs []string
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// digest is one hash over the contents of the files.
func digest(files []string) [sha256.Size]byte {
	h := sha256.New()
	for _, f := range files {
		b, err := os.ReadFile(f)
		fmt.Fprintf(h, "%s %t %x\n", f, err == nil, sha256.Sum256(b))
	}
	return [sha256.Size]byte(h.Sum(nil))
}
