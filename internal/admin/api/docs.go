package api

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"sync"
)

//go:embed *.go
var sources embed.FS

// Docs are the comments of this package's types ("User") and of their fields
// ("User.Kind"), each as one paragraph. The description of the REST API is made
// of them.
var Docs = sync.OnceValue(func() map[string]string {
	docs := map[string]string{}
	files, err := sources.ReadDir(".")
	if err != nil {
		panic(err) // the program's own data
	}
	for _, f := range files {
		text, err := sources.ReadFile(f.Name())
		if err != nil {
			panic(err)
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			panic(err)
		}
		for _, d := range tree.Decls {
			if types, ok := d.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				read(docs, types)
			}
		}
	}
	return docs
})

func read(docs map[string]string, types *ast.GenDecl) {
	for _, s := range types.Specs {
		spec := s.(*ast.TypeSpec)
		docs[spec.Name.Name] = paragraph(types.Doc, spec.Doc)
		shape, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range shape.Fields.List {
			for _, name := range f.Names {
				docs[spec.Name.Name+"."+name.Name] = paragraph(f.Doc, f.Comment)
			}
		}
	}
}

func paragraph(comments ...*ast.CommentGroup) string {
	var words []string
	for _, c := range comments {
		words = append(words, strings.Fields(c.Text())...)
	}
	return strings.Join(words, " ")
}
