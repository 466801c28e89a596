package envoy

import (
	"io"
	"time"

	"go.uber.org/zap"
)

// NewLogWriter is the writer that Envoy's output goes to.
func NewLogWriter(log *zap.Logger) io.Writer { return &logWriter{log: log} }

// Pauses lists the pauses of a back-off after processes that lived so long.
func Pauses(lived ...time.Duration) []time.Duration {
	var b backoff
	out := make([]time.Duration, len(lived))
	for i, d := range lived {
		out[i] = b.next(d)
	}
	return out
}
