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

// frames reads single frames for one query.
type frames struct {
	ids        incarnations
	dir        string
	compressor *compressor
	files      map[day]*os.File
	buf        []byte
}

func newFrames(ids incarnations, dir string, c *compressor) *frames {
	return &frames{ids: ids, dir: dir, compressor: c, files: map[day]*os.File{}, buf: make([]byte, 4096)}
}

func (f *frames) close() {
	for _, file := range f.files {
		file.Close()
	}
}

// frame is a frame that was read, with what belongs to it; given is nil when
// bodies were not asked for.
type frame struct {
	header
	metaData []byte
	given    []byte
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
	file, err := f.file(p.day)
	if err != nil {
		return nil, err
	}
	fr := &frame{}
	if fr.header, fr.metaData, fr.given, err = f.single(file, p.off, bodies); err != nil {
		return nil, err
	}
	if fr.more > 0 {
		fr.metaData = slices.Clone(fr.metaData)
		err = f.rest(file, p.off, fr, bodies)
	}
	return fr, err
}

// rest reads what belongs to a frame: the parts of its exchange, and the rest
// of its body if that is asked for.
func (f *frames) rest(file *os.File, off int64, fr *frame, bodies bool) error {
	for before := fr.header; before.more > 0; {
		off += before.size()
		h, meta, body, err := f.single(file, off, bodies)
		if err == nil {
			err = h.follows(before.more)
		}
		if err == nil && h.prev != before.chain {
			err = badRecord("it is not linked to the record before")
		}
		if err != nil {
			return err
		}
		switch {
		case h.kind == frameParts:
			var m partsMeta
			if err := json.Unmarshal(meta, &m); err != nil {
				return wrapMeta(err)
			}
			fr.parts = m.Parts
		case !bodies:
			return nil // only pieces of the body follow
		default:
			fr.given = append(fr.given, body...)
		}
		before = h
	}
	return nil
}

// single reads one frame. The meta data is valid until the next call.
func (f *frames) single(file *os.File, off int64, bodies bool) (h header, meta, body []byte, err error) {
	n, err := file.ReadAt(f.buf[:cap(f.buf)], off)
	if err != nil && err != io.EOF {
		return h, nil, nil, err
	}
	buf := f.buf[:n]
	if h, err = parseHeader(buf); err != nil {
		return h, nil, nil, err
	}
	need := headerSize + h.meta
	if bodies {
		need = h.size()
	}
	if int64(n) < need {
		buf = make([]byte, need)
		if _, err := file.ReadAt(buf, off); err != nil {
			return h, nil, nil, err
		}
	}
	if int64(len(buf)) >= h.size() {
		if err := h.checkContent(buf[headerSize:h.size()], bodies); err != nil {
			return h, nil, nil, err
		}
	}
	if bodies && h.body > 0 {
		stored := append([]byte(nil), buf[headerSize+h.meta:h.size()]...)
		body, err = f.compressor.restore(stored, h.codec)
	}
	return h, buf[headerSize : headerSize+h.meta], body, err
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
	r := &Record{RecordID: f.ids.recordID(h.seq), Sequence: h.seq, Time: asTime(h.time)}
	var err error
	if h.first.off >= 0 {
		err = f.first(r, h.first, bodies)
		if errors.Is(err, os.ErrNotExist) && h.second.off > 0 {
			err = nil // retention dropped the request half
		}
	}
	if err == nil && h.second.off > 0 {
		err = f.second(r, h.second, bodies)
	}
	return r, err
}

// first reads the frame that begins a record.
func (f *frames) first(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if err != nil {
		return err
	}
	r.RequestBytes, r.RequestBody, r.RequestTruncated = fr.raw, fr.given, fr.cut
	return r.setFirst(fr.kind, fr.metaData)
}

// second reads the response half of an exchange.
func (f *frames) second(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if err != nil {
		return err
	}
	m := &endMeta{}
	meta := string(fr.metaData)
	plain, err := decodeEnd(meta, m)
	if err != nil {
		return wrapMeta(err)
	}
	if r.Exchange == nil {
		r.ID, r.Exchange = m.ID, &Exchange{ID: m.ID, Time: r.Time}
	}
	r.EndSequence = fr.seq
	r.setSecond(m, meta, plain)
	r.ResponseBytes, r.ResponseBody, r.ResponseTruncated = fr.raw, fr.given, fr.cut
	for i := range fr.parts {
		part, err := f.part(&fr.parts[i], bodies)
		if err != nil {
			return err
		}
		r.Parts = append(r.Parts, part)
	}
	return nil
}

// part reads a part of an exchange. Retention may have dropped its day.
func (f *frames) part(stored *storedPart, bodies bool) (Part, error) {
	p := Part{Kind: stored.Kind, Bytes: stored.Bytes, Truncated: stored.Truncated}
	if !bodies {
		return p, nil
	}
	at, err := stored.place()
	if err != nil {
		return p, err
	}
	fr, err := f.read(at, true)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err == nil && (fr.kind != framePart || fr.seq != stored.Sequence) {
		err = badRecord("it is not the part of the exchange that its end names")
	}
	if err == nil {
		p.Body = fr.given
	}
	return p, err
}
