package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
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
	// Pace bounds how many bytes of segments are read in a second; 0: no bound.
	Pace int64
	// Progress is told, now and then and from the caller's goroutine, how many
	// bytes of how many were read. Nil: nobody is.
	Progress func(read, all int64)
}

// ErrNoRange says that the trail holds nothing of the range that was asked for.
var ErrNoRange = errors.New("the trail holds nothing of this range")

// ParseVerifyBound reads a bound of a range: a day, which ends a range as a whole,
// a time or a sequence; "" is none. The error says what it must be.
func ParseVerifyBound(text string, end bool) (time.Time, uint64, error) {
	if text == "" {
		return time.Time{}, 0, nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil && seq > 0 {
		return time.Time{}, seq, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, 0, errors.New("a day as 2030-01-31, a time as 2030-01-31T12:00:00Z, or a sequence")
	}
	return at, 0, nil
}

// Check says what is wrong with a range.
func (o *VerifyOptions) Check(now time.Time) error {
	switch {
	case !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To), o.First != 0 && o.Last != 0 && o.First > o.Last:
		return errors.New("from must be before to")
	case o.From.After(now):
		return errors.New("from is in the future")
	}
	return nil
}

// pace is how far a walk has come.
type pace struct {
	begun     time.Time
	read, all int64
	told      int64 // up to where the last step went
}

// paceStep is after how many bytes a walk looks whether it is too fast.
const paceStep = 1 << 20

// advance counts n bytes, and waits where that was too fast.
func (v *walk) advance(ctx context.Context, n int64) error {
	p := &v.pace
	if p.read += n; p.read-p.told < paceStep {
		return nil
	}
	p.told = p.read
	if v.options.Progress != nil {
		v.options.Progress(p.read, max(p.all, p.read))
	}
	if v.options.Pace <= 0 {
		return nil
	}
	ahead := time.Duration(float64(p.read)/float64(v.options.Pace)*float64(time.Second)) - time.Since(p.begun)
	if ahead <= 0 {
		return nil
	}
	select {
	case <-time.After(ahead):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// measure adds how much there is to read in files.
func (v *walk) measure(files []*scanner) {
	for _, s := range files {
		switch info, err := s.file.Stat(); {
		case v.memory != nil && s.day == v.memory.day:
			v.pace.all += v.memory.off
		case err == nil:
			v.pace.all += info.Size()
		}
	}
}

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
