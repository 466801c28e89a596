package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
)

// ErrNoSink says that no sink of this name is configured.
var ErrNoSink = errors.New("no sink has this name")

// How long others wait for a sink that does not end: one that hangs, say in a
// write to a file system that is away, can't be made to.
const (
	changeWait = 10 * time.Second // of Set
	closeWait  = 2 * time.Second  // of Close, behind its context
)

// Options are what a Manager needs.
type Options struct {
	// Dir holds what is kept of each sink: its mark and its dead letters. It is
	// made (0700) when missing.
	Dir   string
	Trail *audit.Trail
	// Open makes the target of a sink. It is called again until it succeeds.
	Open func(*config.Sink) (Target, error)
	// Patience is how long Set waits for sinks to end; 0: 10 s.
	Patience time.Duration
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Log        *zap.Logger           // nil discards
	Registerer prometheus.Registerer // nil: no metrics
}

// Manager runs the sinks: one worker for each. Its methods may be called from
// any goroutine.
type Manager struct {
	o Options

	changing sync.Mutex // held by Set while it waits; never together with a wait for mu

	mu      sync.Mutex // guards the following fields; nobody waits for a sink while holding it
	workers []*worker  // in the order of the configuration
	leaving []*worker  // that are to end and may not have
	closed  bool
}

// New makes a Manager without sinks. The error is that of making the folder.
func New(o Options) (*Manager, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Patience == 0 {
		o.Patience = changeWait
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the sinks: %w", err)
	}
	m := &Manager{o: o}
	newMetrics(o.Registerer, m)
	return m, nil
}

// Set puts sinks in force in place of those that run. Those that are the same
// go on undisturbed; of those that are not any more the mark stays, for when they
// come back. A sink that can't begin is in force too, and tries again; its status
// says why. The error names sinks that do not end: they are left behind, and what
// comes in their place under their name begins when they have ended. ErrClosed says
// that the Manager is closed.
func (m *Manager) Set(sinks []config.Sink) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if err := m.swap(sinks); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.o.Patience)
	defer cancel()
	_, leaving := m.all()
	if hung := await(ctx, leaving); len(hung) > 0 {
		return fmt.Errorf("ending the sinks that were changed or taken out: %s: no end after %s; "+
			"what they write to hangs, and a restart of the gateway is needed if it stays away", strings.Join(hung, ", "), m.o.Patience)
	}
	return nil
}

// swap ends what is not the same any more and begins what is new.
func (m *Manager) swap(sinks []config.Sink) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return audit.ErrClosed
	}
	stay := map[string]*worker{}
	for _, w := range m.workers {
		if slices.ContainsFunc(sinks, func(c config.Sink) bool { return reflect.DeepEqual(c, w.cfg) }) {
			stay[w.cfg.Name] = w
			continue
		}
		w.end()
		m.leaving = append(m.leaving, w)
	}
	m.workers = nil
	for _, c := range sinks {
		w := stay[c.Name]
		if w == nil {
			var before []*worker
			for _, l := range m.leaving {
				if l.cfg.Name == c.Name {
					before = append(before, l)
				}
			}
			w = newWorker(m, c, before)
			go w.run()
		}
		m.workers = append(m.workers, w)
	}
	return nil
}

// await waits until workers have ended, and names those that have not when ctx is
// done.
func await(ctx context.Context, workers []*worker) (hung []string) {
	for _, w := range workers {
		select {
		case <-w.over:
			continue
		default:
		}
		select {
		case <-w.over:
		case <-ctx.Done():
			hung = append(hung, w.cfg.Name)
		}
	}
	return hung
}

// Close ends the sinks: what the trail holds is sent first, as far as that
// succeeds at once and before ctx is done. What was not sent is sent after the
// next start. A sink that hangs is left behind two seconds after that.
func (m *Manager) Close(ctx context.Context) {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	workers, leaving := m.all()
	for _, w := range workers {
		w.finish()
	}
	await(ctx, workers)
	all := append(workers, leaving...)
	for _, w := range all {
		w.end()
	}
	last, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if hung := await(last, all); len(hung) > 0 {
		m.o.Log.Error("sinks did not end and are left behind", zap.Strings("sinks", hung))
	}
}

// all are the workers, and those that were to end and have not.
func (m *Manager) all() (workers, leaving []*worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaving = slices.DeleteFunc(m.leaving, (*worker).ended)
	return slices.Clone(m.workers), slices.Clone(m.leaving)
}

// named returns the worker of a sink.
func (m *Manager) named(name string) (*worker, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		if w.cfg.Name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoSink, name)
}

// Status tells how the sinks do, in the order of the configuration, and behind
// them those that are not configured any more and have not ended.
func (m *Manager) Status() []Status {
	workers, leaving := m.all()
	var out []Status
	for _, w := range workers {
		out = append(out, w.report())
	}
	for _, w := range leaving {
		if slices.ContainsFunc(out, func(s Status) bool { return s.Name == w.cfg.Name }) {
			continue
		}
		s := w.report()
		s.State = StateStopping
		out = append(out, s)
	}
	return out
}

// Forgotten are the names of sinks that are not configured any more and whose
// mark is kept.
func (m *Manager) Forgotten() []string {
	names := []string{}
	shown := m.Status()
	files, _ := filepath.Glob(filepath.Join(m.o.Dir, "*"+markSuffix))
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), markSuffix)
		if strings.Contains(name, ".") {
			continue // what a sink of some type keeps for itself, such as NAME.s3.json
		}
		if !slices.ContainsFunc(shown, func(s Status) bool { return s.Name == name }) {
			names = append(names, name)
		}
	}
	return names
}
