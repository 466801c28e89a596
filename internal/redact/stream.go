package redact

import (
	"bytes"
	"slices"

	"sluice/extproc/dialect/jsontext"
)

// lines looks at a body of lines: Server-Sent Events, or one JSON value a line.
// Values that streams send in pieces are looked at as what the pieces are
// together, since none of the pieces need look like anything.
func (j *job) lines(b []byte) []edit {
	j.join = &joiner{texts: map[uint64]*joined{}, job: j}
	var edits []edit
	for at := 0; at < len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[at:], '\n'); n >= 0 {
			end = at + n
		}
		start := at
		if hasPrefix(b[at:end], "data:") {
			start += len("data:")
		}
		if line := bytes.TrimSpace(b[start:end]); len(line) > 0 && (line[0] == '{' || line[0] == '[') && jsontext.Valid(line) {
			start += bytes.Index(b[start:end], line)
			j.join.begin(start)
			edits = appendShifted(edits, j.json(line, 0), start)
		} else {
			join := j.join
			j.join = nil
			if len(j.r.fields) > 0 && len(line) > 0 && line[0] == '{' { // cut off: fields can't be told from the rest
				edits = append(edits, edit{start, end, j.mark(field, line)})
			} else {
				edits = appendShifted(edits, j.loose(b[at:end], 0), at)
			}
			j.join = join
		}
		at = end + 1
	}
	join := j.join
	j.join = nil
	edits = append(edits, join.edits(b)...)
	slices.SortFunc(edits, func(x, y edit) int { return x.start - y.start })
	return edits
}

// joiner puts the pieces of values together. nil joins nothing.
type joiner struct {
	*job
	texts map[uint64]*joined
	at    int      // where the line under way begins in the body
	stack []uint64 // of the value under way: what tells its place from others
	items []uint64
}

// joined is a value of which each event has a piece.
type joined struct {
	pieces []piece
	length int
}

// piece is the inside of a string of the body.
type piece struct{ start, end int }

// told are members whose value is not part of a text: each event has the whole.
var told = map[string]bool{
	"id": true, "object": true, "model": true, "type": true, "role": true, "name": true, "event": true, "status": true,
	"finish_reason": true, "stop_reason": true, "finishReason": true, "item_id": true, "call_id": true, "response_id": true,
	"system_fingerprint": true, "service_tier": true, "obfuscation": true, "responseId": true, "modelVersion": true, "event_type": true,
	"signature": true, "thoughtSignature": true, "generation_id": true,
}

func (s *joiner) takes(key []byte) bool { return s != nil && !told[string(key)] }

func (s *joiner) begin(at int) { s.at, s.stack, s.items = at, append(s.stack[:0], offset), s.items[:0] }

// FNV-1a.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

func hashed(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * prime
	}
	return h
}

// enter tells that an object or array begins; what is in it has its place.
func (s *joiner) enter() {
	if s != nil {
		place := s.stack[len(s.stack)-1] * prime
		s.stack, s.items = append(s.stack, place), append(s.items, place)
	}
}

func (s *joiner) leave() {
	if s != nil {
		s.stack, s.items = s.stack[:len(s.stack)-1], s.items[:len(s.items)-1]
	}
}

// key tells that the value of a member follows.
func (s *joiner) key(key []byte) {
	if s != nil {
		s.stack[len(s.stack)-1] = hashed(s.items[len(s.items)-1], key)
	}
}

// item tells that item n of an array follows.
func (s *joiner) item(n int) {
	if s != nil {
		s.stack[len(s.stack)-1] = hashed(s.items[len(s.items)-1], []byte{'[', byte(n), byte(n >> 8), byte(n >> 16)})
	}
}

// number tells of a member that is a number. Choices, blocks and calls are told
// apart by theirs, wherever they stand in a list: events have what is new, not
// what it is added to.
func (s *joiner) number(key, raw []byte) {
	if s == nil || len(s.items) == 0 {
		return
	}
	switch string(key) {
	case "index", "output_index", "content_index", "summary_index":
	default:
		return
	}
	top := len(s.items) - 1
	place := s.items[top]
	if string(key) == "index" && top > 0 { // of an item, whose number in the list says nothing
		place = s.items[top-1]
	}
	s.items[top] = hashed(place, raw)
}

// add takes a piece at the place that is under way.
func (s *joiner) add(start, end int) {
	place := s.stack[len(s.stack)-1]
	t := s.texts[place]
	if t == nil {
		t = &joined{}
		s.texts[place] = t
	}
	t.pieces = append(t.pieces, piece{s.at + start, s.at + end})
	t.length += end - start
}

// edits are those within all that was put together. What is found in several
// pieces is marked in the first; the rest of it is taken out of the others.
func (s *joiner) edits(b []byte) (edits []edit) {
	for _, t := range s.texts {
		raw := make([]byte, 0, t.length)
		for _, p := range t.pieces {
			raw = append(raw, b[p.start:p.end]...)
		}
		at, begins := 0, 0 // the piece that is looked at, and where it begins in raw
		for _, e := range s.string(raw, nil, 0) {
			for begins+t.pieces[at].end-t.pieces[at].start <= e.start {
				begins += t.pieces[at].end - t.pieces[at].start
				at++
			}
			text := e.text
			for from := e.start; from < e.end; {
				p := t.pieces[at]
				stop := min(e.end, begins+p.end-p.start)
				edits = append(edits, edit{p.start + from - begins, p.start + stop - begins, text})
				text, from = nil, stop
				if from < e.end {
					begins += p.end - p.start
					at++
				}
			}
		}
	}
	return edits
}
