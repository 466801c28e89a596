package provider

import (
	"fmt"
	"net/http"
	"sort"
	"strings"

	"sluice/extproc/dialect"
)

// The endpoint types a provider can answer, in MLflow's words.
const (
	TypeChat        = "llm/v1/chat"
	TypeCompletions = "llm/v1/completions"
	TypeEmbeddings  = "llm/v1/embeddings"
)

const typePrefix = "llm/v1/"

// OperationOf is the operation that an endpoint type answers.
func OperationOf(endpointType string) dialect.Operation {
	return dialect.Operation(strings.TrimPrefix(endpointType, typePrefix))
}

// rows is the table of providers. A provider with OpenAI's API is one row.
var rows = []*Provider{
	openAI("openai", "OpenAI", "openai"),
	openAI("azure", "Azure OpenAI", "azure"),
	anthropic,
	practice,
	compatible("groq", "Groq", "https://api.groq.com/openai/v1"),
	compatible("deepseek", "DeepSeek", "https://api.deepseek.com/v1"),
	compatible("xai", "xAI", "https://api.x.ai/v1"),
	compatible("openrouter", "OpenRouter", "https://openrouter.ai/api/v1"),
	ollama(),
}

var table = index(rows)

// Provider is one row of the table of providers. It is immutable.
type Provider struct {
	ID     string              // canonical, e.g. "openai"
	Title  string              // for people, e.g. "OpenAI"
	Fields []Field             // configuration parameters, in the order of forms
	Types  []string            // endpoint types it answers
	Models map[string][]string // per endpoint type, well-known models, for pickers: any other works too

	// check adds what the fields' own rules can't say. nil: nothing.
	check   func(t Target) []FieldError
	address func(t Target) (Address, error)
	open    func(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error)
}

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

// IsSecret reports whether a parameter goes to the vault.
func (p *Provider) IsSecret(field string) bool {
	f, ok := p.field(field)
	return ok && f.Secret
}

// Answers reports whether the provider answers an endpoint type.
func (p *Provider) Answers(endpointType string) bool {
	for _, t := range p.Types {
		if t == endpointType {
			return true
		}
	}
	return false
}

func (p *Provider) field(name string) (Field, bool) {
	for _, f := range p.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// config is a parameter of a target, or its default.
func (p *Provider) config(t Target, name string) string {
	if v := t.Config[name]; v != "" {
		return v
	}
	f, _ := p.field(name)
	return f.Default
}

// AddressOf says where a target is reached. The error names the parameter
// that is wrong; a target that Check accepts has an address.
func AddressOf(t Target) (Address, error) {
	p, ok := Lookup(t.Provider)
	if !ok {
		return Address{}, fmt.Errorf("provider %q is not known", t.Provider)
	}
	return p.address(t)
}

// Open begins one exchange with a target. The error is the client's: a call
// that the provider can't answer.
func Open(t Target, req *dialect.Request, env Env) (Call, *dialect.Error) {
	p, ok := Lookup(t.Provider)
	if !ok {
		return nil, dialect.Internal()
	}
	if !p.Answers(typePrefix + string(req.Operation)) {
		return nil, NotImplemented(p, req)
	}
	return p.open(p, t, req, env)
}

// NotImplemented is MLflow's refusal of an operation, or of its streaming,
// that a provider does not have.
func NotImplemented(p *Provider, req *dialect.Request) *dialect.Error {
	what := string(req.Operation)
	if req.Stream {
		what += " streaming"
	}
	return &dialect.Error{
		Status: http.StatusNotImplemented, Code: dialect.CodeNotImplemented, NoRetry: true,
		Message: "The " + what + " route is not implemented for " + p.Title + " models.",
	}
}

func canonical(id string) string { return strings.ReplaceAll(strings.ToLower(id), "-", "_") }

// index builds the table from the rows. Two rows with one id are a mistake of
// the program.
func index(rows []*Provider) map[string]*Provider {
	m := make(map[string]*Provider, len(rows))
	for _, p := range rows {
		if _, twice := m[canonical(p.ID)]; twice {
			panic("provider " + p.ID + " is in the table twice")
		}
		m[canonical(p.ID)] = p
	}
	return m
}
