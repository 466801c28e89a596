package main

import (
	"strings"
	"sync"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/config"
)

// inForce is the configuration in force, as the REST API shows it.
type inForce struct {
	mu       sync.Mutex // guards the following
	cfg      config.Config
	read     time.Time
	pending  []string
	problems []string
	failedAt time.Time
}

func newInForce(cfg config.Config, now time.Time) *inForce { return &inForce{cfg: cfg, read: now} }

// refused notes why the file that was read again is not in force.
func (f *inForce) refused(err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems, f.failedAt = strings.Split(strings.TrimSpace(err.Error()), "\n"), now
}

// took notes a file that was read again: what can change while the gateway runs
// is in force but for the problems, the rest is pending.
func (f *inForce) took(next config.Config, vault config.Vault, problems []string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read, f.problems, f.failedAt, f.pending = now, problems, now, f.cfg.NeedRestart(next)
	f.cfg.Vault, f.cfg.Audit.Sinks = vault, next.Audit.Sinks
}

// settings shows it.
func (f *inForce) settings() api.Settings {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := api.Settings{
		Source: f.cfg.Source, Read: f.read.UTC(), Settings: []api.Setting{},
		Pending: append([]string{}, f.pending...), Problems: append([]string{}, f.problems...),
	}
	if len(f.problems) > 0 {
		at := f.failedAt.UTC()
		out.ProblemsAt = &at
	}
	for _, s := range f.cfg.Settings() {
		out.Settings = append(out.Settings, api.Setting(s))
	}
	return out
}
