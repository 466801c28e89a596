package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// frames reads single frames for one query.
type frames struct {
	trail      string // its id
	dir        string
	compressor *compressor
	files      map[day]*os.File
	buf        []byte
}

func newFrames(trail, dir string, c *compressor) *frames {
	return &frames{trail: trail, dir: dir, compressor: c, files: map[day]*os.File{}, buf: make([]byte, 4096)}
}

func (f *frames) close() {
	for _, file := range f.files {
		file.Close()
	}
}

// frame is a frame that was read; body is nil when it was not asked for.
type frame struct {
	header
	metaData []byte
	given    []byte
}

// read reads the frame at p. The meta data is valid until the next call.
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
	n, err := file.ReadAt(f.buf[:cap(f.buf)], p.off)
	if err != nil && err != io.EOF {
		return nil, err
	}
	buf := f.buf[:n]
	h, err := parseHeader(buf)
	if err != nil {
		return nil, err
	}
	need := headerSize + h.meta
	if bodies {
		need = h.size()
	}
	if int64(n) < need {
		buf = make([]byte, need)
		if _, err := file.ReadAt(buf, p.off); err != nil {
			return nil, err
		}
	}
	fr := &frame{header: h, metaData: buf[headerSize : headerSize+h.meta]}
	if int64(len(buf)) >= h.size() {
		if err := h.checkContent(buf[headerSize:h.size()], bodies); err != nil {
			return nil, err
		}
	}
	if bodies && h.body > 0 {
		stored := append([]byte(nil), buf[headerSize+h.meta:h.size()]...)
		fr.given, err = f.compressor.restore(stored, h.codec, h.raw)
	}
	return fr, err
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
	r := &Record{RecordID: recordID(f.trail, h.seq), Sequence: h.seq, Time: asTime(h.time)}
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

func recordID(trail string, seq uint64) string { return trail + "-" + strconv.FormatUint(seq, 10) }

// first reads the frame that begins a record.
func (f *frames) first(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if err != nil {
		return err
	}
	r.RequestBytes, r.RequestBody = fr.raw, fr.given
	switch fr.kind {
	case frameBegin:
		r.Exchange = &Exchange{}
		err = json.Unmarshal(fr.metaData, r.Exchange)
		r.ID = r.Exchange.ID
	case frameWhole:
		var m wholeMeta
		err = json.Unmarshal(fr.metaData, &m)
		r.ID, r.Exchange, r.Outcome = m.ID, &m.Exchange, &m.Outcome
	case frameEvent:
		r.Event = &Event{}
		err = json.Unmarshal(fr.metaData, r.Event)
		r.ID = r.Event.RequestID
	default:
		err = badRecord("it is not the first half of a record")
	}
	return wrapMeta(err)
}

// second reads the response half of an exchange.
func (f *frames) second(r *Record, p place, bodies bool) error {
	fr, err := f.read(p, bodies)
	if err != nil {
		return err
	}
	var m endMeta
	if err := json.Unmarshal(fr.metaData, &m); err != nil {
		return wrapMeta(err)
	}
	if r.Exchange == nil {
		r.ID, r.Exchange = m.ID, &Exchange{ID: m.ID, Time: r.Time}
	}
	r.EndSequence, r.Outcome = fr.seq, &m.Outcome
	r.ResponseBytes, r.ResponseBody = fr.raw, fr.given
	return nil
}
