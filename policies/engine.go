package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"sluice/internal/decision"
)

// defaultTimeout is for policies that run away. It is far above what a decision
// takes (tens of microseconds), so that a machine that is short of CPU does not deny.
const defaultTimeout = time.Second

// ErrNoAnswer is an evaluation that gave no usable decision. What it wraps is
// for administrators, not for callers.
var ErrNoAnswer = errors.New("the policy gave no answer")

// Engine decides. It is safe for concurrent use.
type Engine struct {
	opts  Options
	print print.Hook
	state atomic.Pointer[state]

	evaluations atomic.Uint64

	reloading sync.Mutex // held from reading bundles to the end of OnActivate

	mu       sync.Mutex // guards the following
	failed   string     // the last error, "" after a good load
	failedAt time.Time
}

// state is what decides at one moment, swapped whole.
type state struct {
	program *program
	status  Status
	bundles []*rawBundle
}

// New loads the sources and compiles them. A bundle that does not compile is
// an error that names file, line and column.
func New(opts Options) (*Engine, error) {
	opts.Sources = slices.Clone(opts.Sources)
	if len(opts.Sources) == 0 {
		opts.Sources = []Source{{Name: builtInName}}
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	e := &Engine{opts: opts, print: printHook{opts.Log}}
	if err := e.Reload(); err != nil {
		return nil, err
	}
	return e, nil
}

// Decide asks the policy. Where it has no usable answer in time, the decision
// denies with CodePolicyError and the error, an ErrNoAnswer, says why. A caller
// whose token is bound to endpoints is held to them here, whatever the policy
// says.
func (e *Engine) Decide(ctx context.Context, in *Input) (decision.Decision, error) {
	st := e.state.Load()
	if d, denied := outOfBounds(in); denied {
		d.Revision = st.status.Revision
		return d, nil
	}
	d, err := e.answer(ctx, st.program, in)
	d.Revision = st.status.Revision
	if err != nil {
		d.Allow, d.Obligations = false, nil
		d.Reasons = []decision.Reason{{
			Code:    CodePolicyError,
			Message: "The policy of the gateway has an error, so this is denied. Tell an administrator.",
		}}
		return d, fmt.Errorf("deciding %s: %w: %w", in.Action, ErrNoAnswer, err)
	}
	return narrowed(in, d), nil
}

// answer gives a remembered answer where there is one.
func (e *Engine) answer(ctx context.Context, p *program, in *Input) (decision.Decision, error) {
	q, repeats := questionOf(in)
	if p.memory == nil || !repeats {
		return e.evaluate(ctx, p, in)
	}
	if d, found := p.memory.get(q); found {
		return d, nil
	}
	d, err := e.evaluate(ctx, p, in)
	if err == nil {
		p.memory.put(q, d)
	}
	return d, err
}

// evaluate asks the program.
func (e *Engine) evaluate(ctx context.Context, p *program, in *Input) (d decision.Decision, err error) {
	now := in.Time
	if now.IsZero() {
		now = e.opts.Now()
	}
	e.evaluations.Add(1)
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(e.opts.Timeout, cancel.Cancel)
	defer timer.Stop()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, cancel.Cancel)()
	}
	var answer ast.Value
	err = topdown.NewQuery(p.query).
		WithQueryCompiler(p.queries).
		WithCompiler(p.compiler).
		WithStore(p.store).
		WithTransaction(p.txn).
		WithInput(document(in, now)).
		WithTime(now).
		WithCancel(cancel).
		WithMetrics(metrics.NoOp()).
		WithStrictBuiltinErrors(true). // a failed function must not let a deny rule pass by
		WithPrintHook(e.print).
		Iter(ctx, func(found topdown.QueryResult) error {
			answer = found[answerVar].Value
			return nil
		})
	switch {
	case topdown.IsCancel(err) && ctx.Err() != nil:
		return d, ctx.Err()
	case topdown.IsCancel(err):
		return d, fmt.Errorf("it took longer than %s", e.opts.Timeout)
	case err != nil:
		return d, err
	case answer == nil:
		return d, errUndefined
	}
	return read(answer)
}

// Reload reads the sources again. When what they hold decides otherwise than
// what is in force, it comes into force, whole, before Reload returns. When it
// does not compile, the last good state stays, Status names the error, and it
// is returned.
func (e *Engine) Reload() error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	next, err := e.load()
	if err != nil {
		err = fmt.Errorf("loading policies: %w", err)
		told := e.note(err.Error())
		if old := e.state.Load(); old != nil {
			if e.opts.OnRefuse != nil && !told {
				e.opts.OnRefuse(e.Status(), err)
			}
			e.opts.Log.Error("policies refused; the last good ones stay in force",
				zap.String("revision", old.status.Revision), zap.Error(err))
		}
		return err
	}
	e.note("")
	if next == nil {
		return nil
	}
	e.state.Store(next)
	e.opts.Log.Info("policies in force",
		zap.String("revision", next.status.Revision), zap.String("previous", next.status.Previous))
	if e.opts.OnActivate != nil {
		e.opts.OnActivate(next.status)
	}
	return nil
}

// note keeps how the last load ended, and reports whether the one before ended
// so too.
func (e *Engine) note(failed string) (again bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	again = e.failed == failed
	e.failed, e.failedAt = failed, e.opts.Now().UTC()
	return again
}

// load returns the next state, or nil when it would be the present one.
func (e *Engine) load() (*state, error) {
	bundles, err := readAll(e.opts.Sources)
	if err != nil {
		return nil, err
	}
	status := Status{Revision: revision(bundles...), LoadedAt: e.opts.Now().UTC()}
	if old := e.state.Load(); old != nil {
		if old.status.Revision == status.Revision {
			return nil, nil
		}
		status.Previous = old.status.Revision
	}
	for _, b := range bundles {
		status.Bundles = append(status.Bundles, b.status())
	}
	p, err := assemble(context.Background(), bundles, e.opts.AllowNetwork)
	if err == nil {
		err = p.prepare()
	}
	if err != nil {
		return nil, err
	}
	return &state{program: p, status: status, bundles: bundles}, nil
}

func readAll(sources []Source) ([]*rawBundle, error) {
	bundles := make([]*rawBundle, len(sources))
	seen := map[string]bool{}
	for i, s := range sources {
		if s.Name == "" || seen[s.Name] {
			return nil, fmt.Errorf("bundle %q: every bundle takes a name of its own", s.Name)
		}
		seen[s.Name] = true
		b, err := readBundle(s)
		if err != nil {
			return nil, fmt.Errorf("bundle %q: %w", s.Name, err)
		}
		bundles[i] = b
	}
	return bundles, nil
}

// Status says what is in force, and what was refused since.
func (e *Engine) Status() Status {
	st := e.state.Load().status
	st.Bundles = slices.Clone(st.Bundles)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed != "" {
		at := e.failedAt
		st.LastError, st.LastErrorAt = e.failed, &at
	}
	return st
}

// printHook sends what a policy prints to the debug log.
type printHook struct{ log *zap.Logger }

func (h printHook) Print(c print.Context, message string) error {
	h.log.Debug("policy prints", zap.String("at", place(c.Location)), zap.String("text", message))
	return nil
}
