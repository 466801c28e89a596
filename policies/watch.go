package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// A reload waits until the files have been quiet for settle, and not longer
// than patience: an editor writes in several steps.
const (
	settle   = 100 * time.Millisecond
	patience = time.Second
)

// Watch reloads when something changes in the folders of the sources: a file
// written or renamed into place, a new subfolder, a folder or a link to one
// that is replaced whole. It returns when ctx ends, or with an error when
// nothing can be watched. It loads once at the beginning, so that no change
// since New is missed.
func (e *Engine) Watch(ctx context.Context) error {
	roots := e.roots()
	if len(roots) == 0 {
		<-ctx.Done()
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching policies: %w", err)
	}
	defer w.Close() //nolint:errcheck // the process goes on without it
	if err := follow(w, roots); err != nil {
		return fmt.Errorf("watching policies: %w", err)
	}
	e.reload()
	return e.listen(ctx, w, roots)
}

// roots are the folders to watch.
func (e *Engine) roots() []string {
	var roots []string
	for _, s := range e.opts.Sources {
		if s.Dir == "" {
			continue
		}
		dir, err := filepath.Abs(s.Dir)
		if err != nil {
			dir = filepath.Clean(s.Dir)
		}
		roots = append(roots, dir)
	}
	return roots
}

func (e *Engine) listen(ctx context.Context, w *fsnotify.Watcher, roots []string) error {
	quiet := time.NewTimer(0)
	<-quiet.C
	var first time.Time // of the changes not loaded yet; zero: none
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-w.Events:
			if !open {
				return errors.New("watching policies: the watcher has ended")
			}
			if !concerns(event, roots) {
				continue
			}
		case err, open := <-w.Errors:
			if !open {
				return errors.New("watching policies: the watcher has ended")
			}
			// Events may be lost (an overflow), so look at everything.
			e.opts.Log.Warn("watching policies", zap.Error(err))
		case <-quiet.C:
			first = time.Time{}
			// Follow before reading: what changes in between is told again.
			if err := follow(w, roots); err != nil {
				e.opts.Log.Warn("watching policies", zap.Error(err))
			}
			e.reload()
			continue
		}
		if first.IsZero() {
			first = time.Now()
		}
		quiet.Reset(min(settle, time.Until(first.Add(patience))))
	}
}

// reload is Reload for the watcher, which has told the log and Status of an
// error already.
func (e *Engine) reload() { _ = e.Reload() }

// concerns leaves out what happens beside a root in its parent folder, and
// changes of modes only.
func concerns(event fsnotify.Event, roots []string) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	return slices.ContainsFunc(roots, func(root string) bool {
		return event.Name == root || strings.HasPrefix(event.Name, root+string(filepath.Separator))
	})
}

// follow makes w watch every folder below the roots, and the parents of the
// roots, where a root that is replaced shows. Watches are made anew, since the
// folder behind a name may have been replaced.
func follow(w *fsnotify.Watcher, roots []string) error {
	for _, watched := range w.WatchList() {
		_ = w.Remove(watched) // one that is gone is what we want
	}
	for _, root := range roots {
		if err := w.Add(filepath.Dir(root)); err != nil {
			return err
		}
		err := filepath.WalkDir(root+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // the parent tells when it comes
			case err != nil:
				return err
			case d.IsDir():
				if err := w.Add(filepath.Clean(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
