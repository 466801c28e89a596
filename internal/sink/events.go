package sink

import (
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

// Kinds of the events that sinks write into the trail.
const (
	KindFailing      = "SinkFailing"             // a sink has failed for some seconds
	KindRecovered    = "SinkRecovered"           // it works again
	KindSkipped      = "SinkRecordsSkipped"      // records were gone before they were sent
	KindMarkLost     = "SinkMarkLost"            // the trail does not have the place up to which was sent
	KindReceiverLost = "SinkReceiverLostRecords" // the receiver lost what it had confirmed
	KindReplay       = "ReplaySink"              // somebody asked for a range to be sent again
	KindRetryLetters = "RetryDeadLetters"        // somebody asked for dead letters to be sent again
	KindCancelReplay = "CancelReplay"            // somebody ended the replays of a sink
)

// TargetSink is the TargetType of events about a sink.
const TargetSink = "sink"

// event writes an event about the sink. That it can't be written stops nothing.
func (w *worker) event(kind string, metadata map[string]string) {
	err := w.m.o.Trail.Event(&audit.Event{Time: w.m.o.Now(), Kind: kind, TargetType: TargetSink, TargetName: w.cfg.Name, Metadata: metadata})
	if err != nil {
		w.log.Error("the trail took no record", zap.String("kind", kind), zap.Error(err))
	}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// maxLater bounds how long a receiver can put a sink off.
const maxLater = 5 * time.Minute

// Later is the error of a receiver that says how long it wants to be left alone.
type Later struct {
	After time.Duration
	Err   error // what it said
}

// Error implements error.
func (l *Later) Error() string {
	return fmt.Sprintf("%v; it is to be tried again in %s", l.Err, l.After)
}

// Unwrap returns what the receiver said.
func (l *Later) Unwrap() error { return l.Err }
