package audit

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotWhole is what Report.Err wraps.
var ErrNotWhole = errors.New("the trail is not whole")

// Report is what Verify found.
type Report struct {
	Segments      int    `json:"segments"`
	Frames        int64  `json:"frames"`
	Exchanges     int64  `json:"exchanges"` // begun, or refused
	Events        int64  `json:"events"`
	UnderWay      int    `json:"underWay"` // exchanges begun and not ended
	FirstSequence uint64 `json:"firstSequence"`
	LastSequence  uint64 `json:"lastSequence"`
	Hash          string `json:"hash"` // chain hash of the last frame, hex
	// TailBytes are the bytes of a frame at the end that is not whole: one
	// that is being written at this moment, or was when the process died.
	TailBytes int64    `json:"tailBytes,omitempty"`
	Problem   *Problem `json:"problem,omitempty"` // the first bad record
	// Excerpt says that these are some days of a trail, as a manifest beside them
	// tells, and not all of it.
	Excerpt bool   `json:"excerpt,omitempty"`
	Losses  []Loss `json:"losses,omitempty"`
	// Signatures are what of the trail is signed.
	Signatures Signatures `json:"signatures"`
	// Checked is when the walk began.
	Checked time.Time `json:"checked"`
}

// Problem names the first record that is not as it was written.
type Problem struct {
	File     string `json:"file"`     // name inside the folder of the trail
	Offset   int64  `json:"offset"`   // bytes from the start of the file
	Sequence uint64 `json:"sequence"` // that the record at this place has, or should have
	Reason   string `json:"reason"`
}

// Loss is a range of records that the trail itself found missing when it was
// opened.
type Loss struct {
	Sequence    uint64 `json:"sequence"` // of the event that tells of it
	FirstMissed uint64 `json:"firstMissed"`
	LastMissed  uint64 `json:"lastMissed"`
}

// Err is nil when the trail is whole; else it wraps ErrNotWhole and names the
// first bad record.
func (r Report) Err() error {
	switch {
	case r.Problem != nil:
		return fmt.Errorf("%w: %s at byte %d, record %d: %s",
			ErrNotWhole, r.Problem.File, r.Problem.Offset, r.Problem.Sequence, r.Problem.Reason)
	case len(r.Losses) > 0:
		l := r.Losses[0]
		return fmt.Errorf("%w: records %d to %d were missing when the trail was opened (told by record %d)",
			ErrNotWhole, l.FirstMissed, l.LastMissed, l.Sequence)
	}
	return nil
}
