package audit

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
)

// resync looks behind a place where no frame follows for where the log goes on:
// the first whole frame that does not itself go on with one before. from is where
// the damage begins, last the sequence before it; what is behind limit is not
// looked at. The reader of s stays where it is: seek moves it.
//
// Bodies are of the clients' making, and one may hold what looks like a frame.
// So nothing is looked for inside a frame of which the header says how long it
// is, and a frame that another one follows is preferred.
func (s *scanner) resync(from int64, last uint64, limit int64) (header, int64, bool, error) {
	begin := from
	info, err := s.file.Stat()
	if err != nil {
		return header{}, 0, false, fmt.Errorf("reading %s: %w", s.day.logName(), err)
	}
	limit = min(limit, info.Size())
	head := make([]byte, headerSize)
	if n, err := s.file.ReadAt(head, from); err != nil && err != io.EOF {
		return header{}, 0, false, fmt.Errorf("reading %s: %w", s.day.logName(), err)
	} else if n == headerSize {
		if h, err := parseHeader(head, true); err == nil && !s.wholeAt(&h, from, limit) {
			from += h.size()
		} else if next := from + int64(sizeOf(head)); err != nil && next > from && next < limit {
			// The lengths may be good though something else in the header is not.
			if h, ok := s.startAt(next, last, next-begin, limit); ok && s.leadsOn(&h, next, limit) {
				return h, next, true, nil
			}
		}
	}
	return s.lookFor(begin, from, last, limit)
}

// lookFor is resync without regard to what is at from.
func (s *scanner) lookFor(begin, from int64, last uint64, limit int64) (first header, firstOff int64, found bool, err error) {
	buf := make([]byte, 1<<20)
	for off := from; off < limit; {
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), limit-off)], off)
		if err != nil && err != io.EOF {
			return first, 0, false, fmt.Errorf("reading %s: %w", s.day.logName(), err)
		}
		for i := 0; ; i++ {
			next := bytes.Index(buf[i:n], magic[:])
			if next < 0 {
				break
			}
			i += next
			at := off + int64(i)
			h, ok := s.startAt(at, last, at-begin, limit)
			switch {
			case !ok:
			case s.leadsOn(&h, at, limit):
				return h, at, true, nil
			case !found:
				first, firstOff, found = h, at, true
			}
		}
		if n < len(magic) {
			break
		}
		off += int64(n - len(magic) + 1)
	}
	return first, firstOff, found, nil
}

// startAt reports whether a whole frame is at off that a log which came to last
// can go on with.
func (s *scanner) startAt(off int64, last uint64, damaged, limit int64) (header, bool) {
	head := make([]byte, headerSize)
	if _, err := s.file.ReadAt(head, off); err != nil {
		return header{}, false
	}
	h, err := parseHeader(head, true)
	if err != nil || h.kind.continues() || h.seq <= last || h.seq > math.MaxUint64/2 {
		return h, false
	}
	// No more frames are lost than had room in what is damaged.
	if last > 0 && h.seq-last > uint64(damaged/headerSize)+1 {
		return h, false
	}
	return h, s.wholeAt(&h, off, limit)
}

// wholeAt reports whether the content of a frame at off is as its header says.
func (s *scanner) wholeAt(h *header, off, limit int64) bool {
	if off+h.size() > limit {
		return false
	}
	content := make([]byte, h.meta+h.body)
	if _, err := s.file.ReadAt(content, off+headerSize); err != nil && len(content) > 0 && err != io.EOF {
		return false
	}
	return h.checkContent(content, s.deep) == nil
}

// leadsOn reports whether the frame at off is followed by one that is linked to
// it, or by nothing.
func (s *scanner) leadsOn(h *header, off, limit int64) bool {
	next := off + h.size()
	if next == limit {
		return true
	}
	head := make([]byte, headerSize)
	if _, err := s.file.ReadAt(head, next); err != nil {
		return false
	}
	n, err := parseHeader(head, true)
	return err == nil && n.seq == h.seq+1 && n.prev == h.chain
}

// seek makes off the place of the next frame.
func (s *scanner) seek(off int64) {
	s.off = off
	s.r = bufio.NewReaderSize(io.NewSectionReader(s.file, off, 1<<62), 256<<10)
}

// passDamage moves s from a place where there is no frame to the next whole one,
// and returns the sequence before that. It is false when there is none.
func (s *scanner) passDamage(last uint64, why error) (uint64, bool, error) {
	h, off, found, err := s.resync(s.off, last, math.MaxInt64)
	if err != nil || !found {
		return last, false, err
	}
	s.noted(Damage{Day: s.day.String(), Offset: s.off, Sequence: last + 1, Reason: why.Error()})
	s.seek(off)
	return h.seq - 1, true, nil
}

func (s *scanner) noted(x Damage) {
	if s.saw != nil {
		s.saw(x)
	}
}

// segmentBegin is what is known of where a segment begins.
type segmentBegin struct {
	seq  uint64 // of the first frame that can be read
	prev chainHash
	meta segmentMeta
	why  error // the first frame is damaged; meta is empty then
}

// readBegin is readSegmentMeta for a segment whose first frame may be damaged:
// then it begins with the first that is not. The error is a badRecord or errShort
// where nothing of it can be read.
func readBegin(dir string, d day) (segmentBegin, error) {
	h, meta, err := readSegmentMeta(dir, d)
	if err == nil || !isTorn(err) {
		return segmentBegin{h.seq, h.prev, meta, nil}, err
	}
	s, openErr := scanSegment(dir, d, 0, true)
	if openErr != nil {
		return segmentBegin{}, openErr
	}
	defer s.close()
	next, _, found, lookErr := s.resync(0, 0, math.MaxInt64)
	switch {
	case lookErr != nil:
		return segmentBegin{}, lookErr
	case !found:
		return segmentBegin{}, err
	}
	return segmentBegin{seq: next.seq, prev: next.prev, why: err}, nil
}
