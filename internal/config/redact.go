package config

import (
	"github.com/goccy/go-yaml/ast"

	"sluice/internal/redact"
)

// Redact sets what is taken out of bodies that are kept redacted.
type Redact struct {
	Detectors []string // names of detectors and of groups; none: all that are on by default
	Fields    []string // paths of JSON members that are replaced whole
}

// redactSection reads audit.redact.
func redactSection(into *Redact) func(*decoder, string, ast.Node) {
	return group(fields{
		"detectors": textsOf(&into.Detectors, redact.Names()),
		"fields": func(d *decoder, key string, n ast.Node) {
			texts(&into.Fields)(d, key, n)
			if _, err := redact.New(redact.Options{Fields: into.Fields}); err != nil {
				d.fail(n, key, err.Error())
			}
		},
	})
}
