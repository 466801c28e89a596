package policies

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// File is one file of a bundle.
type File struct {
	Path string `json:"path"` // inside the bundle
	Test bool   `json:"test"` // it decides nothing
	Text string `json:"text"`
}

// Files returns the files of a bundle as they are in force, sorted by path.
// ok is false where no bundle has the name.
func (e *Engine) Files(bundle string) (files []File, ok bool) {
	for _, b := range e.state.Load().bundles {
		if b.name != bundle {
			continue
		}
		files = make([]File, 0, len(b.files))
		for i := range b.files {
			f := &b.files[i]
			files = append(files, File{Path: f.path, Test: f.isTest(), Text: string(f.content)})
		}
		slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
		return files, true
	}
	return nil, false
}

// Check reads the sources anew, compiles them and runs their tests, as Check
// does of folders, and puts nothing into force.
func (e *Engine) Check(ctx context.Context) (Report, error) {
	bundles, err := readAll(e.opts.Sources)
	if err != nil {
		return Report{}, fmt.Errorf("checking policies: %w", err)
	}
	return check(ctx, bundles, e.opts.AllowNetwork)
}
