package main

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

// openSinks makes what carries the trail to its sinks. They begin in startSinks.
func (g *gateway) openSinks() (err error) {
	dir := filepath.Join(g.cfg.Data, "sinks")
	deps := targets.Deps{
		Egress: g.egress.OfOperator(), Trail: g.trail.ID(), Node: nodeName(), Version: version, Dir: dir, Segments: g.trail,
		Now: time.Now, Log: g.log.Named("sink"),
	}
	g.sinks, err = sink.New(sink.Options{
		Dir: dir, Trail: g.trail, Now: time.Now, Log: deps.Log, Registerer: g.registry,
		Open: func(c *config.Sink) (sink.Target, error) { return targets.Open(c, deps) },
	})
	return err
}

// setSinks puts the sinks of a configuration in force.
func (g *gateway) setSinks(c config.Config) error { return g.sinks.Set(c.Audit.Sinks) }

// startSinks begins with those of the file. One that can't begin does not keep the
// gateway from serving: its status says why, it is tried again, and the trail waits
// for it.
func (g *gateway) startSinks() {
	if err := g.setSinks(g.cfg); err != nil {
		g.log.Error("the sinks of the audit trail were not started", zap.Error(err))
	}
}

// sinksFlush is how long the sinks have at least to send what there is at the
// end, when the requests took up the time to drain.
const sinksFlush = 2 * time.Second

// flushSinks sends what there is, as far as that works at once.
func (g *gateway) flushSinks(drain context.Context) {
	atLeast, cancel := context.WithTimeout(context.WithoutCancel(drain), sinksFlush)
	defer cancel()
	if deadline, ok := drain.Deadline(); ok && time.Until(deadline) > sinksFlush {
		g.sinks.Close(drain)
		return
	}
	g.sinks.Close(atLeast)
}
