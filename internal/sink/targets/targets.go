// Package targets makes the targets of sinks from their settings: the one place
// that knows every type.
package targets

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/sink"
	"sluice/internal/sink/filesink"
	"sluice/internal/sink/s3sink"
)

// Deps are what targets need of the gateway.
type Deps struct {
	Egress *egress.Rules // whatever leaves goes by it
	Trail  string        // id of the trail
	Node   string        // name of this gateway, as in records
	// Version is that of the gateway; "" where it is not told.
	Version string
	// Dir is the folder of the manager; a target keeps its own files there, by the
	// name of its sink.
	Dir string
	// Segments are the days of the trail that have ended; nil: none is archived.
	Segments s3sink.Source
	Now      func() time.Time
	Log      *zap.Logger
}

// types are the targets by the type of the sink. A function reads files at most:
// it does not connect, so that a receiver that is down holds up nothing.
var types = map[string]func(*config.Sink, *Deps) (sink.Target, error){
	"file": func(c *config.Sink, _ *Deps) (sink.Target, error) { return filesink.Open(*c.File), nil },
	"http": openHTTP, "splunk_hec": openSplunk, "syslog": openSyslog,
	"otlp":  openOTLP,
	"redis": openRedis,
	"s3":    openS3,
}

// Open makes the target of a sink. The error says what is wrong with its
// settings or files.
func Open(c *config.Sink, d Deps) (sink.Target, error) {
	open, known := types[c.Type]
	if !known {
		return nil, fmt.Errorf("no sink is of the type %q", c.Type)
	}
	return open(c, &d)
}
