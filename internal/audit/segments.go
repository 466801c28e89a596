package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Segment is the file of a day that has ended. It is never written again.
type Segment struct {
	Day         string // "2026-03-10"
	First, Last uint64 // sequences of its frames
}

// Segments are the days that have ended and are kept, the oldest first. A day
// whose end is not known, because the start of the next is damaged, is left out.
func (t *Trail) Segments() []Segment {
	var out []Segment
	parts := t.readers.list()
	for i, p := range parts {
		if i+1 < len(parts) && p.span.last != 0 {
			out = append(out, Segment{p.span.day.String(), p.span.first, p.span.last})
		}
	}
	return out
}

// OpenSegment opens the file of a day for reading. What was opened can be read to
// its end also when retention drops the day meanwhile.
func (t *Trail) OpenSegment(name string) (*os.File, error) {
	d, err := parseDay(name)
	if err != nil {
		return nil, fmt.Errorf("opening a segment: %q is no day", name)
	}
	f, err := os.Open(filepath.Join(t.dir, d.logName()))
	if err != nil {
		return nil, fmt.Errorf("opening a segment: %w", err)
	}
	return f, nil
}

// SegmentHead is what head.json of a trail that ends with the day would have,
// signed now, and what HoldsFile would: a copy of the days up to it is a trail of
// its own.
func (t *Trail) SegmentHead(ctx context.Context, name string) (kept, held []byte, err error) {
	d, err := parseDay(name)
	if err != nil {
		return nil, nil, fmt.Errorf("making the head of a segment: %q is no day", name)
	}
	end, stood, err := t.segmentEnd(ctx, d)
	if err != nil {
		return nil, nil, fmt.Errorf("making the head of a segment: %w", err)
	}
	data, err := json.Marshal(t.signedHead(end, false, stood.heading()))
	if err != nil {
		return nil, nil, fmt.Errorf("making the head of a segment: %w", err)
	}
	return append(data, '\n'), holdsFileText(stood.list()), nil
}

// segmentEnd is the place at the end of a day, and what was held then. The start of
// the next day has both, so that a day of gigabytes is only read where that is
// damaged.
func (t *Trail) segmentEnd(ctx context.Context, d day) (end position, stood *holding, err error) {
	parts := t.readers.list()
	for i := range len(parts) - 1 {
		if parts[i].span.day != d {
			continue
		}
		info, err := os.Stat(filepath.Join(t.dir, d.logName()))
		if err != nil {
			return end, nil, err
		}
		next, meta, err := readSegmentMeta(t.dir, parts[i+1].span.day)
		if err == nil && next.seq == parts[i].span.last+1 {
			return position{seq: next.seq - 1, hash: next.prev, day: d, off: info.Size()}, meta.Holding, nil
		}
	}
	s, err := scanSegment(t.dir, d, 0, false)
	if err != nil {
		return end, nil, err
	}
	defer s.close()
	for {
		if err := ctx.Err(); err != nil {
			return end, nil, err
		}
		h, meta, err := s.skimOn()
		if err == io.EOF {
			return end, stood, nil
		}
		if err != nil {
			return end, nil, err
		}
		end, stood = s.at(&h), stood.later(toldIn(h.kind, meta).holding)
	}
}

// Hash is the chain hash of the last frame before the mark, hex; "" at the
// beginning.
func (m Mark) Hash() string {
	if m.at.seq == 0 {
		return ""
	}
	return hex.EncodeToString(m.at.hash[:])
}
