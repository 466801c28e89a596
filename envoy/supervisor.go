package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

// SupervisorOptions configures a Supervisor.
type SupervisorOptions struct {
	Path        string           // of the Envoy binary, as Find returns it
	Dir         string           // run directory, 0700; the bootstrap file is written to it
	Bootstrap   BootstrapOptions // see there
	Concurrency int              // worker threads; 0: one for each processor
	LogLevel    string           // of Envoy: info, warning, error or off; "" is warning
	DrainTime   time.Duration    // longest wait of Drain for running requests
	Log         *zap.Logger
	Now         func() time.Time // nil is time.Now
	// OnRestart is called when Envoy runs again after it had died, with the
	// status from then; Status.LastExit says how it died. Nil: nobody is told.
	OnRestart func(ProcessStatus)
}

// States of the Envoy process.
const (
	StateStopped  = "stopped"  // not started, or ended for good
	StateRunning  = "running"  // the process is there; Ready says whether it serves
	StateWaiting  = "waiting"  // it died and is about to be started again
	StateDraining = "draining" // running requests may finish, then it ends
)

// ProcessStatus is the state of the Envoy process.
type ProcessStatus struct {
	State    string    `json:"state"`              // one of the State constants
	PID      int       `json:"pid"`                // 0 when no process runs
	Started  time.Time `json:"started,omitzero"`   // when the present process started; zero when none runs
	Restarts int       `json:"restarts"`           // starts after the first
	LastExit string    `json:"lastExit,omitempty"` // how the last process ended; "" when none has
}

// Supervisor keeps one Envoy process running.
type Supervisor struct {
	o     SupervisorOptions
	args  []string
	admin *Admin

	stopping chan struct{} // closed by the first Drain
	once     sync.Once     // closes stopping

	mu     sync.Mutex // guards the following fields
	status ProcessStatus
	proc   *process // nil when none runs
}

// termGrace is how long Envoy may take to end after SIGTERM. It has no request
// to finish then.
const termGrace = 5 * time.Second

// logLevels are those that may be asked for. Envoy's debug and trace levels
// write request headers, and with them credentials, into the log.
var logLevels = []string{"info", "warning", "error", "critical", "off"}

// NewSupervisor checks the options and writes the bootstrap file to o.Dir.
func NewSupervisor(o SupervisorOptions) (*Supervisor, error) {
	if o.LogLevel == "" {
		o.LogLevel = "warning"
	}
	if !slices.Contains(logLevels, o.LogLevel) {
		return nil, fmt.Errorf("log level %q is not offered: use one of %v (debug and trace would log credentials)",
			o.LogLevel, logLevels)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	bootstrap, err := Bootstrap(o.Bootstrap)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Dir, "envoy.json")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		return nil, fmt.Errorf("writing the Envoy bootstrap: %w", err)
	}
	return &Supervisor{
		o: o, args: arguments(o, file), admin: NewAdmin(o.Bootstrap.AdminSocket),
		stopping: make(chan struct{}), status: ProcessStatus{State: StateStopped},
	}, nil
}

func arguments(o SupervisorOptions, file string) []string {
	// At least a second: Envoy refuses 0.
	drain := max(1, int(o.DrainTime/time.Second))
	args := []string{
		"-c", file, "--disable-hot-restart",
		"--log-level", o.LogLevel, "--log-format", logFormat, "--log-format-escaped",
		"--drain-time-s", strconv.Itoa(drain), "--drain-strategy", "immediate",
	}
	if o.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(o.Concurrency))
	}
	return args
}

// Run starts Envoy and starts it again when it dies: the first time at once,
// then with a growing pause. It returns nil when Drain or the end of ctx has
// stopped Envoy, and an error when Envoy could not be started at all. It may
// be called once.
func (s *Supervisor) Run(ctx context.Context) error {
	defer s.set(func(st *ProcessStatus) { st.State, st.PID, st.Started = StateStopped, 0, time.Time{} })
	select {
	case <-s.stopping:
		return nil
	default:
	}
	var pause backoff
	for first := true; ; first = false {
		started := s.o.Now()
		p, err := s.start(first)
		switch {
		case err != nil && first:
			return err
		case err != nil:
			s.o.Log.Error("Envoy could not be started again", zap.Error(err))
		default:
			select {
			case <-p.exited:
				s.ended(p)
			case <-ctx.Done():
				p.stop(termGrace)
				s.ended(p)
			}
		}
		if !s.wait(ctx, pause.next(s.o.Now().Sub(started))) {
			return nil
		}
	}
}

// start starts a process and notes it. Nothing is started while stopping.
func (s *Supervisor) start(first bool) (*process, error) {
	p, err := startProcess(s.o.Path, s.args, s.o.Log, s.o.Now)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.proc = p
	s.status.State, s.status.PID, s.status.Started = StateRunning, p.pid, p.started
	if !first {
		s.status.Restarts++
	}
	restarts := s.status.Restarts
	s.mu.Unlock()
	select {
	case <-s.stopping: // a Drain that came before there was a process to drain
		p.stop(termGrace)
	default:
	}
	s.o.Log.Info("Envoy started", zap.Int("pid", p.pid), zap.Int("restarts", restarts))
	if !first && s.o.OnRestart != nil {
		s.o.OnRestart(s.Status())
	}
	return p, nil
}

// ended notes the end of a process.
func (s *Supervisor) ended(p *process) {
	s.set(func(st *ProcessStatus) {
		s.proc = nil
		st.PID, st.Started, st.LastExit = 0, time.Time{}, p.ending()
	})
}

// wait pauses before the next start. It returns false when there is none.
func (s *Supervisor) wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.stopping:
		return false
	default:
	}
	s.set(func(st *ProcessStatus) { st.State = StateWaiting })
	s.o.Log.Error("Envoy ended by itself; it is started again",
		zap.String("exit", s.Status().LastExit), zap.Duration("pause", pause))
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s.stopping:
		return false
	case <-t.C:
		return true
	}
}

// Drain ends the service without cutting off a request: clients are told to
// close, listeners stop, requests under way may finish until DrainTime or ctx
// ends, then Envoy is stopped and Run returns. A second call waits as well.
func (s *Supervisor) Drain(ctx context.Context) error {
	s.once.Do(func() { close(s.stopping) })
	s.mu.Lock()
	p := s.proc
	if p != nil {
		s.status.State = StateDraining
	}
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	left, err := s.drainRequests(ctx, p)
	p.stop(termGrace)
	if err == nil && left > 0 {
		err = fmt.Errorf("draining Envoy: %d requests had not finished within %s", left, s.o.DrainTime)
	}
	return err
}

// drainRequests returns how many requests are left when it stopped waiting.
func (s *Supervisor) drainRequests(ctx context.Context, p *process) (left int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.DrainTime)
	defer cancel()
	// First tell the connections there are, then take no new ones: the other
	// way round Envoy would not tell.
	for _, graceful := range []bool{true, false} {
		if err := s.admin.drainListeners(ctx, graceful); err != nil {
			return 0, fmt.Errorf("draining Envoy: %w", err)
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if n, err := s.admin.ActiveRequests(ctx); err == nil {
			if left = n; left == 0 {
				return 0, nil
			}
		}
		select {
		case <-p.exited:
			return 0, errors.New("draining Envoy: it ended before its requests did")
		case <-ctx.Done():
			return left, nil
		case <-tick.C:
		}
	}
}

// Ready returns nil when Envoy has its configuration and serves.
func (s *Supervisor) Ready(ctx context.Context) error { return s.admin.Ready(ctx) }

// Admin returns the client of Envoy's admin interface.
func (s *Supervisor) Admin() *Admin { return s.admin }

// Status says how the process is doing.
func (s *Supervisor) Status() ProcessStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Supervisor) set(change func(*ProcessStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// backoff is the pause before a start: none after a process that ran well,
// then doubling.
type backoff struct{ pause time.Duration }

const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
	// ranWell is how long a process must have lived to count as healthy.
	ranWell = 10 * time.Second
)

// next returns the pause after a process that lived so long.
func (b *backoff) next(lived time.Duration) time.Duration {
	if lived >= ranWell {
		b.pause = 0
	}
	now := b.pause
	b.pause = min(max(b.pause*2, firstPause), lastPause)
	return now
}
