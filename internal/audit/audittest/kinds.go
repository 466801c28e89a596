package audittest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var kindWord = regexp.MustCompile(`^[A-Z][a-z]+([A-Z][a-zA-Z]+)+$`)
var kindName = regexp.MustCompile(`^([kK]ind|Event|event)[A-Z]`)

// EventKinds lists the kinds of events that the code of the whole repository
// writes: constants that are called so, and literals that stand in the place of
// a kind.
func EventKinds(t testing.TB) []string {
	t.Helper()
	found := map[string]bool{}
	root := root()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "tools" || name == "e2e" || name == "bench") {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			kindsAt(n, found)
			return true
		})
		return nil
	})
	require.NoError(t, err)
	out := []string{}
	for kind := range found {
		out = append(out, kind)
	}
	slices.Sort(out)
	// That these are found shows that each way of writing a kind is seen.
	for _, sure := range []string{"TrailTailCut", "CreateCredential", "MigrateVault", "ActivatePolicy", "StartGateway", "UpdateUser", "SignOut"} {
		require.Contains(t, out, sure)
	}
	return slices.DeleteFunc(out, func(kind string) bool { return kind == "AccessEndpoint" || kind == "DenyEndpoint" })
}

func kindsAt(n ast.Node, found map[string]bool) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if kindName.MatchString(name.Name) && i < len(n.Values) {
				addKind(n.Values[i], found)
			}
		}
	case *ast.KeyValueExpr:
		if key, is := n.Key.(*ast.Ident); is && key.Name == "Kind" {
			addKind(n.Value, found)
		}
	case *ast.AssignStmt:
		if sel, is := n.Lhs[0].(*ast.SelectorExpr); is && sel.Sel.Name == "Kind" {
			addKind(n.Rhs[0], found)
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if strings.HasSuffix(strings.ToLower(name), "event") && len(n.Args) > 0 {
			addKind(n.Args[0], found)
		}
	}
}

func addKind(e ast.Expr, found map[string]bool) {
	lit, is := e.(*ast.BasicLit)
	if !is || lit.Kind != token.STRING {
		return
	}
	if word, err := strconv.Unquote(lit.Value); err == nil && kindWord.MatchString(word) {
		found[word] = true
	}
}
