package kit

import (
	"net/http"

	"sluice/extproc/dialect"
)

// The endpoint types a provider can answer, in MLflow's words.
const (
	TypeChat        = "llm/v1/chat"
	TypeCompletions = "llm/v1/completions"
	TypeEmbeddings  = "llm/v1/embeddings"
)

// Field is one configuration parameter of a provider.
type Field struct {
	Name        string // MLflow's name, e.g. "openai_api_key"
	Title       string // for forms
	Description string
	Required    bool
	// Usual: most targets need it though some do without, by rules that Check
	// has. Forms ask for it as for a required one.
	Usual   bool
	Secret  bool // goes to the vault, is never shown
	Default string
	Enum    []string // allowed values, in any case; empty: any
	URL     bool     // an http or https URL
	Max     int      // a whole number from 0 to Max; 0: not a number
	// Multiline allows line breaks in the value, which then never becomes a
	// header as it is: JSON credentials.
	Multiline bool
	// Routes: it says where a call goes, with the target's keys, and is no URL by
	// itself: the server sends the call on by it, or it stands for the server. A
	// change of it takes the keys to someone else. What is neither URL nor Routes
	// never leads to a server of the caller's choice.
	Routes bool
	// Group is the key under which MLflow's files nest the parameter
	// ("aws_config"); "" for most.
	Group string
}

// Features says what a provider carries in chat, for the table of docs/providers.md
// and for pickers. Tests hold it against what the translators do.
type Features struct {
	Streams    []string // endpoint types that stream
	Tools      bool
	Images     bool
	JSONSchema bool // structured output by a JSON Schema
	Reasoning  bool // reasoning is carried to the client
}

// Provider is one row of the table of providers. It is immutable.
type Provider struct {
	ID         string   // canonical, e.g. "openai"
	Aliases    []string // other ids that mean the same, e.g. "amazon-bedrock"
	Title      string   // for people, e.g. "OpenAI"
	Deprecated string   // why not to choose it, as a sentence; "" for most
	Fields     []Field  // configuration parameters, in the order of forms
	Types      []string // endpoint types it answers
	// NativeOnly: it answers none of the endpoint types. An endpoint may have
	// any; only calls of the provider's own API work.
	NativeOnly bool
	Features   Features
	Models     map[string][]string // per endpoint type, well-known models, for pickers: any other works too

	// Check adds what the fields' own rules can't say. nil: nothing.
	Check func(t Target, endpointType string) []FieldError
	// Address says where a target is reached.
	Address func(t Target) (Address, error)
	// Credential is what the target authenticates with besides parameters; nil,
	// or false: the headers of Open and Native are all.
	Credential func(t Target) (Credential, bool)
	// Open begins one exchange. The endpoint's type fits.
	Open func(p *Provider, t Target, req *dialect.Request, env Env) (Call, *dialect.Error)
	// Native is how its own API is called; nil: it is not offered.
	Native func(p *Provider, t Target) (Native, error)
}

// IsSecret reports whether a parameter goes to the vault.
func (p *Provider) IsSecret(field string) bool {
	f, ok := p.Field(field)
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

// Field finds a parameter by its name.
func (p *Provider) Field(name string) (Field, bool) {
	for _, f := range p.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Config is a parameter of a target, or its default.
func (p *Provider) Config(t Target, name string) string {
	if v := t.Config[name]; v != "" {
		return v
	}
	f, _ := p.Field(name)
	return f.Default
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
