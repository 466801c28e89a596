// Package envoy knows the Envoy binary: which version, where it is, how it is
// started, watched, asked and stopped.
package envoy

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// Version is the one version of Envoy that Sluice runs.
const Version = "1.40.0"

// Find returns the path of an Envoy binary of the pinned version.
func Find(hint string) (string, error) { return "", errors.New("not built yet") }

// BootstrapOptions are the few things that Envoy is told before it asks.
type BootstrapOptions struct {
	NodeID         string // names this gateway in Envoy's requests and log
	AdminSocket    string // unix socket of Envoy's admin interface
	XDSSocket      string // unix socket of the control plane
	MaxConnections int    // downstream connections at one time; 0: 10,000
}

// Bootstrap returns the JSON that Envoy starts with.
func Bootstrap(o BootstrapOptions) ([]byte, error) { return nil, errors.New("not built yet") }

// SupervisorOptions configures a Supervisor.
type SupervisorOptions struct {
	Path        string           // of the Envoy binary
	Dir         string           // run directory, 0700; holds the bootstrap file
	Bootstrap   BootstrapOptions // written to Dir at each start
	Concurrency int              // worker threads; 0: one for each processor
	LogLevel    string           // of Envoy; "" is "warning"
	DrainTime   time.Duration    // longest wait of Drain for running requests
	Log         *zap.Logger
	Now         func() time.Time
}

// Supervisor keeps one Envoy process running.
type Supervisor struct{}

// NewSupervisor checks the options and writes the bootstrap file.
func NewSupervisor(o SupervisorOptions) (*Supervisor, error) {
	return nil, errors.New("not built yet")
}

// Run starts Envoy, restarts it when it dies, and stops it when ctx ends.
func (s *Supervisor) Run(ctx context.Context) error { return errors.New("not built yet") }

// Drain lets running requests finish, then stops Envoy; Run then returns nil.
func (s *Supervisor) Drain(ctx context.Context) error { return errors.New("not built yet") }

// Ready returns nil when Envoy has its configuration and serves.
func (s *Supervisor) Ready(ctx context.Context) error { return errors.New("not built yet") }

// Status says how the process is doing.
func (s *Supervisor) Status() ProcessStatus { return ProcessStatus{} }

// ProcessStatus is the state of the Envoy process.
type ProcessStatus struct {
	State    string // "starting", "running", "waiting" (to restart), "draining", "stopped"
	PID      int    // 0 when no process runs
	Started  time.Time
	Restarts int
	LastExit string // how the last process ended; "" when none has
}
