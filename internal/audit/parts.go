package audit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// Kinds of parts.
const (
	PartProviderRequest  = "provider_request"  // the body that was sent to the provider
	PartProviderResponse = "provider_response" // the body that the provider sent
	PartStreamEvents     = "stream_events"     // the events of a streamed reply as they were sent
)

// maxParts is how many parts an exchange may have: what its response half says
// of them has to fit into a frame.
const maxParts = 1000

// Part is something more that is kept of an exchange.
type Part struct {
	Kind string `json:"kind"` // one of the Part constants
	// Bytes is the length of the body as it was given.
	Bytes int64 `json:"bytes"`
	// Truncated says that only the beginning was kept.
	Truncated bool `json:"truncated,omitempty"`
	// Body is filled where the bodies of the record are. It is empty where
	// retention has dropped the day on which the part was written.
	Body Body `json:"body,omitempty"`
}

// storedPart is a part as the response half of its exchange lists it.
type storedPart struct {
	Sequence  uint64 `json:"sequence"`
	Day       string `json:"day"`
	Offset    int64  `json:"offset"`
	Kind      string `json:"kind"`
	Bytes     int64  `json:"bytes"`
	Truncated bool   `json:"truncated,omitempty"`
}

func (p *storedPart) place() (place, error) {
	d, err := parseDay(p.Day)
	if err != nil {
		return place{}, badRecord("the day of a part is not one")
	}
	return place{d, p.Offset}, nil
}

// partMeta is the meta data of a part.
type partMeta struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

// partsMeta is the meta data of the list behind a response half.
type partsMeta struct {
	Parts []storedPart `json:"parts"`
}

// Part writes something more of an exchange that is under way; kind is one of
// the Part constants. It counts when it returned nil before End was called, and
// is shown in the record once the exchange has ended. When it returns nil the
// part is with the operating system. The errors are those of End.
func (t *Trail) Part(id, kind string, body []byte) error {
	at := t.now()
	mode := t.redaction.of(id)
	body = t.redaction.body(mode, body)
	e := t.entry(framePart)
	defer t.release(e)
	f := open(e.frame)
	f.always("id", id)
	f.always("kind", kind)
	e.frame = f.close()
	e.id, e.bare = id, mode == BodiesNone
	e.part = storedPart{Kind: kind, Bytes: int64(len(body)), Truncated: !e.bare && len(body) > t.bodyBytes}
	return t.write(e, body, at)
}

// decodePart reads what a frame says of a part.
func decodePart(h *header, meta []byte, at place) (storedPart, string, error) {
	var m partMeta
	err := json.Unmarshal(meta, &m)
	return storedPart{h.seq, at.day.String(), at.off, m.Kind, h.raw, h.cut}, m.ID, wrapMeta(err)
}

// withPart returns the row of an exchange under way with one more part.
func (r *row) withPart(p storedPart) *row {
	more := *r
	more.parts = append(slices.Clip(r.parts), p)
	return &more
}

// reserve is the room that is kept for the response half.
func (r *row) reserve() int64 { return endReserve + int64(len(r.parts))*partReserve }

func reservedFor(open map[string]*row) (n int64) {
	for _, r := range open {
		n += r.reserve()
	}
	return n
}

// listParts adds the list of the parts to a response half, directly behind its
// first frame.
func (e *entry) listParts(parts []storedPart) error {
	meta, err := json.Marshal(partsMeta{parts})
	if err != nil {
		return fmt.Errorf("encoding the parts of an exchange: %w", err)
	}
	list := append(make([]byte, headerSize, headerSize+len(meta)), meta...)
	sealContent(list, frameParts, codecRaw, len(meta), 0, int64(binary.LittleEndian.Uint64(e.frame[offTime:])))
	pieces := moreOf(e.frame)
	setMore(list, pieces)
	setMore(e.frame, pieces+1)
	e.frame = slices.Insert(e.frame, sizeOf(e.frame), list...)
	return nil
}

// openPlace is where the frames of an exchange under way are.
type openPlace struct {
	begun place
	parts []place
}

func (r *row) openPlace() openPlace {
	p := openPlace{begun: r.first}
	for i := range r.parts {
		if at, err := r.parts[i].place(); err == nil {
			p.parts = append(p.parts, at)
		}
	}
	return p
}

// read makes the row of the exchange from its frames.
func (p openPlace) read(dir string) (*row, error) {
	r, err := readBegun(dir, p.begun)
	if err != nil {
		return nil, err
	}
	for _, at := range p.parts {
		part, err := readPart(dir, at)
		if err != nil {
			return nil, err
		}
		r = r.withPart(part)
	}
	return r, nil
}

func readPart(dir string, p place) (storedPart, error) {
	s, err := scanSegment(dir, p.day, p.off, false)
	if err != nil {
		return storedPart{}, err
	}
	defer s.close()
	h, content, err := s.next()
	if err != nil {
		return storedPart{}, fmt.Errorf("reading %s at %d: %w", p.day.logName(), p.off, err)
	}
	if h.kind != framePart {
		return storedPart{}, fmt.Errorf("%w: %s at %d is not a part of an exchange", ErrDamaged, p.day.logName(), p.off)
	}
	part, _, err := decodePart(&h, content[:h.meta], p)
	return part, err
}

// encodeOpen and decodeOpen are how an index keeps what is under way.
func encodeOpen(open []openPlace) []byte {
	out := make([]byte, 0, 14*len(open))
	le := binary.LittleEndian
	for _, p := range open {
		out = appendPlace(out, p.begun)
		out = le.AppendUint16(out, uint16(len(p.parts)))
		for _, at := range p.parts {
			out = appendPlace(out, at)
		}
	}
	return out
}

func decodeOpen(data []byte) (open []openPlace, whole bool) {
	for len(data) > 0 {
		if len(data) < 14 {
			return nil, false
		}
		p := openPlace{begun: placeAt(data)}
		n := int(binary.LittleEndian.Uint16(data[12:]))
		if data = data[14:]; len(data) < 12*n {
			return nil, false
		}
		for ; n > 0; n-- {
			p.parts = append(p.parts, placeAt(data))
			data = data[12:]
		}
		open = append(open, p)
	}
	return open, true
}

func appendPlace(out []byte, p place) []byte {
	out = binary.LittleEndian.AppendUint32(out, uint32(p.day))
	return binary.LittleEndian.AppendUint64(out, uint64(p.off))
}

func placeAt(data []byte) place {
	return place{day(binary.LittleEndian.Uint32(data)), int64(binary.LittleEndian.Uint64(data[4:]))}
}
