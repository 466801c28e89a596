package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// frames reads single frames for one query, best in an order that is near that of
// the segments.
type frames struct {
	ids        incarnations
	dir        string
	compressor *compressor
	files      map[day]*os.File
	blocks     blocks
	wide       []byte // the frame that was read last, where it is longer than a block

	// again says that the bodies of a record go when the next is read. Those that
	// do not fit into most bytes are then left out, and Record.long says where
	// they are.
	again bool
	most  int64
	room  []byte // the bodies
}

// wideKept bounds how much room for frames that are longer than a block is kept.
const wideKept = 2 * pieceBytes

func newFrames(ids incarnations, dir string, c *compressor) *frames {
	return &frames{ids: ids, dir: dir, compressor: c, files: map[day]*os.File{}}
}

func (f *frames) close() {
	for _, file := range f.files {
		file.Close()
	}
}

// depth is how much of a frame is read, and how closely it is looked at.
type depth int

const (
	metaOnly depth = iota // no body
	checked               // the body too, by the checksum: what the disk has changed is seen
	proven                // by the digest too, which nobody can make fit
)

// frame is a frame that was read, with what belongs to it; given is nil when
// bodies were not asked for.
type frame struct {
	header
	metaData []byte
	given    []byte
	long     bool         // given was left out
	parts    []storedPart // of a response half
}

// read reads the frame at p and those that belong to it. The meta data is valid
// until the next call.
func (f *frames) read(p place, bodies bool) (*frame, error) {
	fr, err := f.tryRead(p, bodies)
	if err != nil {
		return nil, fmt.Errorf("reading %s at %d: %w", p.day.logName(), p.off, err)
	}
	return fr, nil
}

func (f *frames) tryRead(p place, bodies bool) (*frame, error) {
	how := metaOnly
	if bodies {
		how = proven
	}
	fr, begun := &frame{}, len(f.room)
	err := f.walk(p, &how, func(h *header, content []byte) error {
		var err error
		switch {
		case h.kind == frameParts:
			fr.parts, err = readParts(content[:h.meta])
			return err
		case h.kind != framePiece:
			fr.header, fr.metaData = *h, content[:h.meta]
			if h.more > 0 {
				fr.metaData = slices.Clone(fr.metaData)
			}
			if bodies && h.body > 0 && f.most > 0 && int64(len(f.room))+h.raw > f.most {
				fr.long, bodies, how = true, false, metaOnly
			}
		}
		switch {
		case !bodies && fr.more > 0 && (h.kind == framePiece || fr.kind != frameEnd):
			return errStop // only pieces of the body follow
		case !bodies || h.body == 0:
			return nil
		}
		room, err := f.compressor.restore(f.room, content[h.meta:], h.codec)
		if err == nil {
			f.room = room
		}
		return err
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	if given := f.room[begun:]; len(given) > 0 {
		fr.given = given[:len(given):len(given)]
	}
	if !f.again {
		f.room = nil
	}
	return fr, err
}

// walk calls fn with a frame and then with those that belong to it. The content
// is valid until fn returns, which may change how for those that follow.
func (f *frames) walk(p place, how *depth, fn func(h *header, content []byte) error) error {
	var before header
	for {
		h, content, err := f.single(p, *how)
		if err == nil && before.kind != 0 {
			err = h.follows(before.more)
		}
		if err == nil && before.kind != 0 && h.prev != before.chain {
			err = badRecord("it is not linked to the record before")
		}
		if err == nil {
			err = fn(&h, content)
		}
		if err != nil || h.more == 0 {
			return err
		}
		p.off += h.size()
		before = h
	}
}

func readParts(meta []byte) ([]storedPart, error) {
	var m partsMeta
	err := json.Unmarshal(meta, &m)
	return m.Parts, wrapMeta(err)
}

// single reads one frame: its header, and its content, of which metaOnly may
// leave the body out. The content is valid until the next call.
func (f *frames) single(p place, how depth) (header, []byte, error) {
	file, err := f.file(p.day)
	if err != nil {
		return header{}, nil, err
	}
	h, content, err := f.trySingle(file, p, how)
	if _, bad := errors.AsType[badRecord](err); bad || errors.Is(err, errShort) {
		// It may have been written since the block was read.
		f.blocks.drop(p.day, p.off)
		h, content, err = f.trySingle(file, p, how)
	}
	return h, content, err
}

func (f *frames) trySingle(file *os.File, p place, how depth) (h header, content []byte, err error) {
	buf, err := f.blocks.at(file, p.day, p.off, headerSize)
	if err != nil {
		return h, nil, err
	}
	if h, err = parseHeader(buf, how == proven); err != nil {
		return h, nil, err
	}
	need := headerSize + int(h.meta)
	if how != metaOnly {
		need = int(h.size())
	}
	switch {
	case len(buf) >= need:
	case need <= blockMost:
		buf, err = f.blocks.at(file, p.day, p.off, need)
	default:
		buf, err = f.readWide(file, p.off, need)
	}
	if err == nil && len(buf) < need {
		err = errShort
	}
	if err != nil {
		return h, nil, err
	}
	if content = buf[headerSize:]; len(buf) < int(h.size()) {
		return h, content, nil
	}
	content = content[:h.meta+h.body]
	return h, content, h.checkContent(content, how == proven)
}

// readWide reads what is longer than a block.
func (f *frames) readWide(file *os.File, off int64, n int) ([]byte, error) {
	buf := f.wide
	if cap(buf) < n {
		buf = make([]byte, n)
		if n <= wideKept {
			f.wide = buf
		}
	}
	n, err := file.ReadAt(buf[:n], off)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}

func (f *frames) file(d day) (*os.File, error) {
	if file := f.files[d]; file != nil {
		return file, nil
	}
	file, err := os.Open(filepath.Join(f.dir, d.logName()))
	if err != nil {
		return nil, err
	}
	f.files[d] = file
	return file, nil
}

// record reads both halves of a record.
func (f *frames) record(h hit, bodies bool) (*Record, error) {
	if f.room = f.room[:0]; cap(f.room) > wideKept {
		f.room = nil
	}
	r := &Record{RecordID: f.ids.recordID(h.seq), Sequence: h.seq, Time: asTime(h.time)}
	var err error
	if h.first.off >= 0 {
		err = r.wounded(h.first, h.seq, f.first(r, h.first, bodies))
		if errors.Is(err, os.ErrNotExist) && h.second.off > 0 {
			err = nil // retention dropped the request half
		}
	}
	if err == nil && h.second.off > 0 {
		err = r.wounded(h.second, 0, f.second(r, h.second, bodies))
	}
	if err == nil && r.Exchange == nil && r.Event == nil {
		r.unreadable()
	}
	return r, err
}

// salvage is the meta data of a frame that is damaged, as far as it is there.
func (f *frames) salvage(p place) (header, []byte, bool) {
	file, err := f.file(p.day)
	if err != nil {
		return header{}, nil, false
	}
	head := make([]byte, headerSize)
	if _, err := file.ReadAt(head, p.off); err != nil {
		return header{}, nil, false
	}
	h, err := parseHeader(head, false)
	if err != nil {
		return h, nil, false
	}
	meta := make([]byte, h.meta)
	_, err = file.ReadAt(meta, p.off+headerSize)
	return h, meta, err == nil
}

// first reads the frame that begins a record.
func (f *frames) first(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if damaged(err) {
		if h, meta, ok := f.salvage(p); ok && r.setFirst(h.kind, meta) == nil {
			r.RequestBytes, r.RequestTruncated = h.raw, h.cut
		} else {
			r.ID, r.Exchange, r.Outcome, r.Event = "", nil, nil, nil
		}
	}
	if err != nil {
		return err
	}
	r.RequestBytes, r.RequestBody, r.RequestTruncated = fr.raw, fr.given, fr.cut
	if fr.long {
		r.leaves().request = p
	}
	return r.setFirst(fr.kind, fr.metaData)
}

// second reads the response half of an exchange.
func (f *frames) second(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if damaged(err) {
		if h, meta, ok := f.salvage(p); ok && r.fillEnd(h.seq, string(meta)) == nil {
			r.ResponseBytes, r.ResponseTruncated = h.raw, h.cut
		}
	}
	if err != nil {
		return err
	}
	if err := r.fillEnd(fr.seq, string(fr.metaData)); err != nil {
		return err
	}
	r.ResponseBytes, r.ResponseBody, r.ResponseTruncated = fr.raw, fr.given, fr.cut
	if fr.long {
		r.leaves().response = p
	}
	for i := range fr.parts {
		part, left, err := f.part(&fr.parts[i], bodies)
		at, _ := fr.parts[i].place()
		if err = r.wounded(at, fr.parts[i].Sequence, err); err != nil {
			return err
		}
		if left != (place{}) {
			r.leaves().parts[i] = left
		}
		r.Parts = append(r.Parts, part)
	}
	return nil
}

// part reads a part of an exchange, and tells where its body is if it was left
// out. Retention may have dropped its day.
func (f *frames) part(stored *storedPart, bodies bool) (p Part, left place, err error) {
	p = Part{Kind: stored.Kind, Bytes: stored.Bytes, Truncated: stored.Truncated}
	if !bodies {
		return p, left, nil
	}
	at, err := stored.place()
	if err != nil {
		return p, left, err
	}
	fr, err := f.read(at, true)
	if errors.Is(err, os.ErrNotExist) {
		return p, left, nil
	}
	if err == nil && (fr.kind != framePart || fr.seq != stored.Sequence) {
		err = badRecord("it is not the part of the exchange that its end names")
	}
	if err == nil {
		if p.Body = fr.given; fr.long {
			left = at
		}
	}
	return p, left, err
}
