package audit

import (
	"encoding/hex"
	"errors"
	"io"
	"time"
)

// VerifyOptions say what VerifyDirWith walks, and with which keys. The zero
// value takes all, with the keys in the folder.
type VerifyOptions struct {
	// Keys verify the signatures. Nil means those in the folder of the trail,
	// which whoever can write the folder can replace.
	Keys []PublicKey
	// Signed makes it a problem when anything up to the end is not covered by a
	// signature of Keys.
	Signed bool
	// From and To choose the partitions that were written between them, To
	// exclusive; zero: no bound.
	From, To time.Time
	// First and Last choose the partitions that hold the records with these
	// sequences; 0: no bound.
	First, Last uint64
}

// ErrNoRange says that the trail holds nothing of the range that was asked for.
var ErrNoRange = errors.New("the trail holds nothing of this range")

func (o *VerifyOptions) ranged() bool {
	return !o.From.IsZero() || !o.To.IsZero() || o.First != 0 || o.Last != 0
}

// choose returns the first and the last index of the segments of the range. A
// segment of which the first frame can't be read is taken along: the walk says
// what is wrong with it.
func (o *VerifyOptions) choose(files []*scanner) (first, last int, err error) {
	first, last = 0, len(files)-1
	begins := func(i int) uint64 {
		h, _, err := newScanner(files[i].file, files[i].day, 0, false).next()
		if err != nil {
			return 0
		}
		return h.seq
	}
	for i := range files {
		next := i + 1
		if !o.From.IsZero() && next < len(files) && files[next].day <= dayOf(o.From) {
			first = max(first, next)
		}
		if !o.To.IsZero() && i > 0 && files[i].day > dayOf(o.To.Add(-1)) {
			last = min(last, i-1)
		}
		if o.First != 0 && next < len(files) {
			if seq := begins(next); seq != 0 && seq <= o.First {
				first = max(first, next)
			}
		}
		if o.Last != 0 && i > 0 {
			if seq := begins(i); seq > o.Last {
				last = min(last, i-1)
			}
		}
	}
	switch {
	case len(files) == 0 || first > last,
		!o.To.IsZero() && files[first].day > dayOf(o.To.Add(-1)),
		!o.From.IsZero() && files[last].day < dayOf(o.From),
		o.Last != 0 && begins(first) > o.Last:
		return 0, 0, ErrNoRange
	}
	return first, last, nil
}

// linked compares the end of the walk with what the segment behind says of it.
func (v *walk) linked(next *scanner) error {
	v.prior = v.at
	h, content, err := next.next()
	if errors.Is(err, io.EOF) || errors.Is(err, errShort) {
		return nil // it is being started
	}
	var bad badRecord
	if errors.As(err, &bad) {
		return v.problem(next, "%v", bad)
	}
	if err != nil {
		return err
	}
	start := *next
	start.off = 0
	if h.seq > v.at.seq+1 {
		return nil // partitions between were dropped; a walk over all judges that
	}
	if h.kind != frameSegment || h.seq != v.at.seq+1 || h.prev != v.at.hash {
		return v.problem(&start, "it does not follow on the record %d with the hash %s", v.at.seq, hex.EncodeToString(v.at.hash[:]))
	}
	return v.link(&start, content[:h.meta])
}
