package envoy

import (
	"bytes"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logFormat makes Envoy write one line for each message, in a form that
// parseLine reads: level, logger, message.
const logFormat = "[%l][%n] %v"

// maxLine bounds what is kept of one line of Envoy's log.
const maxLine = 16 << 10

// logWriter passes what Envoy writes to zap, line by line. It is written to by
// one goroutine, that of exec.Cmd.
type logWriter struct {
	log  *zap.Logger
	part []byte // a line whose end has not come yet
}

func (w *logWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			w.keep(p)
			return n, nil
		}
		w.keep(p[:i])
		w.flush()
		p = p[i+1:]
	}
}

func (w *logWriter) keep(p []byte) {
	if room := maxLine - len(w.part); len(p) > room {
		p = p[:room]
	}
	w.part = append(w.part, p...)
}

func (w *logWriter) flush() {
	line := strings.TrimSpace(string(w.part))
	w.part = w.part[:0]
	if line == "" {
		return
	}
	level, logger, message := parseLine(line)
	if e := w.log.Check(level, message); e != nil {
		e.Write(zap.String("envoyLogger", logger))
	}
}

// parseLine takes a line of logFormat apart. A line of another form, such as a
// stack trace, is a warning as it stands.
func parseLine(line string) (level zapcore.Level, logger, message string) {
	rest, ok := strings.CutPrefix(line, "[")
	if !ok {
		return zapcore.WarnLevel, "", line
	}
	name, rest, ok := strings.Cut(rest, "][")
	if !ok {
		return zapcore.WarnLevel, "", line
	}
	logger, message, ok = strings.Cut(rest, "] ")
	level, known := levels[name]
	if !ok || !known {
		return zapcore.WarnLevel, "", line
	}
	return level, logger, message
}

// levels maps Envoy's levels to zap's. Critical is an error here: zap's higher
// levels would stop the gateway.
var levels = map[string]zapcore.Level{
	"trace": zapcore.DebugLevel, "debug": zapcore.DebugLevel, "info": zapcore.InfoLevel,
	"warning": zapcore.WarnLevel, "error": zapcore.ErrorLevel, "critical": zapcore.ErrorLevel,
}
