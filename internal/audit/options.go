package audit

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// What the trail keeps of request and response bodies.
const (
	BodiesFull     = "full"     // as the client sent and saw them
	BodiesRedacted = "redacted" // without what a detector finds
	BodiesNone     = "none"     // only their lengths
)

const (
	// DefaultBodyBytes is the most that is kept of one body unless Options say
	// otherwise.
	DefaultBodyBytes = 32 << 20
	// MaxBodyBytes is the most that can be kept of one body.
	MaxBodyBytes = 1 << 30
)

// Errors of opening a trail.
var (
	// ErrLocked says that another process, or another Trail of this one, has
	// the folder open.
	ErrLocked = errors.New("the trail is open in another process")
	// ErrDamaged says that the folder holds something that is not a trail.
	ErrDamaged = errors.New("the trail is damaged")
)

// Errors of writing. After any of them nothing of the record is in the log.
var (
	// ErrClosed says that the trail was closed.
	ErrClosed = errors.New("the trail is closed")
	// ErrNoSpace says that the disk has no room for the record and for the
	// outcomes of the exchanges that are under way. The next call tries again.
	ErrNoSpace = errors.New("no space left for the trail")
	// ErrUnwritable wraps what the operating system said when a write was
	// refused for another reason than space. The next call tries again.
	ErrUnwritable = errors.New("the trail can't be written")
	// ErrDuplicate says that an exchange with this id is under way already.
	ErrDuplicate = errors.New("an exchange with this id is under way")
	// ErrNotBegun says that no exchange with this id is under way: it was
	// never begun, or was ended before.
	ErrNotBegun = errors.New("no exchange with this id is under way")
	// ErrNoID says that an exchange without an id was given.
	ErrNoID = errors.New("the exchange has no id")
	// ErrTooLarge says that a record without its bodies exceeds what a frame
	// holds (32 MiB), or that an exchange has more than 1000 parts.
	ErrTooLarge = errors.New("the record is too large")
)

// Errors of reading.
var (
	// ErrNotFound says that no record has the id.
	ErrNotFound = errors.New("no such record")
	// ErrIndexBehind says that the index did not reach the end of the log
	// within the bounded wait, so that an answer might miss records.
	ErrIndexBehind = errors.New("the index of the trail is behind")
)

// Options say how a trail is kept.
type Options struct {
	// Dir is the folder of the trail. It is made (0700) when missing.
	Dir string
	// Node names this gateway in what it records; empty leaves it out.
	Node string
	// Bodies is a Bodies constant; empty means BodiesFull. BodiesRedacted needs
	// SetRedactor.
	Bodies string
	// BodyBytes is the most that is kept of one body; of longer ones the
	// beginning is, and the record says so. Zero or less means DefaultBodyBytes,
	// and more than MaxBodyBytes means that.
	BodyBytes int
	// Sync is SyncOS or SyncFsync; empty means SyncOS.
	Sync string
	// RetentionDays is how many whole days before today are kept; older
	// partitions are dropped. Zero or less keeps everything.
	RetentionDays int
	// DiskWarn is how much of the disk has to be free for no warning, DiskStop
	// how much for requests to be recorded: with less, Begin and Refuse return
	// ErrNoSpace. What is under way can be ended, and events are written.
	DiskWarn, DiskStop DiskLimit
	// DiskSpace tells of the disk of a folder; nil asks the system.
	DiskSpace func(dir string) (DiskSpace, error)
	// Signed says that SetSigner will follow: no day is dropped before it is known
	// whether what the trail tells of holds is signed.
	Signed bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what operators should know; nil discards it. Neither
	// bodies nor names of callers are ever logged.
	Log *zap.Logger
}
