package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Interface guards: whatever prints or marshals secrets goes through these.
var (
	_ fmt.Formatter  = Secrets{}
	_ fmt.GoStringer = Secrets{}
	_ json.Marshaler = Secrets{}
)

// Secrets are opened credentials by name. Printed or marshalled, they show
// their names only.
type Secrets map[string]string

// Names lists the names of the secrets, sorted.
func (s Secrets) Names() []string { return slices.Sorted(maps.Keys(s)) }

// String lists the names.
func (s Secrets) String() string { return "secrets(" + strings.Join(s.Names(), " ") + ")" }

// GoString lists the names.
func (s Secrets) GoString() string { return s.String() }

// Format writes the names, whatever the verb.
func (s Secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) } //nolint:errcheck // fmt.State keeps the error

// MarshalJSON writes the list of names.
func (s Secrets) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }
