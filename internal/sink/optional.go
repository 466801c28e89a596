package sink

import (
	"context"
	"fmt"
	"time"
)

// Batcher is a Target that wants many entries at a time. The worker gathers
// entries until one of the limits is reached; what it has gathered is in memory.
type Batcher interface {
	// Batch is asked for once, before the first Deliver.
	Batch() Batch
}

// Batch is how much a Target wants at a time. A zero field is no limit of its
// own: the worker's holds.
type Batch struct {
	Entries int
	Bytes   int64         // of Entry.Data together; one entry may be longer
	Age     time.Duration // the oldest entry waits no longer than this
}

// Checker is a Target whose receiver may lose what it had confirmed: a store in
// memory that was started anew. The worker calls Check from the goroutine of
// Deliver, before the first Deliver and every few seconds while there is nothing
// to send.
type Checker interface {
	// Check asks whether the receiver still has the last record that was
	// confirmed, by the sequence that completed it (Completed); 0: nothing is
	// known to have been confirmed. The error is *Lost when it has not, anything
	// else when it can't be asked.
	Check(ctx context.Context, confirmed uint64) error
}

// Lost is the error of Check and Deliver when the receiver lost records that it
// had confirmed. The worker goes back in the trail, as far as it reaches, and
// delivers again whatever was completed behind After and is not older than Since.
type Lost struct {
	After  uint64    // sequence of the last record that the receiver has; 0: it has none
	Since  time.Time // what is older the receiver would no longer hold anyway; zero: it would hold all
	Reason string    // a sentence
}

// Error implements error.
func (l *Lost) Error() string {
	return fmt.Sprintf("the receiver lost records behind %d: %s", l.After, l.Reason)
}

// Noter is a Target that has something to say that is no error: what it had to
// give up, or what holds it up. The worker shows it in the sink's status.
type Noter interface {
	// Notes returns sentences, nil where there is nothing to say. It may be
	// called from any goroutine.
	Notes() []string
}

// Worrier is a Target that does something beside delivering, which can fail while
// delivering works.
type Worrier interface {
	// Trouble tells how that does. It may be called from any goroutine.
	Trouble() Trouble
}

// Trouble is what fails beside delivering. The sink counts as failing meanwhile.
type Trouble struct {
	Failures int64     // tries that have failed since the target was opened
	Error    string    // of the last try; "": it has not failed
	Since    time.Time // when it began to fail
	At       time.Time // of the last failure
}

// Completed is the sequence that orders records by when they were completed:
// that of the frame that made the record whole.
func (e *Entry) Completed() uint64 { return max(e.Record.Sequence, e.Record.EndSequence) }
