package policies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// ErrTestsFailed says that a bundle compiles but that tests of it fail.
var ErrTestsFailed = errors.New("tests of the bundle failed")

// testTimeout bounds one test of a bundle.
const testTimeout = 30 * time.Second

// Check compiles the bundles in the folders together, as the gateway would,
// and runs their tests, rules in files named *_test.rego whose names begin
// with test_. The folder "" is the bundle that is built in; it is added where
// no other one has the rule decision in package sluice. Its own tests are run,
// and its lines counted, only where it is alone. Faults of the policy come
// back as an error with file, line and column; failing tests as
// ErrTestsFailed, with the report.
func Check(ctx context.Context, dirs ...string) (Report, error) {
	sources := make([]Source, len(dirs))
	for i, dir := range dirs {
		sources[i] = Source{Name: cmp.Or(dir, builtInName), Dir: dir}
	}
	bundles, err := readAll(sources)
	if err == nil && !slices.ContainsFunc(bundles, (*rawBundle).answers) {
		bundles, err = readAll(append([]Source{{Name: builtInName}}, sources...))
	}
	if err != nil {
		return Report{}, fmt.Errorf("checking policies: %w", err)
	}
	return check(ctx, bundles, false)
}

func check(ctx context.Context, bundles []*rawBundle, network bool) (Report, error) {
	report := Report{Revision: revision(bundles...)}
	for _, b := range bundles {
		b.tested = b.source != builtInSource || len(bundles) == 1
		report.Bundles = append(report.Bundles, b.status())
	}
	p, err := assemble(ctx, bundles, network)
	if err == nil {
		err = report.run(ctx, p, measured(bundles))
	}
	if err != nil {
		return Report{}, fmt.Errorf("checking policies: %w", err)
	}
	if report.Failed > 0 {
		return report, fmt.Errorf("%w: %d of %d", ErrTestsFailed, report.Failed, len(report.Tests))
	}
	return report, nil
}

// answers tells whether a bundle has the rule that the gateway asks. One that
// does not parse may have it.
func (b *rawBundle) answers() bool {
	modules, err := b.parse()
	if err != nil {
		return true
	}
	for _, module := range modules {
		for _, rule := range module.Rules {
			if rule.Ref().GroundPrefix().Equal(decisionRef) {
				return true
			}
		}
	}
	return false
}

// measured are the files whose lines tests are to run.
func measured(bundles []*rawBundle) map[string]bool {
	files := map[string]bool{}
	for _, b := range bundles {
		for i := range b.files {
			if f := &b.files[i]; b.tested && f.isRego() && !f.isTest() {
				files[f.shown] = true
			}
		}
	}
	return files
}

// run runs the tests and fills the report.
func (r *Report) run(ctx context.Context, p *program, measured map[string]bool) error {
	tracer := cover.New()
	results, err := tester.NewRunner().
		SetCompiler(p.compiler).
		SetStore(p.store).
		SetModules(p.modules).
		SetTimeout(testTimeout).
		RaiseBuiltinErrors(true).
		CapturePrintOutput(true).
		SetCoverageQueryTracer(tracer).
		RunTests(ctx, p.txn)
	if err != nil {
		return explain(err)
	}
	for result := range results {
		r.add(result)
	}
	slices.SortFunc(r.Tests, func(a, b TestResult) int { return cmp.Compare(a.Name, b.Name) })
	r.cover(tracer, p.modules, measured)
	return ctx.Err()
}

func (r *Report) add(result *tester.Result) {
	t := TestResult{
		Name:     strings.TrimPrefix(result.Package, "data.") + "." + result.Name,
		Outcome:  "passed",
		Message:  strings.TrimSpace(string(result.Output)),
		Duration: result.Duration,
	}
	if l := result.Location; l != nil {
		t.Location = fmt.Sprintf("%s:%d", l.File, l.Row)
	}
	switch {
	case result.Error != nil:
		t.Outcome, t.Message = "failed", strings.TrimSpace(result.Error.Error()+"\n"+t.Message)
	case result.Fail:
		t.Outcome = "failed"
	case result.Skip:
		t.Outcome = "skipped"
	}
	switch t.Outcome {
	case "failed":
		r.Failed++
	case "skipped":
		r.Skipped++
	default:
		r.Passed++
	}
	r.Tests = append(r.Tests, t)
}

// cover sums up which lines of the measured files were run.
func (r *Report) cover(tracer *cover.Cover, modules map[string]*ast.Module, measured map[string]bool) {
	policy := map[string]*ast.Module{}
	for file, module := range modules {
		if measured[file] {
			policy[file] = module
		}
	}
	ran, total := 0, 0
	r.Uncovered = []string{}
	for file, report := range tracer.Report(policy).Files {
		if policy[file] == nil {
			continue
		}
		missed := rows(report.NotCovered)
		for row := range missed {
			r.Uncovered = append(r.Uncovered, fmt.Sprintf("%s:%d", file, row))
		}
		all := rows(report.Covered)
		maps.Copy(all, missed)
		ran, total = ran+len(all)-len(missed), total+len(all)
	}
	slices.Sort(r.Uncovered)
	r.Coverage = 100
	if total > 0 {
		r.Coverage = 100 * float64(ran) / float64(total)
	}
}

// rows are the lines that the parts touch.
func rows(parts []cover.Range) map[int]bool {
	rows := map[int]bool{}
	for _, part := range parts {
		for row := part.Start.Row; row <= part.End.Row; row++ {
			rows[row] = true
		}
	}
	return rows
}
