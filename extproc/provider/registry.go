// Package provider knows every provider of models: what a target of each needs,
// how its calls are translated, and which routes of its own it has.
package provider

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/ai21labs"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/bedrock"
	"sluice/extproc/provider/cohere"
	"sluice/extproc/provider/databricks"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/litellm"
	"sluice/extproc/provider/mistral"
	"sluice/extproc/provider/mlflowserving"
	"sluice/extproc/provider/mosaicml"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/palm"
	"sluice/extproc/provider/portkey"
	"sluice/extproc/provider/sap"
	"sluice/extproc/provider/tgi"
	"sluice/extproc/provider/togetherai"
	"sluice/extproc/provider/typesafe"
	"sluice/extproc/provider/vertex"
)

// The shapes that callers of this package use; see package kit.
type (
	Target     = kit.Target
	Address    = kit.Address
	Upstream   = kit.Upstream
	Reply      = kit.Reply
	Call       = kit.Call
	Env        = kit.Env
	Provider   = kit.Provider
	Field      = kit.Field
	FieldError = kit.FieldError
)

// The endpoint types, in MLflow's words.
const (
	TypeChat        = kit.TypeChat
	TypeCompletions = kit.TypeCompletions
	TypeEmbeddings  = kit.TypeEmbeddings
)

// PracticeLocal is the name of the in-process server of the practice provider,
// as Address.Local.
const PracticeLocal = openai.PracticeLocal

const typePrefix = "llm/v1/"

// OperationOf is the operation that an endpoint type answers.
func OperationOf(endpointType string) dialect.Operation {
	return dialect.Operation(strings.TrimPrefix(endpointType, typePrefix))
}

// rows is the table of providers.
var rows = append(slices.Clip(direct), litellm.Row(direct))

// direct are all but those that stand for others.
var direct = slices.Concat(
	[]*Provider{openai.Provider, openai.Azure, openai.Practice, anthropic.Provider, gemini.Provider},
	openai.Compatible,
	[]*Provider{
		ai21labs.Provider, bedrock.Provider, cohere.Provider, databricks.Provider, mistral.Provider, mlflowserving.Provider, mosaicml.Provider,
		palm.Provider, portkey.Provider, sap.Provider, tgi.Provider, togetherai.Provider, typesafe.Provider, vertex.Provider,
	},
)

var table = index(rows)

// Lookup finds a provider by its id, as MLflow matches ids: case does not
// count, nor does '-' against '_'.
func Lookup(id string) (*Provider, bool) {
	p, ok := table[canonical(id)]
	return p, ok
}

// All returns every provider, sorted by id. The caller may keep the slice.
func All() []*Provider {
	all := append([]*Provider(nil), rows...)
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// AddressOf says where a target is reached. The error names the parameter
// that is wrong; a target that Check accepts has an address.
func AddressOf(t Target) (Address, error) {
	p, ok := Lookup(t.Provider)
	if !ok {
		return Address{}, fmt.Errorf("provider %q is not known", t.Provider)
	}
	return p.Address(t)
}

// Open begins one exchange with a target. The error is the client's: a call
// that the provider can't answer.
func Open(t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	p, ok := Lookup(t.Provider)
	if !ok {
		return nil, dialect.Internal()
	}
	if !answers(p, req.Operation) {
		return nil, kit.NotImplemented(p, req)
	}
	call, e := p.Open(p, t, req, env)
	if e != nil {
		return nil, e
	}
	return kit.Reframe(req, call), nil
}

// answers reports whether a provider has endpoints that take an operation.
func answers(p *Provider, op dialect.Operation) bool {
	return slices.ContainsFunc(p.Types, func(t string) bool { return op.Fits(OperationOf(t)) })
}

func canonical(id string) string { return strings.ReplaceAll(strings.ToLower(id), "-", "_") }

// index builds the table from the rows. Two rows with one id are a mistake of
// the program.
func index(rows []*Provider) map[string]*Provider {
	m := make(map[string]*Provider, len(rows))
	for _, p := range rows {
		for _, id := range append([]string{p.ID}, p.Aliases...) {
			if _, twice := m[canonical(id)]; twice {
				panic("provider " + id + " is in the table twice")
			}
			m[canonical(id)] = p
		}
	}
	return m
}

// Check says what is wrong with a target for an endpoint type (see
// kit.Provider.CheckTarget). An unknown provider is wrong too.
func Check(t Target, endpointType string) []FieldError {
	p, ok := Lookup(t.Provider)
	if !ok {
		return []FieldError{{Field: "provider", Message: "The provider '" + t.Provider + "' is not known."}}
	}
	return p.CheckTarget(t, endpointType)
}
