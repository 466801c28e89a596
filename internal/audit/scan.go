package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// scanner reads the frames of a segment in order.
type scanner struct {
	file *os.File
	r    *bufio.Reader // nil: not needed yet
	day  day
	off  int64 // of the next frame
	buf  []byte
	deep bool         // compare digests, not only checksums
	saw  func(Damage) // told of what passDamage passes over; nil: nobody
}

func scanSegment(dir string, d day, off int64, deep bool) (*scanner, error) {
	f, err := os.Open(filepath.Join(dir, d.logName()))
	if err != nil {
		return nil, fmt.Errorf("opening a segment: %w", err)
	}
	return newScanner(f, d, off, deep), nil
}

func newScanner(f *os.File, d day, off int64, deep bool) *scanner {
	return &scanner{file: f, day: d, off: off, deep: deep}
}

// reader makes the buffer when it is needed: a walk has all segments open.
func (s *scanner) reader() *bufio.Reader {
	if s.r == nil {
		s.r = bufio.NewReaderSize(io.NewSectionReader(s.file, s.off, 1<<62), 256<<10)
	}
	return s.r
}

// rest gives the buffers up. The scanner goes on where it was.
func (s *scanner) rest() { s.r, s.buf = nil, nil }

func (s *scanner) close() { s.file.Close() }

// next returns the next frame and its content, which is valid until the next
// call. At the end the error is io.EOF, inside a frame errShort.
func (s *scanner) next() (header, []byte, error) {
	b, err := s.reader().Peek(headerSize)
	if len(b) == 0 && err == io.EOF {
		return header{}, nil, io.EOF
	}
	if err != nil && err != io.EOF {
		return header{}, nil, fmt.Errorf("reading %s: %w", s.day.logName(), err)
	}
	h, err := parseHeader(b, true)
	if err != nil {
		return h, nil, err
	}
	s.r.Discard(headerSize)
	content, err := s.content(int(h.meta + h.body))
	if err != nil {
		return h, nil, err
	}
	if err := h.checkContent(content, s.deep); err != nil {
		return h, nil, err
	}
	s.off += h.size()
	return h, content, nil
}

// content reads n bytes. The buffer grows as bytes arrive, not as a length
// field promises.
func (s *scanner) content(n int) ([]byte, error) {
	s.buf = s.buf[:0]
	for len(s.buf) < n {
		step := min(n-len(s.buf), 4<<20)
		start := len(s.buf)
		s.buf = append(s.buf, make([]byte, step)...)
		if _, err := io.ReadFull(s.r, s.buf[start:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, errShort
			}
			return nil, fmt.Errorf("reading %s: %w", s.day.logName(), err)
		}
	}
	return s.buf, nil
}

// at is the position behind a frame that next has just returned.
func (s *scanner) at(h *header) position {
	return position{seq: h.seq, hash: h.chain, day: s.day, off: s.off, last: s.off - h.size()}
}

// endMeta is the meta data of a response half.
type endMeta struct {
	ID string `json:"id"`
	Outcome
}

// wholeMeta is the meta data of a refused request.
type wholeMeta struct {
	ID       string   `json:"id"`
	Exchange Exchange `json:"exchange"`
	Outcome  Outcome  `json:"outcome"`
}

// item is a frame as the index is told of it.
type item struct {
	kind frameKind
	at   position // behind the frame
	row  *row     // nil for the start of a segment, for what belongs to a frame before, and where it can't be decoded
	lost uint64   // how many frames directly before it are damaged
}

// completes reports whether the frame completes a record.
func (it item) completes() bool {
	return it.row != nil && it.kind != frameBegin && it.kind != framePart
}

// keep keeps known up with what is under way.
func (it item) keep(known map[string]*row) {
	switch {
	case it.row == nil:
	case !it.completes():
		known[it.row.id] = it.row
	case it.kind == frameEnd:
		delete(known, it.row.id)
	}
}

// decodeItem makes an item of a frame that was read. known finds exchanges that
// are under way.
func decodeItem(h *header, meta []byte, at position, known func(id string) *row) (item, error) {
	it := item{kind: h.kind, at: at}
	first := place{at.day, at.last}
	when := time.Unix(0, h.time)
	var err error
	switch h.kind {
	case frameSegment, framePiece, frameParts:
		return it, nil
	case framePart:
		p, id, err := decodePart(h, meta, first)
		if begun := known(id); begun != nil {
			it.row = begun.withPart(p)
		}
		return it, err
	case frameBegin:
		var x Exchange
		_, err = decodeExchange(string(meta), &x)
		it.row = exchangeRow(&x, when)
	case frameEnd:
		var e endMeta
		if _, err = decodeEnd(string(meta), &e); err != nil {
			break
		}
		if begun := known(e.ID); begun != nil {
			it.row = begun.completed(&e.Outcome, first)
			return it, nil
		}
		it.row = exchangeRow(&Exchange{ID: e.ID}, when)
		it.row.setOutcome(&e.Outcome)
		it.row.second, it.row.ended = first, true
	case frameWhole:
		var m wholeMeta
		_, _, _, err = decodeWhole(string(meta), &m)
		it.row = exchangeRow(&m.Exchange, when)
		it.row.setOutcome(&m.Outcome)
	case frameEvent:
		var e Event
		_, err = decodeEvent(string(meta), &e)
		it.row = eventRow(&e, when)
	default:
		return it, fmt.Errorf("%w: kind %d of a record is not known", ErrDamaged, h.kind)
	}
	if err != nil {
		return item{kind: h.kind, at: at}, wrapMeta(err)
	}
	it.row.seq, it.row.first = h.seq, first
	return it, nil
}

func wrapMeta(err error) error {
	if err != nil {
		return badRecord("its meta data can't be decoded: " + err.Error())
	}
	return nil
}

// readSegmentMeta returns the first frame of a segment.
func readSegmentMeta(dir string, d day) (header, segmentMeta, error) {
	var meta segmentMeta
	s, err := scanSegment(dir, d, 0, true)
	if err != nil {
		return header{}, meta, err
	}
	defer s.close()
	h, content, err := s.next()
	if err == io.EOF {
		err = errShort
	}
	if err != nil {
		return h, meta, err
	}
	if h.kind != frameSegment {
		return h, meta, badRecord("it does not begin as a segment does")
	}
	return h, meta, wrapMeta(json.Unmarshal(content, &meta))
}
