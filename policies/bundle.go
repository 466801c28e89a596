package policies

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

//go:embed bundle
var builtIn embed.FS

// What the built-in bundle is called where nobody names it, and its source.
const (
	builtInName   = "default"
	builtInSource = "built in"
)

// rawBundle is a bundle as it was read: nothing of it is compiled yet.
type rawBundle struct {
	name, source string
	files        []rawFile
	tested       bool // its tests are to be run, see Check
}

// rawFile is one file of a bundle.
type rawFile struct {
	path    string // inside the bundle, with slashes
	shown   string // in messages
	content []byte
}

func (f *rawFile) isRego() bool { return strings.HasSuffix(f.path, ".rego") }
func (f *rawFile) isTest() bool { return strings.HasSuffix(f.path, "_test.rego") }

// readBundle reads the Rego and data files of a source. Names that begin with
// a dot are left out: version control, a .manifest, and the folders behind the
// links of a Kubernetes ConfigMap.
func readBundle(s Source) (*rawBundle, error) {
	root, err := fs.FS(nil), error(nil)
	b := &rawBundle{name: s.Name, source: builtInSource}
	shown := func(p string) string { return path.Join(s.Name, p) }
	if s.Dir == "" {
		root, err = fs.Sub(builtIn, "bundle")
	} else {
		b.source = "dir:" + s.Dir
		shown = func(p string) string { return filepath.Join(s.Dir, filepath.FromSlash(p)) }
		root = os.DirFS(s.Dir)
		var info fs.FileInfo
		if info, err = os.Stat(s.Dir); err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "reading bundle", Path: s.Dir, Err: errors.New("it is not a directory")}
		}
	}
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		return b.add(root, p, shown(p))
	})
	if err != nil {
		return nil, err
	}
	if len(b.files) == 0 {
		return nil, fmt.Errorf("%s: there is no .rego file in it", shown("."))
	}
	return b, nil
}

func (b *rawBundle) add(root fs.FS, p, shown string) error {
	switch path.Ext(p) {
	case ".rego":
	case ".json", ".yaml", ".yml":
		if base := path.Base(p); strings.TrimSuffix(base, path.Ext(base)) != "data" {
			return fmt.Errorf("%s: data is read from files named data.json or data.yaml; their folders make the path below data", shown)
		}
	default:
		return nil // a README, an editor's file
	}
	if info, err := fs.Stat(root, p); err != nil || !info.Mode().IsRegular() {
		return err
	}
	content, err := fs.ReadFile(root, p)
	if err != nil {
		return err
	}
	b.files = append(b.files, rawFile{path: p, shown: shown, content: content})
	return nil
}

// status describes the bundle.
func (b *rawBundle) status() BundleStatus {
	st := BundleStatus{Name: b.name, Source: b.source, Revision: revision(b)}
	for i := range b.files {
		if !b.files[i].isTest() {
			st.Files++
		}
	}
	return st
}

// revision is a short hash of what decides: the path and content of every file
// but the tests. Neither the order nor the time of the files matters.
func revision(bundles ...*rawBundle) string {
	var lines []string
	for _, b := range bundles {
		for i := range b.files {
			if f := &b.files[i]; !f.isTest() {
				lines = append(lines, fmt.Sprintf("%x %s\n", sha256.Sum256(f.content), f.path))
			}
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:6])
}

// parse parses the Rego files, the tests where they are to be run. All faults
// of all files come back as one error.
func (b *rawBundle) parse() (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	var faults []error
	for i := range b.files {
		f := &b.files[i]
		if !f.isRego() || f.isTest() && !b.tested {
			continue
		}
		module, err := ast.ParseModuleWithOpts(f.shown, string(f.content), ast.ParserOptions{
			RegoVersion: ast.RegoV1, ProcessAnnotation: true,
		})
		if err != nil {
			faults = append(faults, explain(err))
			continue
		}
		modules[f.shown] = module
	}
	return modules, errors.Join(faults...)
}
