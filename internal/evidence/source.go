package evidence

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"time"

	"sluice/internal/audit"
)

// Source is a trail that is written: an *audit.Trail.
type Source interface {
	Checkpoint() error
	Excerpt(ctx context.Context, from, to time.Time) (*audit.OpenExcerpt, error)
	SigningKey() (id string, key crypto.Signer, err error)
	PublicKeys() []audit.PublicKey
	Holds() []audit.Hold
}

// Export is evidence that is ready to be written.
type Export struct {
	x *audit.OpenExcerpt
	o Options
}

// Open opens the days of o that s has, with what s is signed with; keys and
// holds of o are filled. The error wraps audit.ErrNoDays when there are none.
func Open(ctx context.Context, s Source, o Options) (*Export, error) {
	// So that the last records are signed too. Without that they are linked all
	// the same, and the manifest tells where they end.
	_ = s.Checkpoint()
	x, err := s.Excerpt(ctx, o.From, o.To)
	if err != nil {
		return nil, fmt.Errorf("reading the days: %w", err)
	}
	o.Keys = s.PublicKeys()
	o.Holds = s.Holds()
	if o.KeyID, o.Key, err = s.SigningKey(); err != nil {
		o.KeyID, o.Key = "", nil // not signed: the manifest shows it
	}
	return &Export{x, o}, nil
}

// OpenDir is Open for the trail in a folder, also while a gateway writes it:
// nothing signs the manifest then.
func OpenDir(ctx context.Context, dir string, o Options) (*Export, error) {
	var err error
	if o.Keys, err = audit.ReadKeys(dir); err != nil {
		return nil, err
	}
	if o.Holds, err = audit.ReadHolds(dir); err != nil {
		return nil, err
	}
	x, err := audit.ExcerptOf(ctx, dir, o.From, o.To)
	if err != nil {
		return nil, fmt.Errorf("reading the days: %w", err)
	}
	return &Export{x, o}, nil
}

// Days are the segments that the evidence will hold.
func (e *Export) Days() []audit.ExcerptSegment { return e.x.Segments }

// Write is the function Write.
func (e *Export) Write(ctx context.Context, w io.Writer) (Manifest, error) {
	return Write(ctx, w, e.x, e.o)
}

// Close gives back what is open.
func (e *Export) Close() { e.x.Close() }
