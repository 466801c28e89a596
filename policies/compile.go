package policies

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// outward are the functions that reach out of the process, or show what is in
// its environment, and that bundles may not use.
var outward = []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}

// answerVar is the variable that the query binds.
const answerVar = ast.Var("answer")

// decisionRef is the rule that the gateway asks.
var decisionRef = ast.MustParseRef("data.sluice.decision")

// program is compiled policy with its data. It is immutable, but for what it
// remembers, and safe for concurrent use.
type program struct {
	compiler *ast.Compiler
	modules  map[string]*ast.Module // as they were parsed
	store    storage.Store
	txn      storage.Transaction // reads only; nothing is ever written
	query    ast.Body
	queries  ast.QueryCompiler
	lenses   map[string]*lens // by action, for questions about endpoints without a request
	memory   *memory          // nil: the program is not pure, every question is asked anew
}

// assemble parses bundles and puts them together; prepare makes a program that
// answers of the result, the tester one that runs tests.
func assemble(ctx context.Context, bundles []*rawBundle, allowNetwork bool) (*program, error) {
	p := &program{modules: map[string]*ast.Module{}}
	var faults []error
	owners := map[string]string{}
	for _, b := range bundles {
		modules, err := b.parse()
		faults = append(faults, err)
		for shown, module := range modules {
			p.modules[shown] = module
			faults = append(faults, own(owners, b.name, module))
		}
	}
	data, err := mergeData(bundles)
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	p.store = inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	if p.txn, err = p.store.NewTransaction(ctx); err != nil {
		return nil, fmt.Errorf("reading data: %w", err)
	}
	p.compiler = newCompiler(allowNetwork).WithPathConflictsCheck(storage.NonEmpty(ctx, p.store, p.txn))
	return p, nil
}

// own notes that a package belongs to a bundle. Rego would merge the rules of
// two bundles silently; here a bundle can't change the package of another.
func own(owners map[string]string, bundle string, module *ast.Module) error {
	name := strings.TrimPrefix(module.Package.Path.String(), "data.")
	if owner, taken := owners[name]; taken && owner != bundle {
		return fmt.Errorf("%s: package %s is in bundle %q already: a package belongs to one bundle; add to the default policy in package sluice.custom",
			place(module.Package.Location), name, owner)
	}
	owners[name] = bundle
	return nil
}

func newCompiler(allowNetwork bool) *ast.Compiler {
	capabilities := ast.CapabilitiesForThisVersion()
	unsafe := map[string]struct{}{}
	if !allowNetwork {
		capabilities.AllowNet = []string{} // for schemas, which may name others by address
		for _, name := range outward {
			unsafe[name] = struct{}{}
		}
	}
	//lint:ignore SA1019 a builtin left out of the capabilities would be "undefined"; this says that it is not allowed
	return ast.NewCompiler().
		WithCapabilities(capabilities).
		WithUnsafeBuiltins(unsafe).
		WithStrict(true).
		WithEnablePrintStatements(true).
		WithDefaultRegoVersion(ast.RegoV1)
}

// prepare compiles the modules and the question, data.sluice.decision.
func (p *program) prepare() error {
	if p.compiler.Compile(p.modules); p.compiler.Failed() {
		return explain(p.compiler.Errors)
	}
	if len(p.compiler.GetRulesExact(decisionRef)) == 0 {
		return errors.New("no bundle has the rule decision in package sluice, which the gateway asks")
	}
	p.queries = p.compiler.QueryCompiler()
	query, err := p.queries.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(answerVar), ast.NewTerm(decisionRef))))
	if err != nil {
		return explain(err)
	}
	p.query = query
	p.lenses = map[string]*lens{ActionView: newLens(p.compiler, ActionView), ActionAPI: newLens(p.compiler, ActionAPI)}
	if pure(p.compiler.Modules) {
		p.memory = &memory{}
	}
	return nil
}

// explain writes faults that Rego found one a line: file:line:column: what.
func explain(err error) error {
	var faults ast.Errors
	if !errors.As(err, &faults) {
		return err
	}
	lines := make([]error, len(faults))
	for i, fault := range faults {
		message := fault.Message
		for _, name := range outward {
			if strings.HasPrefix(message, "unsafe built-in function calls") && strings.Contains(message, name) {
				message = name + " is not allowed: policies may not reach out of the gateway"
			}
		}
		lines[i] = fmt.Errorf("%s: %s", place(fault.Location), message)
		if fault.Details != nil {
			lines[i] = fmt.Errorf("%w\n\t%s", lines[i], strings.Join(fault.Details.Lines(), "\n\t"))
		}
	}
	return errors.Join(lines...)
}

func place(l *ast.Location) string {
	if l == nil {
		return "policy"
	}
	return fmt.Sprintf("%s:%d:%d", l.File, l.Row, l.Col)
}
