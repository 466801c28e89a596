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
	"sluice/internal/sink/format"
)

// ErrNoSink says that no sink of this name is configured.
var ErrNoSink = errors.New("no sink has this name")

// Options are what a Manager needs.
type Options struct {
	// Dir holds what is kept of each sink: its mark and its dead letters. It is
	// made (0700) when missing.
	Dir   string
	Trail *audit.Trail
	// Open makes the target of a sink. It is called again until it succeeds.
	Open func(*config.Sink) (Target, error)
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Log        *zap.Logger           // nil discards
	Registerer prometheus.Registerer // nil: no metrics
}

// Manager runs the sinks: one worker for each. Its methods may be called from
// any goroutine.
type Manager struct {
	o Options

	mu      sync.Mutex // guards the following fields
	workers []*worker  // in the order of the configuration
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
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the sinks: %w", err)
	}
	m := &Manager{o: o}
	newMetrics(o.Registerer, m)
	return m, nil
}

// Set puts sinks in force in place of those that run. Those that are the same
// go on undisturbed; of those that are not any more the mark stays, for when they
// come back. A sink that can't be begun is named in the error, and the others are
// in force.
func (m *Manager) Set(sinks []config.Sink) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return audit.ErrClosed
	}
	var ending, next []*worker
	var errs []error
	for _, w := range m.workers {
		if !slices.ContainsFunc(sinks, func(c config.Sink) bool { return reflect.DeepEqual(c, w.cfg) }) {
			w.end()
			ending = append(ending, w)
		}
	}
	for _, w := range ending {
		<-w.over
	}
	for _, c := range sinks {
		i := slices.IndexFunc(m.workers, func(w *worker) bool { return w.cfg.Name == c.Name && !slices.Contains(ending, w) })
		if i >= 0 {
			next = append(next, m.workers[i])
			continue
		}
		w, err := m.start(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("starting the sink %s: %w", c.Name, err))
			continue
		}
		next = append(next, w)
	}
	m.workers = next
	return errors.Join(errs...)
}

// start begins a sink from its mark, or where it is new from where its settings
// say.
func (m *Manager) start(c config.Sink) (*worker, error) {
	f, known := format.Named(c.Format)
	if !known {
		return nil, fmt.Errorf("the format %q is not known", c.Format)
	}
	s, err := openStore(m.o.Dir, c.Name)
	if err != nil {
		return nil, err
	}
	if s.isNew {
		if c.Start != config.SinkStartOldest {
			s.mark = m.o.Trail.EndMark()
		}
		if err := s.save(); err != nil {
			return nil, err
		}
	}
	w := newWorker(m, c, f, s)
	go w.run()
	return w, nil
}

// Close ends the sinks: what the trail holds is sent first, as far as that
// succeeds at once and before ctx is done. What was not sent is sent after the
// next start.
func (m *Manager) Close(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, w := range m.workers {
		w.finish()
	}
	for _, w := range m.workers {
		select {
		case <-w.over:
		case <-ctx.Done():
			w.end()
			<-w.over
		}
	}
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

// Status tells how the sinks do, in the order of the configuration.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	workers := slices.Clone(m.workers)
	m.mu.Unlock()
	out := make([]Status, len(workers))
	for i, w := range workers {
		out[i] = w.report()
	}
	return out
}

// Forgotten are the names of sinks that are not configured any more and whose
// mark is kept.
func (m *Manager) Forgotten() []string {
	names := []string{}
	files, _ := filepath.Glob(filepath.Join(m.o.Dir, "*"+markSuffix))
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), markSuffix)
		if strings.Contains(name, ".") {
			continue // what a sink of some type keeps for itself, such as NAME.s3.json
		}
		if _, err := m.named(name); err != nil {
			names = append(names, name)
		}
	}
	return names
}
