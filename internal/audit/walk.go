package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"go.uber.org/zap"
)

// begunBytes bounds what a walker keeps of the request halves that it has
// passed; those that do not fit are read again when their exchange ends.
const begunBytes = 8 << 20

// Gap is a run of sequences that a reader could not hand on.
type Gap struct {
	From, To uint64 // the first and the last
	Reason   string // a sentence
}

// walker reads the records of the segments in the order in which they were
// completed. It needs no lock against retention: a file that is read stays
// readable though it is removed.
type walker struct {
	t     *Trail
	at    position
	s     *scanner
	limit *limited
	last  uint64 // of the segment that s reads, 0: it is still written
	begun map[string]*begun
	kept  int64
	only  *Range // nil: all records
	gaps  []Gap
}

// begun is a request half that was passed.
type begun struct {
	place
	seq  uint64
	time int64
	half half // content is nil when it was not kept
}

// half is the content of a frame.
type half struct {
	header
	content []byte // meta data and stored body
	at      place
}

func (h *half) meta() []byte { return h.content[:h.header.meta] }

func newWalker(t *Trail, at position) *walker {
	return &walker{t: t, at: at, begun: map[string]*begun{}}
}

func (w *walker) close() {
	if w.s != nil {
		w.s.close()
		w.s = nil
	}
}

// limited reads a file up to an offset that moves on: what is behind it may
// not be whole, or may yet be taken back.
type limited struct {
	file *os.File
	off  int64
	end  int64
}

func (l *limited) Read(b []byte) (int, error) {
	if l.off >= l.end {
		return 0, io.EOF
	}
	n, err := l.file.ReadAt(b[:min(int64(len(b)), l.end-l.off)], l.off)
	l.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// next returns the next record that was completed, nil when there is none up
// to end.
func (w *walker) next(ctx context.Context, end position) (*Record, error) {
	for w.at.seq < end.seq {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if ok, err := w.open(end); err != nil || !ok {
			return nil, err
		}
		h, content, err := w.s.next()
		switch {
		case isTorn(err) || err == io.EOF:
			if err := w.passOver(end, err); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			w.close()
			return nil, err
		}
		r, err := w.take(ctx, &half{h, content, place{w.s.day, w.s.off - h.size()}})
		if damaged(err) { // of this record nothing can be told
			w.saw(w.s.off-h.size(), h.seq, err)
			w.gaps = append(w.gaps, Gap{h.seq, h.seq, "it is damaged: " + err.Error()})
			r, err = nil, nil
		}
		if err != nil {
			w.close() // the frame is read again
			return nil, err
		}
		w.at = w.s.at(&h)
		if r != nil {
			for _, x := range r.Damaged {
				w.t.damages.saw(x)
			}
			r.mark = Mark{w.at}
			return r, nil
		}
	}
	return nil, nil
}

// open makes s read what is behind at. It is false when there is nothing.
func (w *walker) open(end position) (bool, error) {
	if w.s != nil && (w.last == 0 || w.at.seq < w.last) {
		if w.at.day == end.day {
			w.limit.end = end.off
			return true, nil
		}
		if w.last != 0 {
			return true, nil
		}
	}
	for {
		w.close()
		p, ok := w.part()
		if !ok {
			return false, nil
		}
		if p.span.day != w.at.day || w.at.seq == 0 {
			w.skipTo(max(p.span.first, 1), "retention dropped them, or they were lost")
			w.at = position{day: p.span.day, seq: max(p.span.first, w.at.seq+1) - 1, hash: w.at.hash}
		}
		s, err := scanSegment(w.t.dir, w.at.day, w.at.off, false)
		if errors.Is(err, os.ErrNotExist) && !w.t.readers.has(w.at.day) {
			continue
		}
		if err != nil {
			return false, err
		}
		w.limit = &limited{file: s.file, off: w.at.off, end: 1 << 62}
		if w.at.day == end.day {
			w.limit.end = end.off
		}
		s.reader().Reset(w.limit)
		w.s, w.last = s, p.span.last
		return true, nil
	}
}

// part finds the partition that holds what is behind at.
func (w *walker) part() (part, bool) {
	parts := w.t.readers.list()
	i := slices.IndexFunc(parts, func(p part) bool {
		return w.at.seq == 0 || p.span.day > w.at.day || p.span.day == w.at.day && (p.span.last == 0 || w.at.seq < p.span.last)
	})
	if i < 0 {
		return part{}, false
	}
	return parts[i], true
}

// skipTo notes that what is before the sequence next is not to be had. At the
// very beginning of a walk nothing is missed.
func (w *walker) skipTo(next uint64, reason string) {
	if w.at.seq > 0 && next > w.at.seq+1 {
		w.gaps = append(w.gaps, Gap{w.at.seq + 1, next - 1, reason})
	}
}

// passOver looks for the next whole frame behind one that is not.
func (w *walker) passOver(end position, why error) error {
	from := w.s.off
	w.t.log.Error("a damaged place of the trail is passed over",
		zap.String("file", w.at.day.logName()), zap.Int64("offset", from), zap.Error(why))
	limit := w.limit.end
	defer w.close()
	h, off, found, err := w.s.resync(from, w.at.seq, limit)
	switch {
	case err != nil:
		return err
	case found:
		w.saw(from, w.at.seq+1, why)
		w.skipTo(h.seq, "their place in the trail is damaged")
		w.at = position{seq: h.seq - 1, hash: h.prev, day: w.at.day, off: off}
		return nil
	case w.last != 0:
		w.saw(from, w.at.seq+1, why)
		w.skipTo(w.last+1, "their place in the trail is damaged")
		w.at = position{day: w.at.day, seq: w.last, hash: w.at.hash, off: from}
		return nil
	case w.at.day != end.day:
		return nil // the day has turned meanwhile
	}
	return fmt.Errorf("reading %s at %d: %w; nothing behind it can be read either", w.at.day.logName(), from, why)
}

func (w *walker) saw(off int64, seq uint64, why error) {
	w.t.damages.saw(Damage{Day: w.at.day.String(), Offset: off, Sequence: seq, Reason: why.Error()})
}

// take makes a record of a frame that completes one.
func (w *walker) take(ctx context.Context, f *half) (*Record, error) {
	switch f.kind {
	case frameSegment, framePart, framePiece, frameParts: // read with the frame that they belong to
		return nil, nil
	case frameBegin:
		return nil, w.keep(f)
	case frameEnd:
		return w.complete(ctx, f)
	case frameWhole, frameEvent:
		if !w.only.holds(f.header.time) || !w.only.completes(f.seq) {
			return nil, nil
		}
		r := &Record{RecordID: w.t.ids.recordID(f.seq), Sequence: f.seq, Time: asTime(f.header.time)}
		return r, w.t.fillFirst(r, f)
	}
	return nil, fmt.Errorf("%w: kind %d of a record is not known", ErrDamaged, f.kind)
}

// keep remembers a request half.
func (w *walker) keep(f *half) error {
	var m struct {
		ID string `json:"id"`
	}
	id, ok := leadingID(f.meta())
	if !ok {
		if err := json.Unmarshal(f.meta(), &m); err != nil {
			return wrapMeta(err)
		}
		id = m.ID
	}
	b := &begun{place: place{w.s.day, w.s.off - f.size()}, seq: f.seq, time: f.header.time, half: half{header: f.header, at: f.at}}
	if w.only.holds(b.time) && w.kept+int64(len(f.content)) <= begunBytes {
		b.half.content = slices.Clone(f.content)
		w.kept += int64(len(f.content))
	}
	w.begun[id] = b
	return nil
}

// complete makes the record of an exchange whose response half is f.
func (w *walker) complete(ctx context.Context, f *half) (*Record, error) {
	if id, ok := leadingID(f.meta()); ok && w.only != nil {
		if b := w.begun[id]; !w.only.completes(f.seq) || b != nil && !w.only.holds(b.time) {
			w.forget(id)
			return nil, nil
		}
	}
	m := &endMeta{}
	meta := string(f.meta())
	plain, err := decodeEnd(meta, m)
	if err != nil {
		return nil, wrapMeta(err)
	}
	b := w.begun[m.ID]
	if b == nil {
		return w.lookUp(ctx, m, meta, plain, f)
	}
	r := &Record{RecordID: w.t.ids.recordID(b.seq), Sequence: b.seq, Time: asTime(b.time)}
	first, err := w.first(b)
	switch {
	case errors.Is(err, os.ErrNotExist) && !w.t.readers.has(b.day): // retention dropped it
	case err == nil:
		err = w.t.fillFirst(r, first)
		fallthrough
	default:
		if err = r.wounded(b.place, b.seq, err); err != nil {
			return nil, err
		}
	}
	if r.Exchange == nil || r.Exchange.ID == "" {
		r.ID, r.Exchange = m.ID, &Exchange{ID: m.ID, Time: r.Time}
	}
	if err := w.t.fillSecond(r, m, meta, plain, f); err != nil {
		return nil, err
	}
	w.forget(m.ID)
	return r, nil
}

func (w *walker) forget(id string) {
	if b := w.begun[id]; b != nil {
		w.kept -= int64(len(b.half.content))
		delete(w.begun, id)
	}
}

// first returns a request half, read again where it was not kept.
func (w *walker) first(b *begun) (*half, error) {
	if b.half.content != nil {
		return &b.half, nil
	}
	s, err := scanSegment(w.t.dir, b.day, b.off, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	h, content, err := s.next()
	if err != nil {
		return nil, fmt.Errorf("reading %s at %d: %w", b.day.logName(), b.off, err)
	}
	return &half{h, content, b.place}, nil
}

// lookUp makes the record of an exchange that began before the walk did.
func (w *walker) lookUp(ctx context.Context, m *endMeta, meta string, plain bool, f *half) (*Record, error) {
	var found *Record
	err := w.t.Query(ctx, Filter{ID: m.ID, Descending: true, Bodies: true}, func(r *Record) error {
		if r.EndSequence != f.seq {
			return nil
		}
		found = r
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) && !isTorn(err) {
		return nil, err
	}
	if found != nil && !w.only.holds(found.Time.UnixNano()) {
		return nil, nil
	}
	if found != nil {
		found.size = f.size() + int64(len(found.RequestBody)+len(found.ResponseBody))
		return found, nil
	}
	// The request half is not to be had: the record says what there is.
	r := &Record{RecordID: w.t.ids.recordID(f.seq), Sequence: f.seq, Time: asTime(f.header.time)}
	r.ID, r.Exchange = m.ID, &Exchange{ID: m.ID, Time: r.Time}
	return r, w.t.fillSecond(r, m, meta, plain, f)
}

// fillFirst fills in what the frame that begins a record says.
func (t *Trail) fillFirst(r *Record, f *half) error {
	err := r.setFirst(f.kind, f.meta())
	if err != nil {
		return err
	}
	r.RequestBytes, r.RequestTruncated = f.raw, f.cut
	r.RequestBody, err = t.body(r, f, &r.RequestTruncated)
	r.size += f.header.meta + int64(len(r.RequestBody))
	return r.wounded(f.at, f.seq, err)
}

// fillSecond fills in what a response half says.
func (t *Trail) fillSecond(r *Record, m *endMeta, meta string, plain bool, f *half) error {
	r.EndSequence = f.seq
	r.setSecond(m, meta, plain)
	r.ResponseBytes, r.ResponseTruncated = f.raw, f.cut
	var err error
	r.ResponseBody, err = t.body(r, f, &r.ResponseTruncated)
	r.size += f.header.meta + int64(len(r.ResponseBody))
	return r.wounded(f.at, f.seq, err)
}

// body restores the body of a frame, nil when none was kept, and the parts of
// its exchange into r. It shares no bytes with the frame, which the scanner uses
// again. Where retention has removed the frames that go on with it, it is cut.
func (t *Trail) body(r *Record, f *half, cut *bool) ([]byte, error) {
	if f.more > 0 {
		given, err := t.joined(r, f.at)
		if !errors.Is(err, os.ErrNotExist) {
			return given, err
		}
		*cut = true
	}
	stored := f.content[f.header.meta:]
	if len(stored) == 0 {
		return nil, nil
	}
	return t.compressor.restore(nil, stored, f.codec)
}

// joined reads a frame again, with those that belong to it.
func (t *Trail) joined(r *Record, at place) ([]byte, error) {
	frames := newFrames(t.ids, t.dir, t.compressor)
	defer frames.close()
	fr, err := frames.read(at, true)
	if err != nil {
		return nil, err
	}
	for i := range fr.parts {
		part, _, err := frames.part(&fr.parts[i], true)
		at, _ := fr.parts[i].place()
		if err = r.wounded(at, fr.parts[i].Sequence, err); err != nil {
			return nil, err
		}
		r.Parts = append(r.Parts, part)
		r.size += int64(len(part.Body))
	}
	return fr.given, nil
}

// leadingID returns the id that the meta data of a half begins with. It is false
// where the id has to be looked for with a parser.
func leadingID(meta []byte) (string, bool) {
	rest, ok := bytes.CutPrefix(meta, []byte(`{"id":"`))
	if !ok {
		return "", false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return "", false
	}
	return string(rest[:end]), true
}
