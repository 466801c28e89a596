package policies

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// The keys of the input document, made once. README.md describes it.
var (
	keyAction        = ast.StringTerm("action")
	keyCaller        = ast.StringTerm("caller")
	keyEndpoint      = ast.StringTerm("endpoint")
	keyRequest       = ast.StringTerm("request")
	keyResource      = ast.StringTerm("resource")
	keyVerb          = ast.StringTerm("verb")
	keyName          = ast.StringTerm("name")
	keySource        = ast.StringTerm("source_address")
	keyTime          = ast.StringTerm("time")
	keyID            = ast.StringTerm("id")
	keyOrganizations = ast.StringTerm("organizations")
	keyRoles         = ast.StringTerm("roles")
	keyProject       = ast.StringTerm("project")
	keyExecution     = ast.StringTerm("execution")
	keyCredential    = ast.StringTerm("credential")
	keyToken         = ast.StringTerm("token")
	keyType          = ast.StringTerm("type")
	keyProvider      = ast.StringTerm("provider")
	keyModel         = ast.StringTerm("model")
	keyConfig        = ast.StringTerm("config")
	keyUsable        = ast.StringTerm("usable")
	keyPermissions   = ast.StringTerm("permissions")
	keyEveryone      = ast.StringTerm("everyone")
	keyUsers         = ast.StringTerm("users")
	keyProjects      = ast.StringTerm("projects")
	keyDialect       = ast.StringTerm("dialect")
	keyOperation     = ast.StringTerm("operation")
	keyStream        = ast.StringTerm("stream")
	keyMaxTokens     = ast.StringTerm("max_tokens")
	keyTools         = ast.StringTerm("tools")
	keyBodyBytes     = ast.StringTerm("body_bytes")
	keyNative        = ast.StringTerm("native")
	keyMethod        = ast.StringTerm("method")
	keyModels        = ast.StringTerm("models")
	keyUnnamed       = ast.StringTerm("unnamed")
	keyPath          = ast.StringTerm("path")
	keyTargets       = ast.StringTerm("targets")
	keyOwners        = ast.StringTerm("owners")
	keyDisabled      = ast.StringTerm("disabled")

	termTrue   = ast.BooleanTerm(true)
	termFalse  = ast.BooleanTerm(false)
	emptySet   = ast.SetTerm()
	emptyArray = ast.ArrayTerm()

	// words are the values that come up in every question.
	words = func(texts ...string) map[string]*ast.Term {
		m := make(map[string]*ast.Term, len(texts))
		for _, text := range texts {
			m[text] = ast.StringTerm(text)
		}
		return m
	}(ActionInvoke, ActionView, ActionAPI, "mlflow", "openai", "openai-responses", "anthropic", "gemini", "native",
		"chat", "completions", "embeddings", "count_tokens",
		string(catalog.TypeChat), string(catalog.TypeCompletions), string(catalog.TypeEmbeddings))
)

// typeFor is the type of endpoint that answers an operation.
var typeFor = map[string]*ast.Term{
	"chat":        words[string(catalog.TypeChat)],
	"completions": words[string(catalog.TypeCompletions)],
	"embeddings":  words[string(catalog.TypeEmbeddings)],
	// It counts for a chat call. "native" is not here: every type takes it.
	"count_tokens": words[string(catalog.TypeChat)],
}

// document builds the input document of a question, as the parsed value that
// evaluation works on. The parts that stay the same, the caller and the
// endpoint of a snapshot, are built once and shared.
func document(in *Input, now time.Time) *ast.Term {
	doc := ast.NewObject(
		[2]*ast.Term{keyAction, word(in.Action)},
		[2]*ast.Term{keyTime, ast.IntNumberTerm(int(now.UnixNano()))},
	)
	if in.Caller != nil && in.Caller.UserID != "" {
		doc.Insert(keyCaller, in.Caller.Memo(callerTerm).(*ast.Term))
	}
	if in.Endpoint != nil {
		doc.Insert(keyEndpoint, in.Endpoint.Memo(endpointTerm).(*ast.Term))
	}
	if in.Request != nil {
		doc.Insert(keyRequest, requestTerm(in.Request))
	}
	text(doc, keyResource, in.Resource)
	text(doc, keyVerb, in.Verb)
	text(doc, keyName, in.Name)
	text(doc, keySource, in.SourceAddress)
	return ast.NewTerm(doc)
}

// callerTerm has the shape that decision.Memo asks for.
func callerTerm(c *identity.Caller) any {
	doc := ast.NewObject(
		[2]*ast.Term{keyID, ast.StringTerm(c.UserID)},
		[2]*ast.Term{keyOrganizations, set(c.Organizations)},
		[2]*ast.Term{keyRoles, set(c.Roles)},
	)
	text(doc, keyName, c.UserName)
	text(doc, keyProject, c.Project)
	text(doc, keyExecution, c.Execution)
	text(doc, keyCredential, c.Credential)
	if c.TokenID != "" {
		token := ast.NewObject([2]*ast.Term{keyID, ast.StringTerm(c.TokenID)})
		text(token, keyName, c.TokenName)
		doc.Insert(keyToken, ast.NewTerm(token))
	}
	return ast.NewTerm(doc)
}

// endpointTerm has the shape that decision.Memo asks for. Secrets stay out.
func endpointTerm(e *catalog.Endpoint) any {
	var targets []*ast.Term
	for i := range e.Targets {
		if t := &e.Targets[i]; !t.Disabled {
			targets = append(targets, targetTerm(t))
		}
	}
	p, first := &e.Permissions, e.First()
	return ast.NewTerm(ast.NewObject(
		[2]*ast.Term{keyID, ast.StringTerm(e.ID)},
		[2]*ast.Term{keyName, ast.StringTerm(e.Name)},
		[2]*ast.Term{keyType, word(string(e.Type))},
		[2]*ast.Term{keyProvider, ast.StringTerm(first.Provider)},
		[2]*ast.Term{keyModel, ast.StringTerm(first.Model)},
		[2]*ast.Term{keyConfig, configTerm(first)},
		[2]*ast.Term{keyTargets, ast.ArrayTerm(targets...)},
		[2]*ast.Term{keyOwners, set(p.Owners)},
		[2]*ast.Term{keyDisabled, boolean(e.Disabled)},
		[2]*ast.Term{keyUsable, boolean(e.Problem == "")},
		[2]*ast.Term{keyPermissions, ast.NewTerm(ast.NewObject(
			[2]*ast.Term{keyEveryone, boolean(p.Everyone)},
			[2]*ast.Term{keyUsers, set(p.Users)},
			[2]*ast.Term{keyOrganizations, set(p.Organizations)},
			[2]*ast.Term{keyRoles, set(p.Roles)},
			[2]*ast.Term{keyProjects, set(p.Projects)},
		))},
	))
}

func targetTerm(t *catalog.Target) *ast.Term {
	return ast.NewTerm(ast.NewObject(
		[2]*ast.Term{keyName, ast.StringTerm(t.Name)},
		[2]*ast.Term{keyProvider, ast.StringTerm(t.Provider)},
		[2]*ast.Term{keyModel, ast.StringTerm(t.Model)},
		[2]*ast.Term{keyConfig, configTerm(t)},
	))
}

func configTerm(t *catalog.Target) *ast.Term {
	config := ast.NewObject()
	for name, value := range t.Config {
		config.Insert(ast.StringTerm(name), ast.StringTerm(value))
	}
	return ast.NewTerm(config)
}

func requestTerm(r *RequestFacts) *ast.Term {
	doc := ast.NewObject(
		[2]*ast.Term{keyDialect, word(r.Dialect)},
		[2]*ast.Term{keyOperation, word(r.Operation)},
		[2]*ast.Term{keyStream, boolean(r.Stream)},
		[2]*ast.Term{keyTools, array(r.Tools)},
		[2]*ast.Term{keyBodyBytes, ast.IntNumberTerm(r.BodyBytes)},
	)
	if fits, known := typeFor[r.Operation]; known {
		doc.Insert(keyType, fits)
	}
	if r.MaxTokens != 0 {
		doc.Insert(keyMaxTokens, ast.IntNumberTerm(int(r.MaxTokens)))
	}
	if n := r.Native; n != nil {
		native := ast.NewObject()
		text(native, keyMethod, n.Method)
		text(native, keyPath, n.Path)
		if len(n.Models) > 0 {
			text(native, keyModel, n.Models[0])
		}
		native.Insert(keyModels, array(n.Models))
		native.Insert(keyUnnamed, boolean(n.Unnamed))
		doc.Insert(keyNative, ast.NewTerm(native))
	}
	return ast.NewTerm(doc)
}

// text adds a value that is left out where there is none.
func text(doc ast.Object, key *ast.Term, value string) {
	if value != "" {
		doc.Insert(key, word(value))
	}
}

func array(values []string) *ast.Term {
	if len(values) == 0 {
		return emptyArray
	}
	terms := make([]*ast.Term, len(values))
	for i, value := range values {
		terms[i] = ast.StringTerm(value)
	}
	return ast.ArrayTerm(terms...)
}

func set(values []string) *ast.Term {
	if len(values) == 0 {
		return emptySet
	}
	terms := make([]*ast.Term, len(values))
	for i, value := range values {
		terms[i] = ast.StringTerm(value)
	}
	return ast.SetTerm(terms...)
}

func word(text string) *ast.Term {
	if term, known := words[text]; known {
		return term
	}
	return ast.StringTerm(text)
}

func boolean(yes bool) *ast.Term {
	if yes {
		return termTrue
	}
	return termFalse
}
