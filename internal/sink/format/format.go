// Package format renders records of the trail as the receivers of sinks want
// them: as the record's own JSON, as events of the Open Cybersecurity Schema
// Framework, or in the Common Event Format. Every format is one line of text.
package format

import "sluice/internal/audit"

// Names of the formats, as the configuration has them.
const (
	NameSluice = "sluice" // the record's own JSON
	NameOCSF   = "ocsf"   // Open Cybersecurity Schema Framework 1.6
	NameCEF    = "cef"    // ArcSight Common Event Format
)

// Func appends the record to dst, as one line without its end. The record's
// bodies are those that the sink's settings let out. With an error dst is as it
// was; what the record holds is not in the error.
type Func func(dst []byte, r *audit.Record) ([]byte, error)

// formats are the formats by name.
var formats = map[string]Func{
	NameSluice: Sluice,
	NameOCSF:   OCSF,
	NameCEF:    CEF,
}

// Named returns the format of a name, a Name constant; false where
// there is none of that name.
func Named(name string) (Func, bool) {
	f, known := formats[name]
	return f, known
}

// Sluice is the record's own JSON, as the REST API shows it.
func Sluice(dst []byte, r *audit.Record) ([]byte, error) { return r.AppendJSON(dst) }
